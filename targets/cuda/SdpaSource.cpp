// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention over tensors.
#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/TiledAttention.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

/// The pointers of tensors that the kernel reads, with commas between.
static FailureOr<std::string> namesOf(KernelContext &context, ValueRange tensors) {
  SmallVector<std::string> names;
  for (Value tensor : tensors) {
    if (!isa<BlockArgument>(tensor))
      return context.kernel.emitOpError(
          "computes an operand of an attention over tensors; the GPU's kernels read them");
    names.push_back(context.argument(tensor));
  }
  return llvm::join(names, ", ");
}

LogicalResult cuda::printSdpaKernel(KernelContext &context, KernelSource &source) {
  auto sdpa = *context.block().getOps<mj::SdpaOp>().begin();
  Value result = context.block().getTerminator()->getOperand(0);
  while (auto reshape = result.getDefiningOp<mj::ReshapeOp>())
    result = reshape.getSource();
  if (result != sdpa.getResult() || context.block().getTerminator()->getNumOperands() != 1)
    return context.kernel.emitOpError("computes with the result of an attention; the GPU's kernels store it");

  TiledAttention tiled(sdpa);
  mj::ScheduleAttr schedule = context.kernel.getSchedule();
  int64_t tile = context.parameter("rows"), tiles = tiled.countTiles(schedule, 1), keys = 0;
  tiled.setLaunch(schedule, source);
  SmallVector<std::string> ends;
  for (Value segment : sdpa.getKeys())
    ends.push_back(std::to_string(keys += tensorOf(segment).getDimSize(0)));
  FailureOr<std::string> query = namesOf(context, sdpa.getQuery()), keyNames = namesOf(context, sdpa.getKeys()),
                         valueNames = namesOf(context, sdpa.getValues());
  if (failed(query) || failed(keyNames) || failed(valueNames))
    return failure();

  // With causality later rows see more keys: the longest tiles go first.
  context.os << "  " << tiled.printMemoryCheck(schedule) << "\n"
             << formatv("  const int head = blockIdx.x % {0}, first = ({1} - blockIdx.x / {0}) * {2};\n", tiled.kvHeads,
                        tiles - 1, tile)
             << formatv("  const flash::TensorRows<{0}, {1}, {2}, {3}, {4}, {5}> rows{{head, first};\n", tiled.rows,
                        tiled.heads, tiled.group(), keys, sdpa.getCausal(),
                        sdpa.getWindow() ? int64_t(*sdpa.getWindow()) : 0)
             << formatv("  const flash::SegmentedCache<{0}, {1}, {2}, {3}, {4}> cache{{\n", ends.size(), tiled.kvHeads,
                        tiled.d, tiled.e, elementTypeName(tiled.cache))
             << formatv("      {{{0}}, {{{1}}, {{{2}}, head};\n", *keyNames, *valueNames, llvm::join(ends, ", "));
  if (Value mask = sdpa.getMask()) {
    FailureOr<std::string> name = namesOf(context, mask);
    if (failed(name))
      return failure();
    context.os << formatv("  const flash::TensorMask<{0}, {1}, {2}, {3}, {4}> mask{{{5}, head, first};\n", tiled.rows,
                          tiled.group(), keys, tensorOf(mask).getRank() == 3,
                          elementTypeName(tensorOf(mask).getElementType()), *name);
  } else {
    context.os << "  const flash::NoMask mask;\n";
  }
  context.os << formatv("  {0}({1}, rows, cache, mask, {2:e8}f, 1.0f, {3}, shared);\n", tiled.printCallee(schedule),
                        *query, sdpa.getScale().convertToFloat(), context.result(0));
  return success();
}
