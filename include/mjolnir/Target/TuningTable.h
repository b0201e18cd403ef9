// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Schedules that were measured to be faster than those that a target chooses by itself.
#ifndef MJOLNIR_TARGET_TUNINGTABLE_H
#define MJOLNIR_TARGET_TUNINGTABLE_H

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <string>

namespace mjolnir {

/// What two regions have in common that compute the same on operands of the same types: 16 hexadecimal digits. Names,
/// layers and schedules are no part of it.
std::string keyOfRegion(mj::FusionOp fusion);

/// A region for people: what it computes, and the shape that its time depends on. "norm, matmul x3: 1x1024 by
/// 2048x1024, 1024x1024, 1024x1024".
std::string describeRegion(mj::FusionOp fusion);

/// What a tuning table calls a target: its kind and its chip, "cuda:sm_90a".
std::string nameOfTarget(const class Target &target);

/// What a file says that mjolnir-bench --tune wrote: one JSON object, `version` 1, whose `rows` each hold
///
///     target     as nameOfTarget says
///     region     as keyOfRegion says
///     schedule   the schedule that was fastest, as MLIR writes it: #mj.schedule<"cuda.rows", {threads = 128 : i64}>
///     before_us, after_us   a step with the schedule that the target chooses, and with this one
///
/// and more for people, which is not read.
class TuningTable {
public:
  struct Row {
    std::string schedule;
    double beforeSeconds = 0, afterSeconds = 0;
  };

  /// Reads a file, or an error that names it and says what is wrong.
  static llvm::Expected<TuningTable> read(llvm::StringRef path);

  /// The row of a region, or null.
  const Row *find(llvm::StringRef target, llvm::StringRef region) const;
  size_t size() const { return rows.size(); }

private:
  llvm::StringMap<Row> rows; ///< by target, a space, and region
};

} // namespace mjolnir

#endif // MJOLNIR_TARGET_TUNINGTABLE_H
