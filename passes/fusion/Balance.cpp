// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a join gains and costs.
#include "passes/fusion/Balance.h"

#include "mjolnir/Target/Cost.h"
#include "mjolnir/Target/Target.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::fusion;

int64_t fusion::bytesOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() ? denseBytes(type) : 0;
}

static bool isNoWeight(Value) { return false; }

int64_t fusion::bytesReadBy(ArrayRef<Operation *> ops) { return computeCost(ops, isNoWeight).bytesRead; }

int64_t fusion::bytesOf(const FusionPlan &plan, FusionPlan::Id region) {
  ArrayRef<Operation *> ops = plan.operations(region);
  if (llvm::all_of(ops, llvm::IsaPred<mj::ReshapeOp>))
    return 0;
  int64_t bytes = bytesReadBy(ops);
  for (Operation *op : ops)
    if (plan.ownerOf(op) == region)
      for (Value result : op->getResults())
        if (plan.isNeededOutside(result, region))
          bytes += bytesOf(result);
  return bytes;
}

double fusion::flopsOf(ArrayRef<Operation *> ops) {
  return computeCost(ops, isNoWeight).flops[static_cast<int>(Arithmetic::f32)];
}

double Balance::secondsSaved(const Profile &profile) const {
  double seconds = double(launchesSaved) * profile.launchSeconds;
  if (profile.copyBandwidth > 0)
    seconds += double(bytesBefore - bytesAfter) / profile.copyBandwidth;
  if (profile.flopsF32 > 0)
    seconds -= flopsRepeated / profile.flopsF32;
  return seconds;
}

static std::string formatBytes(int64_t bytes) {
  if (bytes < 1000)
    return llvm::formatv("{0} B", bytes);
  static constexpr llvm::StringLiteral units[] = {"KB", "MB", "GB"};
  double scaled = double(bytes) / 1000;
  size_t unit = 0;
  for (; scaled >= 999.95 && unit + 1 < std::size(units); ++unit)
    scaled /= 1000;
  return llvm::formatv("{0:F1} {1}", scaled, units[unit]);
}

std::string Balance::text() const {
  int64_t saved = bytesBefore - bytesAfter;
  std::string text = llvm::formatv("{0} {1} of {2}", saved < 0 ? "adds" : "saves", formatBytes(std::abs(saved)),
                                   formatBytes(bytesBefore));
  if (launchesSaved)
    text += llvm::formatv(" and {0} launch{1}", launchesSaved, launchesSaved == 1 ? "" : "es").str();
  if (flopsRepeated > 0)
    text += llvm::formatv(", repeats {0:F3} MFLOP", flopsRepeated / 1e6).str();
  return text;
}
