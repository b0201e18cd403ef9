// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the sources of matmuls of few and of many rows share: the sets of columns of a region, and the epilogue.
#ifndef MJOLNIR_TARGETS_CUDA_MATMULPRINTER_H
#define MJOLNIR_TARGETS_CUDA_MATMULPRINTER_H

#include "targets/cuda/KernelSource.h"
#include "targets/cuda/MatmulSchedules.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace mjolnir::cuda {

/// One set of columns of a region: its matmuls, and the results of the region that are computed from them.
struct ColumnSet {
  MatmulColumns columns;
  llvm::SmallVector<unsigned> results;
};

class MatmulPrinter {
public:
  MatmulPrinter(KernelContext &context, KernelSource &source);

  /// Finds the sets of columns, or says on the kernel why a GPU has no kernel for them.
  llvm::LogicalResult collect();

protected:
  /// Elements that mma.sync multiplies here, in rows of whole 16 bytes (of weights, too).
  bool usesTensorCores();
  /// The pointers of a set's weights, separated by commas.
  std::string weightsOf(const ColumnSet &set);
  /// The most matmuls that a set has.
  size_t widest();
  /// The weight of matmul w of a set; one with fewer matmuls computes its last one again.
  mlir::Value weightOf(size_t set, size_t w);
  /// Prints what tells a block, number `block`, its set, and calls `select` in the branch of each, with the block's
  /// number in it and its columns. Where there are several, the variable `set`, declared before, becomes its number.
  void printSets(ElementPrinter &out, int64_t blockColumns,
                 llvm::function_ref<void(size_t set, llvm::StringRef block, int64_t columns)> select);
  /// Declares `epilogue`, an Epilogue of (m, n) with `acc[w]` the product with matmul w of a set. Where there are
  /// several sets, the variable `set` tells which. `fetchesEights`: the template fetches what it reads of matrices like
  /// the result, eight elements at a time, where it can.
  llvm::LogicalResult printEpilogue(llvm::ArrayRef<ColumnSet> sets, bool fetchesEights = false);
  /// Declares `x`, rows in memory as a template loads them.
  void printStoredRows(const RowsInMemory &stored);
  /// Where each thread computes one element of a block's `columns` for all rows, what the epilogue reads is loaded
  /// before the products, which hide it. `matmul` is the template's instance.
  void printEarlyLoads(int64_t columns);
  /// The scales of a set's matmuls that come with the weights, by the number of the matmul.
  llvm::MapVector<mlir::Value, int64_t> findEarlyScales(const ColumnSet &set);
  /// Has the printer read such scales from the template.
  void setEarlyScales();
  /// The name of a map of `value`, a matrix that is an argument, in boxes of `boxRows` rows and `boxColumns` columns.
  std::string mapOf(mlir::Value value, int64_t boxRows, int64_t boxColumns);
  /// Matrices of the shape of a set's result that are read element by element.
  llvm::SetVector<mlir::Value> findRead(const ColumnSet &set);

  KernelContext &context;
  KernelSource &source;
  ElementPrinter printer;
  mj::MatmulOp first;
  int64_t rows, k;
  mlir::Type weightElement;
  llvm::SmallVector<ColumnSet> sets;

private:
  /// Calls `print` in the branch of each set.
  llvm::LogicalResult printBranches(llvm::ArrayRef<ColumnSet> sets,
                                    llvm::function_ref<llvm::LogicalResult(const ColumnSet &set)> print);
  /// Prints the results of a set at (m, n) to `values`, and where they are stored.
  llvm::LogicalResult printValues(const ColumnSet &set);
  llvm::LogicalResult printStores(const ColumnSet &set);
  llvm::LogicalResult printStoresOfFours(const ColumnSet &set);
  /// Declares `fetch` for `read`, matrices of `columns`, and has them read from `acc` behind its `weights` products.
  void printFetch(llvm::ArrayRef<mlir::Value> read, int64_t columns, int64_t weights);
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_MATMULPRINTER_H
