// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which schedule a region gets on a GPU, and its grid.
#include "targets/cuda/Schedules.h"

#include "mjolnir/Dialect/Exec/KernelSignature.h"
#include "mjolnir/Dialect/Mj/Tensors.h"
#include "mjolnir/Target/Target.h"
#include "targets/cuda/DecodeAttention.h"
#include "targets/cuda/LibraryMatmul.h"
#include "targets/cuda/LineRegion.h"
#include "targets/cuda/MatmulSchedules.h"
#include "targets/cuda/Reductions.h"
#include "targets/cuda/TiledAttention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using mj::tensorOf;

int64_t cuda::getParameter(mj::ScheduleAttr schedule, StringRef name) {
  DictionaryAttr parameters = schedule.getParameters();
  auto value = parameters ? parameters.getAs<IntegerAttr>(name) : IntegerAttr();
  return value ? value.getInt() : 0;
}

mj::ScheduleAttr cuda::makeSchedule(MLIRContext *context, StringRef name, ArrayRef<Parameter> parameters) {
  Builder builder(context);
  SmallVector<NamedAttribute> attributes;
  for (auto [key, value] : parameters)
    attributes.push_back(builder.getNamedAttr(key, builder.getI64IntegerAttr(value)));
  return mj::ScheduleAttr::get(context, builder.getStringAttr(name), builder.getDictionaryAttr(attributes));
}

template <typename Op> static Op firstOf(Block &body) {
  auto ops = body.getOps<Op>();
  return ops.empty() ? Op() : *ops.begin();
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

bool cuda::startsNextLate(int64_t rows) { return rows > 2; }

static FailureOr<mj::ScheduleAttr> chooseAttention(mj::FusionOp fusion, mj::AttentionOp attention,
                                                   const CudaProfile &profile) {
  mj::BatchType batch = attention.getBatch().getType();
  auto query = tensorOf(attention.getQuery());
  int64_t headDim = query.getDimSize(2);
  if (headDim % 8 || headDim > 256)
    return fusion.emitOpError("needs attention over heads of ")
           << headDim << " elements; the GPU has kernels for multiples of 8 up to 256";
  if (batch.getTokens() == batch.getSequences())
    return chooseDecodeAttention(fusion, attention, profile);
  if (firstOf<mj::KvAppendOp>(fusion.getBody().front()))
    return fusion.emitOpError("appends ")
           << batch.getTokens() << " rows of " << batch.getSequences()
           << " sequences to the cache that it reads: a block would read what another has yet to write";
  return TiledAttention(attention).chooseSchedule(fusion.getContext(), kPrefillAttentionSchedule, profile);
}

//===----------------------------------------------------------------------===//
// Rows and elements
//===----------------------------------------------------------------------===//

/// The tensors that a region of rows walks: its results, or the keys that it appends.
static SmallVector<RankedTensorType> walked(Block &body) {
  SmallVector<RankedTensorType> types;
  for (Value result : body.getTerminator()->getOperands())
    if (auto type = dyn_cast<RankedTensorType>(result.getType()))
      types.push_back(type);
  for (auto append : body.getOps<mj::KvAppendOp>())
    types.push_back(tensorOf(append.getKey()));
  return types;
}

static int64_t mostElements(Block &body) {
  int64_t most = 1;
  for (RankedTensorType type : walked(body))
    most = std::max(most, type.getNumElements());
  return most;
}

/// The rows that a region of rows walks, or an error on it.
static FailureOr<int64_t> countRows(mj::FusionOp fusion) {
  std::optional<int64_t> rows;
  for (RankedTensorType type : walked(fusion.getBody().front())) {
    int64_t size = type.getRank() ? type.getDimSize(0) : 1;
    if (rows && *rows != size)
      return fusion.emitOpError("computes tensors of ")
             << *rows << " and of " << size << " rows; a region works row by row over one number of rows";
    rows = size;
  }
  return rows.value_or(1);
}

/// The longest line that one group of threads works on: a row, or a head of it.
static int64_t longestLine(Block &body) {
  int64_t longest = 1;
  for (Operation &op : body.without_terminator()) {
    if (isLineReduction(&op))
      longest = std::max(longest, tensorOf(op.getOperand(0)).getShape().back());
    else if (auto rope = dyn_cast<mj::RopeOp>(op))
      longest = std::max(longest, tensorOf(rope.getX()).getShape().back());
  }
  return longest;
}

/// All lines of a row side by side, a warp each, where a row is several; else 16 bytes of bf16 a thread; a warp for
/// lines of up to 256 elements, so that no reduction needs shared memory there.
static mj::ScheduleAttr chooseRows(mj::FusionOp fusion, StringRef name, int64_t rows, int64_t line) {
  int64_t lines = mostElements(fusion.getBody().front()) / std::max<int64_t>(rows * line, 1);
  if (lines > 1 && name == kRowsSchedule) {
    int64_t threads = std::clamp<int64_t>(lines * 32, 128, 512);
    return makeSchedule(fusion.getContext(), name, {{"rows", 1}, {"threads", threads}, {"threads_per_row", threads}});
  }
  int64_t threadsPerRow = std::clamp<int64_t>(llvm::PowerOf2Ceil(llvm::divideCeil(line, 8)), 32, 512);
  int64_t threads = std::max<int64_t>(threadsPerRow, 128);
  return makeSchedule(
      fusion.getContext(), name,
      {{"rows", std::min(rows, threads / threadsPerRow)}, {"threads", threads}, {"threads_per_row", threadsPerRow}});
}

/// Neighbouring threads read neighbouring elements: of 32 results where the last axis stays, else of as few as there
/// are elements for.
static mj::ScheduleAttr chooseColumns(mj::FusionOp fusion) {
  constexpr int64_t threads = 256;
  auto reduce = firstOf<mj::ReduceOp>(fusion.getBody().front());
  RankedTensorType x = tensorOf(reduce.getX());
  int64_t columns = 32;
  if (reduce.getAxes().back() == x.getRank() - 1) {
    int64_t line = x.getNumElements() / std::max<int64_t>(tensorOf(reduce.getResult()).getNumElements(), 1);
    columns = std::clamp<int64_t>(threads / llvm::PowerOf2Ceil(line), 1, 32);
  }
  return makeSchedule(fusion.getContext(), kColumnsSchedule, {{"columns", columns}, {"threads", threads}});
}

/// Lines in registers, if the region works line by line and they suffice.
static mj::ScheduleAttr chooseLines(mj::FusionOp fusion, const CudaProfile &profile) {
  std::optional<LineRegion> region = LineRegion::find(fusion.getBody().front());
  int64_t lanes = region ? region->chooseLanes(profile) : 0;
  if (!lanes)
    return {};
  return makeSchedule(fusion.getContext(), kLinesSchedule, {{"lanes", lanes}, {"threads", lanes > 32 ? lanes : 128}});
}

static FailureOr<mj::ScheduleAttr> choosePlain(mj::FusionOp fusion, const CudaProfile &profile) {
  Block &body = fusion.getBody().front();
  bool hasRows = false, hasReduction = false, mixesRows = false, reducesRows = false;
  for (Operation &op : body.without_terminator()) {
    bool isRowwise = mj::isRowwise(&op);
    hasReduction |= isLineReduction(&op);
    hasRows |= isLineReduction(&op) || isa<mj::RopeOp, mj::KvAppendOp>(op);
    mixesRows |= !isRowwise && !isa<arith::ConstantOp>(op);
    reducesRows |= !isRowwise && isa<mj::ReduceOp>(op);
  }
  if (reducesRows)
    return chooseColumns(fusion);
  if (reducesVector(body))
    return chooseRows(fusion, kRowsSchedule, 1, mostElements(body));
  bool gathers = firstOf<mj::GatherOp>(body) != mj::GatherOp();
  if (!mixesRows && (hasRows || gathers)) {
    FailureOr<int64_t> rows = countRows(fusion);
    if (failed(rows))
      return failure();
    if (mj::ScheduleAttr lines = gathers ? mj::ScheduleAttr() : chooseLines(fusion, profile))
      return lines;
    int64_t line = hasReduction || !gathers ? longestLine(body) : mostElements(body) / std::max<int64_t>(*rows, 1);
    return chooseRows(fusion, gathers ? kGatherSchedule : kRowsSchedule, *rows, line);
  }
  return makeSchedule(fusion.getContext(), kPointwiseSchedule, {{"elements", 8}, {"threads", 256}});
}

//===----------------------------------------------------------------------===//
// The choice
//===----------------------------------------------------------------------===//

FailureOr<mj::ScheduleAttr> cuda::chooseSchedule(mj::FusionOp fusion, const CudaProfile &profile) {
  Block &body = fusion.getBody().front();
  if (firstOf<mj::SampleOp>(body))
    return makeSchedule(fusion.getContext(), kSampleSchedule,
                        {{"splits", profile.hasClusters ? 8 : 1}, {"threads", 512}});
  if (auto attention = firstOf<mj::AttentionOp>(body))
    return chooseAttention(fusion, attention, profile);
  if (auto sdpa = firstOf<mj::SdpaOp>(body))
    return TiledAttention(sdpa).chooseSchedule(fusion.getContext(), kSdpaSchedule, profile);
  if (firstOf<mj::MatmulOp>(body))
    return chooseMatmul(fusion, profile);
  if (firstOf<mj::BatchMatmulOp>(body))
    return chooseBatchMatmul(fusion, profile);
  return choosePlain(fusion, profile);
}

SmallVector<mj::ScheduleAttr> cuda::listSchedules(mj::FusionOp fusion, mj::ScheduleAttr chosen,
                                                  const CudaProfile &profile) {
  Block &body = fusion.getBody().front();
  StringRef name = chosen.getName().getValue();
  SmallVector<mj::ScheduleAttr> schedules;
  if (name == kSmallMatmulSchedule || name == kStreamedMatmulSchedule || name == kLargeMatmulSchedule ||
      name == kTensorMatmulSchedule)
    listMatmuls(fusion, chosen, profile, schedules);
  else if (name == kDecodeAttentionSchedule)
    listDecodeAttention(fusion, firstOf<mj::AttentionOp>(body), chosen, profile, schedules);
  else if (name == kSampleSchedule && profile.hasClusters)
    for (int64_t splits : {1, 2, 4, 8})
      schedules.push_back(makeSchedule(fusion.getContext(), kSampleSchedule, {{"splits", splits}, {"threads", 512}}));
  SmallVector<mj::ScheduleAttr> others;
  for (mj::ScheduleAttr schedule : schedules)
    if (schedule != chosen && !llvm::is_contained(others, schedule))
      others.push_back(schedule);
  return others;
}

SmallVector<int64_t> cuda::earlyOperands(mj::ScheduleAttr schedule, Block &body) {
  StringRef name = schedule.getName().getValue();
  bool hasScales = name == kSmallMatmulSchedule || name == kStreamedMatmulSchedule;
  bool isMatmul = hasScales || name == kTensorMatmulSchedule;
  bool isAttention = name == kDecodeAttentionSchedule && firstOf<mj::KvAppendOp>(body),
       isSample = name == kSampleSchedule;
  if (!isSample && ((!isMatmul && !isAttention) || getParameter(schedule, "stages") == 0))
    return {};
  llvm::SmallPtrSet<Value, 8> tensors;
  for (Operation &op : body) {
    if (auto matmul = dyn_cast<mj::MatmulOp>(op); matmul && isMatmul) {
      tensors.insert(matmul.getWeight());
      if (hasScales && matmul.getWeightScale())
        tensors.insert(matmul.getWeightScale());
    }
    if (auto norm = dyn_cast<mj::NormOp>(op); norm && isAttention && norm.getWeight())
      tensors.insert(norm.getWeight());
    if (auto attention = dyn_cast<mj::AttentionOp>(op); attention && isAttention && attention.getScales())
      tensors.insert(attention.getScales());
    if (auto rope = dyn_cast<mj::RopeOp>(op); rope && isAttention && rope.getPositions())
      tensors.insert({rope.getPositions(), rope.getTable()});
  }
  SmallVector<int64_t> early;
  for (auto [index, operand] : llvm::enumerate(exec::getKernelOperands(body))) {
    using Field = mj::BatchField;
    bool isPlace =
        operand.kind == exec::KernelOperand::batch &&
        llvm::is_contained({Field::sequence_offsets, Field::context_lengths, Field::block_tables}, operand.batchField);
    bool isTensor = operand.kind == exec::KernelOperand::tensor && tensors.contains(body.getArgument(operand.index));
    // How to draw, and for which position: what the caller gave.
    bool isGiven = isSample && operand.kind != exec::KernelOperand::tensor;
    if (isTensor || isGiven || (isAttention && (isPlace || operand.kind == exec::KernelOperand::pool)))
      early.push_back(index);
  }
  return early;
}

int64_t cuda::countBlocks(mj::ScheduleAttr schedule, Block &body) {
  StringRef name = schedule.getName().getValue();
  if (name == kCublasLt)
    return 1;
  if (name == kSampleSchedule)
    return tensorOf(firstOf<mj::SampleOp>(body).getLogits()).getDimSize(0) * getParameter(schedule, "splits");
  if (name == kDecodeAttentionSchedule) {
    DecodeAttentionShape shape(schedule, firstOf<mj::AttentionOp>(body));
    return shape.clusters * shape.splits;
  }
  if (name == kPrefillAttentionSchedule) {
    // Each sequence and the padding may begin a tile of their own.
    TiledAttention attention(firstOf<mj::AttentionOp>(body));
    int64_t sequences = firstOf<mj::AttentionOp>(body).getBatch().getType().getSequences();
    return attention.countTiles(schedule, sequences + 1) * attention.kvHeads;
  }
  if (name == kSdpaSchedule) {
    TiledAttention attention(firstOf<mj::SdpaOp>(body));
    return attention.countTiles(schedule, 1) * attention.kvHeads;
  }
  if (name == kSmallMatmulSchedule || name == kStreamedMatmulSchedule || name == kLargeMatmulSchedule ||
      name == kTensorMatmulSchedule || name == kBatchMatmulSchedule)
    return countMatmulBlocks(schedule, body);
  if (name == kColumnsSchedule)
    return llvm::divideCeil(mostElements(body), getParameter(schedule, "columns"));
  if (name == kPointwiseSchedule)
    return llvm::divideCeil(mostElements(body),
                            uint64_t(getParameter(schedule, "threads") * getParameter(schedule, "elements")));
  if (name == kLinesSchedule) {
    int64_t blocks = 0;
    if (std::optional<LineRegion> region = LineRegion::find(body))
      for (const LineSet &set : region->sets)
        blocks += LineRegion::countBlocks(set, getParameter(schedule, "threads"), getParameter(schedule, "lanes"));
    return blocks;
  }
  int64_t rows = 1;
  if (reducesVector(body))
    return 1;
  for (RankedTensorType type : walked(body))
    rows = std::max(rows, type.getRank() ? type.getDimSize(0) : 1);
  return llvm::divideCeil(rows, getParameter(schedule, "rows"));
}
