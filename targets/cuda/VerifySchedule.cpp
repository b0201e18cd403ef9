// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Schedules that a file brings: whether kernels can be made from them.
#include "targets/cuda/DecodeAttention.h"
#include "targets/cuda/LibraryMatmul.h"
#include "targets/cuda/LineRegion.h"
#include "targets/cuda/MatmulSchedules.h"
#include "targets/cuda/Schedules.h"
#include "targets/cuda/StreamedMatmulTile.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;

namespace {

/// What the kernels of a schedule are made from: an operation, or none in particular, and parameters that are at least
/// 1. Others that a schedule lacks are 0, which kernels can be made from.
struct Needs {
  StringRef operation;
  SmallVector<StringRef> parameters;
};

} // namespace

static std::optional<Needs> findNeeds(mj::ScheduleAttr schedule, Block &body) {
  auto number = [&](StringRef parameter) { return getParameter(schedule, parameter); };
  StringRef name = schedule.getName().getValue(), matmul = mj::MatmulOp::getOperationName();
  bool isStack = body.getOps<mj::MatmulOp>().empty();
  if (name == kPointwiseSchedule)
    return Needs{"", {"elements", "threads"}};
  if (name == kRowsSchedule || name == kGatherSchedule)
    return Needs{"", {"rows", "threads"}};
  if (name == kLinesSchedule)
    return Needs{"", {"lanes", "threads"}};
  if (name == kColumnsSchedule)
    return Needs{mj::ReduceOp::getOperationName(), {"columns", "threads"}};
  if (name == kSmallMatmulSchedule)
    // Without stages the plain cores multiply.
    return number("stages")
               ? Needs{matmul, {"columns", "group_columns", "slices", "splits", "stage_k", "stages", "threads"}}
               : Needs{matmul, {"columns", "splits", "threads"}};
  if (name == kStreamedMatmulSchedule)
    return Needs{matmul, {"blocks", "columns", "group_columns", "splits", "stages", "threads", "window"}};
  if (name == kLargeMatmulSchedule)
    return Needs{matmul, {"splits", "stages", "threads", "tile_k", "tile_m", "tile_n"}};
  if (name == kTensorMatmulSchedule)
    return Needs{matmul, {"blocks", "splits", "stages", "threads", "tile_k", "tile_m", "tile_n"}};
  if (name == kBatchMatmulSchedule) // a stack of one is an mj.matmul
    return Needs{isStack ? mj::BatchMatmulOp::getOperationName() : matmul,
                 {"stages", "threads", "tile_k", "tile_m", "tile_n"}};
  if (name == kDecodeAttentionSchedule)
    return Needs{mj::AttentionOp::getOperationName(), {"splits", "threads"}};
  if (name == kPrefillAttentionSchedule || name == kSdpaSchedule)
    return Needs{name == kSdpaSchedule ? mj::SdpaOp::getOperationName() : mj::AttentionOp::getOperationName(),
                 {number("groups") ? "groups" : "key_warps", "keys", "rows", "threads"}};
  if (name == kSampleSchedule)
    return Needs{mj::SampleOp::getOperationName(), {"splits", "threads"}};
  if (name == kCublasLt)
    return Needs{matmul, {}};
  return std::nullopt;
}

LogicalResult cuda::verifySchedule(Operation *op, mj::ScheduleAttr schedule, Block &body) {
  std::optional<Needs> needs = findNeeds(schedule, body);
  StringRef name = schedule.getName().getValue();
  auto number = [&](StringRef parameter) { return getParameter(schedule, parameter); };
  if (!needs)
    return op->emitOpError("has the schedule '")
           << name << "', for which there are no CUDA kernels; select-schedules chooses one for the target";
  if (!needs->operation.empty() &&
      llvm::none_of(body, [&](Operation &inner) { return inner.getName().getStringRef() == needs->operation; }))
    return op->emitOpError("has the schedule '") << name << "' and no " << needs->operation << " that it is for";
  for (StringRef parameter : needs->parameters)
    if (getParameter(schedule, parameter) < 1)
      return op->emitOpError("has the schedule '")
             << name << "' without the parameter '" << parameter
             << "', an integer of at least 1; select-schedules chooses the parameters of a schedule";
  if (name == kLargeMatmulSchedule && !schedule.getParameters().getAs<StringAttr>("unit"))
    return op->emitOpError("has the schedule '")
           << name << "' without the parameter 'unit', the instruction that multiplies: mma.sync, wgmma, tcgen05";
  if (name == kLinesSchedule) {
    std::optional<LineRegion> region = LineRegion::find(body);
    if (!region)
      return op->emitOpError("has the schedule '")
             << name << "' and results that are not made line by line; select-schedules chooses one for it";
    if (!region->takesLanes(number("lanes"), number("threads")))
      return op->emitOpError("has the schedule '") << name << "' of " << number("lanes") << " lanes a line of "
                                                   << region->length << " elements in blocks of " << number("threads")
                                                   << " threads; lanes are a power of two that divides the threads, or "
                                                      "all of them beyond a warp, and hold up to "
                                                   << LineRegion::kMostVectors << " vectors each";
  }
  if (name == kSmallMatmulSchedule && number("stages")) {
    // Warps that divide K read eight elements at a time.
    const MatmulShape shape = getMatmulShape(findMatmulColumns(body));
    int64_t slices = number("slices"), parts = number("splits") * slices, k = shape.k;
    if ((parts > 1 && k % (parts * 32)) || number("stage_k") % (slices * 32))
      return op->emitOpError("has the schedule '")
             << name << "' that divides K = " << k << ", " << number("stage_k") << " elements at a time, into " << parts
             << " parts that are not multiples of 32; select-schedules chooses the parameters of a schedule";
    if (number("held") && !SmallMatmulTile(schedule).canHold(shape.rows, k, shape.widest, shape.weightBytes))
      return op->emitOpError("has the schedule '")
             << name << "' with held = " << number("held")
             << ": threads hold weights where blocks copy x (shares), each warp has one group of columns, and its part "
                "of K falls into pieces of 64 bytes; select-schedules chooses the parameters of a schedule";
  }
  if (name == kStreamedMatmulSchedule) {
    MatmulShape shape = getMatmulShape(findMatmulColumns(body));
    if (!StreamedMatmulTile(schedule).fits(shape))
      return op->emitOpError("has the schedule '")
             << name << "' for " << shape.rows << " rows of " << shape.k << " elements by weights of "
             << shape.weightBytes << " bytes an element, which its tiles do not divide; it is for up to "
             << StreamedMatmulTile::kMostRows << " rows and weights in f8, and select-schedules chooses its parameters";
  }
  if (name == kDecodeAttentionSchedule)
    return verifyDecodeAttention(op, schedule, *body.getOps<mj::AttentionOp>().begin());
  return success();
}
