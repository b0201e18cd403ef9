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

class Reductions {
public:
  /// For blocks of `threads` threads. Shared memory is declared as static arrays.
  Reductions(ElementPrinter &printer, int64_t threads) : printer(printer), threads(threads) {}

  /// Prints, in order, the reductions that `roots` depend on, for the lines whose leading indices are in `ranges(op)`
  /// (one range an axis but the reduced one), with barriers after each; their results become leaves of the printer.
  /// Arrays are declared where the code stands.
  llvm::LogicalResult print(llvm::ArrayRef<mlir::Value> roots,
                            llvm::function_ref<llvm::SmallVector<AxisRange>(mlir::Operation *)> ranges);

private:
  llvm::LogicalResult printOne(mlir::Operation *op, llvm::ArrayRef<AxisRange> ranges);
  /// Prints a loop over all lines, `body` for each; `index` is the line's place in the arrays.
  llvm::LogicalResult overLines(llvm::ArrayRef<AxisRange> ranges, int64_t length,
                                llvm::function_ref<llvm::LogicalResult(llvm::ArrayRef<std::string> leading)> body);
  /// Prints the combination over a line of what `element` makes of each element, to the variable `result`.
  llvm::LogicalResult reduceLine(mlir::Value x, llvm::ArrayRef<std::string> leading, llvm::StringRef result,
                                 llvm::StringRef initial, bool isMaximum,
                                 llvm::function_ref<std::string(llvm::StringRef x)> element, llvm::StringRef combine);

  ElementPrinter &printer;
  int64_t threads;
  bool isBlockWide = false; ///< of the lines being printed: all threads on one, else a warp on each
  unsigned next = 0;        ///< number of the reduction being printed
  bool hasScratch = false;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_REDUCTIONS_H
