// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The parts of the report, each made in a file of its own.
#ifndef MJOLNIR_LIB_REPORT_SECTIONS_H
#define MJOLNIR_LIB_REPORT_SECTIONS_H

#include "mjolnir/Report/Report.h"
#include "mjolnir/Target/Cost.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace mjolnir::report {

/// Tokens that sequences of a decode step are assumed to have in the cache.
inline constexpr int64_t kContextTokens = 1024;

/// The program, and where to find things in it.
struct Program {
  Program(mlir::ModuleOp module, const Target &target);

  mlir::ModuleOp module;
  mlir::SymbolTable symbols;
  const Target &target;
  const Profile &profile;
  llvm::SmallVector<exec::KernelOp> kernels;
  llvm::DenseMap<mlir::Operation *, int64_t> kernelIndices;
  int64_t maxContext = 0; ///< tokens a sequence may hold; 0 where the program is no language model
};

/// What is assumed of an entry's step: contexts of kContextTokens when it decodes, one prompt that fills it when it
/// does not.
CostOptions assumptionsOf(exec::EntryOp entry, Program &program);

/// "decode", "prefill" or "plain".
llvm::StringRef kindOf(exec::EntryOp entry);

llvm::json::Array describeKernels(Program &program);
llvm::json::Array describeEntries(Program &program);
llvm::json::Array describeWeights(Program &program);
llvm::json::Array describeMatmuls(Program &program, const RemarkLog &remarks);
llvm::json::Array describePools(Program &program);
llvm::json::Object describeCost(const KernelCost &cost);
llvm::json::Object describeProfile(const Profile &profile);

/// A stretch of a sequence that is repeated: `count` times the `period` elements from `first` on.
struct Repeat {
  int64_t first, period, count;
};
/// The repetitions of at least two elements in `sequence` that cover most, in order, none in another. Whatever repeats
/// most is found first, then what repeats before and behind it.
std::vector<Repeat> findRepeats(llvm::ArrayRef<int64_t> sequence);

} // namespace mjolnir::report

#endif // MJOLNIR_LIB_REPORT_SECTIONS_H
