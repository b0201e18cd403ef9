// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Prints what norms, softmax and reductions over inner axes need of whole lines (a row, or a head of it), and tells the
// printer of elements where that is found.
#ifndef MJOLNIR_TARGETS_CUDA_REDUCTIONS_H
#define MJOLNIR_TARGETS_CUDA_REDUCTIONS_H

#include "targets/cuda/ElementPrinter.h"

namespace mjolnir::cuda {

/// Which indices of an axis a block works on: `size` of them from `base`, an expression.
struct AxisRange {
  std::string base = "0";
  int64_t size = 0;
};

/// Whether `op` reduces lines, so that elements of its result need more than one element of its operand.
bool isLineReduction(mlir::Operation *op);

/// Sizes of the axes of `op`'s operand that are not reduced.
llvm::SmallVector<int64_t> getKeptSizes(mlir::Operation *op);
/// Whether a region normalizes a vector, so that it is one line without rows.
bool reducesVector(mlir::Block &block);
/// The indices of an element of the operand: `kept` those of the result, `reduced` counts the elements of a line.
Indices placeInReduced(mj::ReduceOp reduce, llvm::ArrayRef<std::string> kept, llvm::StringRef reduced);

/// A reduction as C++.
struct ReduceText {
  std::string initial;
  explicit ReduceText(mj::ReduceOp reduce);
  std::string combine(llvm::StringRef sum, llvm::StringRef element) const;
  std::string finish(llvm::StringRef sum) const;

private:
  mj::ReduceKind kind;
  int64_t count; ///< elements of a line
};

/// A norm, a softmax or a reduction over the last axis as C++: what is combined over a line, step by step, and what an
/// element of the result is made from.
struct LineFormula {
  struct Step {
    std::string name; ///< of the combined value; `then`, if any, is a statement behind it
    bool isMaximum;   ///< else it is a sum
    /// The combination of `sum` and what is made of element `x`.
    std::function<std::string(llvm::StringRef sum, llvm::StringRef x)> combine;
    std::string then;
  };
  llvm::SmallVector<Step, 2> steps;
  /// What elements of the result need of their line, and the expressions of it.
  llvm::SmallVector<std::pair<std::string, std::string>, 2> kept;
  /// An element of the result; `of` names what is kept.
  std::function<std::string(ElementPrinter &, llvm::ArrayRef<std::string> indices,
                            llvm::function_ref<std::string(llvm::StringRef)> of)>
      element;
};
/// `length` elements are combined. Names are those of the enclosing block.
LineFormula describeReduction(mlir::Operation *op, int64_t length);

/// The reductions over lines that `roots` depend on, each behind those that it depends on itself.
llvm::SmallVector<mlir::Operation *> findReductions(llvm::ArrayRef<mlir::Value> roots);

class Reductions {
public:
  /// For blocks of `threads` threads, which load up to `width` neighbouring elements at a time. Shared memory is
  /// declared as static arrays.
  Reductions(ElementPrinter &printer, int64_t threads, int64_t width = 1)
      : printer(printer), threads(threads), width(width) {}

  /// Prints, in order, the reductions that `roots` depend on, for the lines whose leading indices are in `ranges(op)`
  /// (one range an axis but the reduced one), with barriers after each; their results become leaves of the printer.
  /// Arrays are declared where the code stands.
  llvm::LogicalResult print(llvm::ArrayRef<mlir::Value> roots,
                            llvm::function_ref<llvm::SmallVector<AxisRange>(mlir::Operation *)> ranges);

private:
  llvm::LogicalResult printOne(mlir::Operation *op, llvm::ArrayRef<AxisRange> ranges);
  /// Makes the result a leaf that a thread computes by itself: where a row has more lines than shared memory holds.
  void computeAlone(mj::ReduceOp reduce);
  /// Elements of a line of x, the operand of the reduction being printed.
  int64_t lengthOf(mlir::Value x);
  /// Prints a loop over all lines, `body` for each; `index` is the line's place in the arrays.
  llvm::LogicalResult overLines(llvm::ArrayRef<AxisRange> ranges, int64_t length,
                                llvm::function_ref<llvm::LogicalResult(llvm::ArrayRef<std::string> leading)> body);
  /// Prints a step over a line of x.
  llvm::LogicalResult reduceLine(mlir::Value x, llvm::ArrayRef<std::string> leading, const LineFormula::Step &step);

  ElementPrinter &printer;
  int64_t threads, width;
  mj::ReduceOp reduced;     ///< the reduction being printed, null for norms and softmax
  bool isBlockWide = false; ///< of the lines being printed: all threads on one, else a warp on each
  unsigned next = 0;        ///< number of the reduction being printed
  bool hasScratch = false;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_REDUCTIONS_H
