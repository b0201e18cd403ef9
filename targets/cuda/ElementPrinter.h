// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Prints the computation of one element of a value of a region as CUDA C++.
//
// Pointwise operations are written out on f32; operations that move elements become arithmetic on indices; what needs
// more than one element (norms, softmax, products) is a leaf that somebody else computes first.
#ifndef MJOLNIR_TARGETS_CUDA_ELEMENTPRINTER_H
#define MJOLNIR_TARGETS_CUDA_ELEMENTPRINTER_H

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"
#include <functional>
#include <optional>

namespace mjolnir::cuda {

/// Indices of an element, C++ expressions of type int, one an axis.
using Indices = llvm::SmallVector<std::string, 4>;

/// The C++ type of an element in memory: "bf16"; empty if kernels know none.
llvm::StringRef elementTypeName(mlir::Type element);

/// The row-major place of an element, an expression of type int (int64_t where that is too small).
std::string linearize(llvm::ArrayRef<std::string> indices, llvm::ArrayRef<int64_t> shape);

/// A number as an f32 literal.
std::string literal(const llvm::APFloat &value);

/// The indices of element `i`, an expression, of a tensor of `shape`, row-major.
Indices delinearize(llvm::StringRef i, llvm::ArrayRef<int64_t> shape);

class ElementPrinter {
public:
  /// Statements go to `os`, each on a line behind `indent` spaces.
  ElementPrinter(llvm::raw_ostream &os, unsigned indent) : os(&os), indent(indent) {}

  /// An expression for an element of a value: statements may be printed for it.
  using Leaf = std::function<std::string(ElementPrinter &, llvm::ArrayRef<std::string> indices)>;
  void setLeaf(mlir::Value value, Leaf leaf) { leaves[value] = std::move(leaf); }
  /// The memory that a tensor argument of the region is in: a pointer expression.
  void setMemory(mlir::Value argument, std::string pointer);

  /// Prints a loop over v < `width`: elements `first` + v of an axis of `size` elements, which `width` divides; `first`
  /// is a variable, a multiple of `width`. `body` prints what is done for one, given its index. What is the same for
  /// all is computed before, and what lies side by side in memory is loaded before, at once.
  llvm::LogicalResult overVector(llvm::StringRef first, int64_t width, int64_t size,
                                 llvm::function_ref<llvm::LogicalResult(llvm::StringRef index)> body);
  /// Within overVector(): element v of those that begin at `place`, an expression without anything that the body
  /// prints. With `left`, an expression, that many at most are there.
  std::string vectorElement(llvm::StringRef pointer, llvm::StringRef place, mlir::Type element,
                            llvm::StringRef left = "");

  /// Where a thread has neighbouring elements that it loaded before, it takes them from there.
  struct Neighbours {
    std::string pointer, place; ///< in memory; `place` as an expression of the loop's `first`
    mlir::Type element;
    /// Not those at `first`, but those half of the axis further, or before.
    bool isOtherHalf;
  };
  /// The name of registers (`Packed` of device/prelude.cuh) that hold these, "" where none do.
  using Keeper = std::function<std::string(const Neighbours &)>;
  void setKeeper(Keeper keeper) { this->keeper = std::move(keeper); }

  /// Prints what computes an element and returns the name of it: f32, or the integer or boolean that it is. Fails, with
  /// an error on the operation, where it is none that can be printed.
  llvm::FailureOr<std::string> print(mlir::Value value, llvm::ArrayRef<std::string> indices);

  /// Forgets what was printed: a block of C++ begins or ends.
  void startBlock() { known.clear(); }
  void line(const llvm::Twine &text);
  void indentBy(int spaces) { indent += spaces; }
  /// A name that nothing else has, beginning with `prefix`.
  std::string freshName(llvm::StringRef prefix) { return (prefix + llvm::Twine(next++)).str(); }

private:
  llvm::FailureOr<std::string> compute(mlir::Operation *op, llvm::ArrayRef<std::string> indices);
  llvm::FailureOr<std::string> printConcat(mj::ConcatOp op, llvm::ArrayRef<std::string> indices);
  llvm::FailureOr<std::string> printRope(mj::RopeOp op, llvm::ArrayRef<std::string> indices);
  llvm::FailureOr<std::string> printPointwise(mlir::Operation *op, llvm::ArrayRef<std::string> operands);
  /// A constant of the given type that `expression` initializes.
  std::string name(mlir::Type type, llvm::StringRef expression);

  llvm::raw_ostream *os;
  unsigned indent, next = 0;
  /// An index of the loop that overVector() is printing: `index` for `first` + v.
  struct Run {
    std::string index, first;
    int64_t size; ///< of the axis
  };
  /// The elements that overVector() is printing, and what it has loaded: expressions of memory, and the arrays' names.
  struct Vector {
    Run run;
    int64_t width;
    std::optional<Run> otherHalf, pair; ///< of a rotary embedding: element first + size / 2 + v, modulo size; the pair
    std::string before;                 ///< statements that do not depend on v
    llvm::StringMap<std::string> arrays;
    llvm::SmallVector<std::string> loads;
  };
  /// Whether what `indices` say is the same for all elements that overVector() is printing.
  bool isSameForAll(llvm::ArrayRef<std::string> indices) const;
  /// The first of neighbouring elements at `place`, loaded or kept: the name of the array.
  std::string arrayOf(const Neighbours &neighbours, int64_t count, llvm::StringRef left = "");
  /// An element of a tensor in memory as one of several that are loaded at once; "" where that cannot be.
  std::string memoryElement(const std::string &pointer, mlir::RankedTensorType type,
                            llvm::ArrayRef<std::string> indices);
  /// Makes the runs of the two halves and of the pairs of a rotary embedding whose element is at `d`, the loop's index.
  bool startHalves(llvm::StringRef d, int64_t half);

  Vector *vector = nullptr;
  bool isBefore = false; ///< printing what is the same for all
  Keeper keeper;
  llvm::DenseMap<mlir::Value, Leaf> leaves;
  llvm::StringMap<std::string> known;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_ELEMENTPRINTER_H
