// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Counts what kernels move and compute, and predicts their time.
#include "mjolnir/Target/Cost.h"
#include "mjolnir/Dialect/Mj/Tensors.h"

#include "mjolnir/Dialect/Exec/KernelSignature.h"
#include "mjolnir/Target/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mjolnir;
using mj::tensorOf;

llvm::StringRef mjolnir::stringifyArithmetic(Arithmetic arithmetic) {
  static constexpr llvm::StringLiteral names[] = {"f32", "bf16", "f8"};
  return names[static_cast<int>(arithmetic)];
}

llvm::StringRef mjolnir::stringifyBound(Bound bound) {
  static constexpr llvm::StringLiteral names[] = {"launch", "memory", "compute", "latency"};
  return names[static_cast<int>(bound)];
}

KernelCost &KernelCost::operator+=(const KernelCost &other) {
  bytesRead += other.bytesRead;
  bytesWritten += other.bytesWritten;
  weightBytes += other.weightBytes;
  kvBytes += other.kvBytes;
  unknownOps += other.unknownOps;
  for (int i = 0; i < kArithmetics; ++i)
    flops[i] += other.flops[i];
  return *this;
}

Arithmetic mjolnir::getArithmetic(Type a, Type b) {
  unsigned bits =
      std::max(getElementTypeOrSelf(a).getIntOrFloatBitWidth(), getElementTypeOrSelf(b).getIntOrFloatBitWidth());
  return bits > 16 ? Arithmetic::f32 : bits > 8 ? Arithmetic::bf16 : Arithmetic::f8;
}

static double elementsOf(Value value) { return double(tensorOf(value).getNumElements()); }

/// Bytes of one token of one layer: keys and values of all heads.
static int64_t tokenBytes(mj::KvType kv) {
  return 2 * kv.getHeads() * kv.getHeadDim() * kv.getElementType().getIntOrFloatBitWidth() / 8;
}

namespace {

class CostCounter {
public:
  CostCounter(ArrayRef<Operation *> ops, llvm::function_ref<bool(Value)> isWeight, const CostOptions &options)
      : ops(ops), isWeight(isWeight), options(options), members(ops.begin(), ops.end()) {}

  KernelCost count() {
    for (Operation *op : ops) {
      countWork(op);
      for (OpOperand &operand : op->getOpOperands())
        countRead(operand);
      for (Value result : op->getResults())
        if (isa<RankedTensorType>(result.getType()) && isUsedElsewhere(result))
          cost.bytesWritten += denseBytes(tensorOf(result));
    }
    // However often rows are read, no more than the whole tensor comes from memory.
    for (auto [value, bytes] : reads) {
      int64_t read = std::min(bytes, denseBytes(tensorOf(value)));
      cost.bytesRead += read;
      if (isWeight(value))
        cost.weightBytes += read;
    }
    for (auto [batch, fields] : batchFields)
      for (mj::BatchField field : fields)
        cost.bytesRead += denseBytes(mj::getFieldType(cast<mj::BatchType>(batch.getType()), field));
    return cost;
  }

private:
  bool isUsedElsewhere(Value result) const {
    return llvm::any_of(result.getUsers(), [&](Operation *user) { return !members.contains(user); });
  }

  void countRead(OpOperand &operand) {
    Value value = operand.get();
    Operation *producer = value.getDefiningOp();
    if (producer && (members.contains(producer) || isa<arith::ConstantOp>(producer)))
      return;
    if (isa<mj::BatchType>(value.getType())) {
      SetVector<mj::BatchField> &fields = batchFields[value];
      auto used = exec::getBatchFields(operand.getOwner());
      fields.insert(used.begin(), used.end());
    } else if (auto sampling = dyn_cast<mj::SamplingType>(value.getType())) {
      for (int i = 0; i < exec::kSamplingFields; ++i)
        cost.bytesRead += denseBytes(exec::getSamplingFieldType(sampling, static_cast<exec::SamplingField>(i)));
    } else if (auto type = dyn_cast<RankedTensorType>(value.getType())) {
      reads[value] += bytesOf(operand, type);
    }
  }

  /// How much of an operand its operation reads.
  static int64_t bytesOf(OpOperand &operand, RankedTensorType type) {
    Operation *op = operand.getOwner();
    int64_t rows = type.getRank() ? std::max<int64_t>(type.getDimSize(0), 1) : 1;
    if (auto gather = dyn_cast<mj::GatherOp>(op); gather && operand.get() == gather.getTable())
      return denseBytes(type) / rows * tensorOf(gather.getIndices()).getNumElements();
    if (auto rope = dyn_cast<mj::RopeOp>(op); rope && operand.get() == rope.getTable())
      return denseBytes(type) / rows * tensorOf(rope.getX()).getDimSize(0);
    // A slice moves elements of its source's type; a broadcast looks at the type of `like` only.
    if (auto slice = dyn_cast<mj::SliceOp>(op))
      return denseBytes(tensorOf(slice.getResult()));
    if (isa<mj::BroadcastOp>(op) && operand.getOperandNumber() == 1)
      return 0;
    return denseBytes(type);
  }

  void add(Arithmetic arithmetic, double flops) { cost.flops[static_cast<int>(arithmetic)] += flops; }
  void addF32(double flops) { add(Arithmetic::f32, flops); }

  void countWork(Operation *op) {
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](mj::MatmulOp matmul) {
          RankedTensorType x = tensorOf(matmul.getX());
          double outputs = elementsOf(matmul.getResult());
          add(getArithmetic(x, matmul.getWeight().getType()), 2 * outputs * x.getShape().back());
          if (matmul.getWeightScale() || matmul.getXScale())
            addF32(outputs);
        })
        .Case([&](mj::BatchMatmulOp matmul) {
          RankedTensorType a = tensorOf(matmul.getA());
          add(getArithmetic(a, matmul.getB().getType()), 2 * elementsOf(matmul.getResult()) * a.getShape().back());
        })
        .Case([&](mj::AttentionOp attention) { countAttention(attention); })
        .Case([&](mj::SdpaOp sdpa) { countSdpa(sdpa); })
        .Case([&](mj::KvAppendOp append) {
          auto kv = cast<mj::KvType>(append.getKv().getType());
          int64_t bytes = tensorOf(append.getKey()).getDimSize(0) * tokenBytes(kv);
          cost.bytesWritten += bytes;
          cost.kvBytes += bytes;
          if (append.getScales())
            addF32(elementsOf(append.getKey()) + elementsOf(append.getValue()));
        })
        // Squares and their sum, the factor; with layer also the sum and the difference. What is done once a row is not
        // counted.
        .Case([&](mj::NormOp norm) {
          int perElement =
              (norm.getKind() == mj::NormKind::rms ? 3 : 5) + bool(norm.getWeight()) + bool(norm.getBias());
          addF32(perElement * elementsOf(norm.getX()));
        })
        // Four products and two sums a pair.
        .Case([&](mj::RopeOp rope) { addF32(3 * elementsOf(rope.getX())); })
        // Maximum, difference, exponential, sum, quotient.
        .Case([&](mj::SoftmaxOp softmax) { addF32(5 * elementsOf(softmax.getX())); })
        // Temperature and softmax; what selection compares depends on the values.
        .Case([&](mj::SampleOp sample) { addF32(6 * elementsOf(sample.getLogits())); })
        .Case([&](mj::ReduceOp reduce) { addF32(elementsOf(reduce.getX())); })
        .Case([&](mj::QuantizeOp quantize) { addF32(elementsOf(quantize.getX())); })
        .Case([&](mj::DequantizeOp dequantize) { addF32(elementsOf(dequantize.getX())); })
        .Case([&](mj::ChannelScaleOp scale) { addF32(elementsOf(scale.getWeight())); })
        .Case([&](mj::QuantizeChannelsOp quantize) { addF32(elementsOf(quantize.getWeight())); })
        .Case<mj::GatherOp, mj::ReshapeOp, mj::BroadcastOp, mj::TransposeOp, mj::SliceOp, mj::ConcatOp, mj::PackOp,
              mj::BatchFieldOp, mj::GetWeightOp, mj::RopeTableOp, arith::ConstantOp, arith::SelectOp>([](auto) {})
        .Default([&](Operation *other) { countPointwise(other); });
  }

  void countPointwise(Operation *op) {
    bool known = op->getNumResults() == 1 && isa<RankedTensorType>(op->getResult(0).getType()) &&
                 op->hasTrait<OpTrait::Elementwise>();
    if (!known) {
      ++cost.unknownOps;
      return;
    }
    if (!isa<CastOpInterface>(op))
      addF32((isa<math::FmaOp>(op) ? 2 : 1) * elementsOf(op->getResult(0)));
  }

  /// Scale and softmax of each pair of a query and a key, and the two products of every head.
  void addPairs(double pairs, int64_t keyDim, int64_t valueDim, Type query, Type key, Type value) {
    add(getArithmetic(query, key), 2 * pairs * keyDim);
    add(getArithmetic(query, value), 2 * pairs * valueDim);
    addF32(6 * pairs);
  }

  /// The rows of a step, evenly over its sequences, are the last of their contexts; each sees what is before it.
  void countAttention(mj::AttentionOp op) {
    RankedTensorType query = tensorOf(op.getQuery());
    auto kv = cast<mj::KvType>(op.getKv().getType());
    int64_t rows = query.getDimSize(0);
    int64_t sequences = cast<mj::BatchType>(op.getBatch().getType()).getSequences();
    if (options.sequences)
      sequences = std::min(sequences, options.sequences);
    sequences = std::max<int64_t>(std::min(sequences, rows), 1);
    double pairs = 0;
    int64_t tokens = 0;
    for (int64_t i = 0; i < sequences; ++i) {
      int64_t own = rows / sequences + (i < rows % sequences);
      int64_t context = std::max(options.contextTokens, own);
      int64_t window = std::min<int64_t>(op.getWindow().value_or(context), context);
      for (int64_t position = context - own; position < context; ++position)
        pairs += double(std::min(position + 1, window));
      tokens += std::min(context, window + own - 1);
    }
    addPairs(pairs * query.getDimSize(1), kv.getHeadDim(), kv.getHeadDim(), query, kv.getElementType(),
             kv.getElementType());
    if (op.getScales())
      addF32(2 * pairs * query.getDimSize(1));
    cost.bytesRead += tokens * tokenBytes(kv);
    cost.kvBytes += tokens * tokenBytes(kv);
  }

  void countSdpa(mj::SdpaOp op) {
    RankedTensorType query = tensorOf(op.getQuery());
    int64_t rows = query.getDimSize(0), heads = query.getDimSize(1), keys = 0;
    for (Value segment : op.getKeys())
      keys += tensorOf(segment).getDimSize(0);
    if (op.getKeys().empty())
      return;
    double pairs = 0;
    int64_t window = op.getWindow().value_or(keys);
    for (int64_t row = 0; row < rows; ++row)
      pairs += double(op.getCausal() ? std::clamp<int64_t>(keys - rows + row + 1, 0, std::min(keys, window)) : keys);
    Value key = op.getKeys().front(), value = op.getValues().front();
    addPairs(pairs * heads, query.getDimSize(2), tensorOf(value).getDimSize(2), query, key.getType(), value.getType());
    if (op.getMask() && !getElementTypeOrSelf(op.getMask().getType()).isInteger(1))
      addF32(pairs * heads);
  }

  ArrayRef<Operation *> ops;
  llvm::function_ref<bool(Value)> isWeight;
  const CostOptions &options;
  llvm::SmallPtrSet<Operation *, 16> members;
  llvm::MapVector<Value, int64_t> reads;
  llvm::MapVector<Value, SetVector<mj::BatchField>> batchFields;
  KernelCost cost;
};

} // namespace

KernelCost mjolnir::computeCost(ArrayRef<Operation *> ops, llvm::function_ref<bool(Value)> isWeight,
                                const CostOptions &options) {
  return CostCounter(ops, isWeight, options).count();
}

KernelCost mjolnir::computeCost(Block &body, llvm::function_ref<bool(Value)> isWeight, const CostOptions &options) {
  SmallVector<Operation *> ops;
  for (Operation &op : body.without_terminator())
    ops.push_back(&op);
  KernelCost cost = computeCost(ops, isWeight, options);
  // An argument that passes through is copied.
  for (Value result : body.getTerminator()->getOperands())
    if (isa<BlockArgument>(result) && isa<RankedTensorType>(result.getType())) {
      if (llvm::all_equal(result.getUsers()))
        cost.bytesRead += denseBytes(tensorOf(result));
      cost.bytesWritten += denseBytes(tensorOf(result));
    }
  return cost;
}

bool mjolnir::isWeightValue(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (isa<mj::GetWeightOp, mj::RopeTableOp>(op))
    return true;
  return op->getNumOperands() && !isa<mj::FusionOp>(op) && llvm::all_of(op->getOperands(), isWeightValue);
}

KernelCost mjolnir::computeCost(mj::FusionOp fusion, const CostOptions &options) {
  auto isWeight = [&](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && isWeightValue(fusion.getInputs()[argument.getArgNumber()]);
  };
  return computeCost(fusion.getBody().front(), isWeight, options);
}

KernelCost mjolnir::computeCost(exec::LaunchOp launch, exec::KernelOp kernel, const CostOptions &options) {
  Block &body = kernel.getBody().front();
  llvm::SmallPtrSet<Value, 8> weights;
  for (auto [operand, buffer] : llvm::zip(exec::getKernelOperands(body), launch.getOperands()))
    if (operand.kind == exec::KernelOperand::tensor && buffer.getDefiningOp<exec::WeightBufferOp>())
      weights.insert(body.getArgument(operand.index));
  return computeCost(body, [&](Value value) { return weights.contains(value); }, options);
}

KernelCost mjolnir::computeCost(exec::CopyOp copy) {
  KernelCost cost;
  cost.bytesRead = cost.bytesWritten = copy.getBytes();
  return cost;
}

void Prediction::findBound() {
  double work = std::max(memorySeconds, computeSeconds);
  if (launchSeconds + latencySeconds < work)
    bound = memorySeconds >= computeSeconds ? Bound::memory : Bound::compute;
  else
    bound = latencySeconds > launchSeconds ? Bound::latency : Bound::launch;
}

Prediction mjolnir::predict(const KernelCost &cost, const Profile &profile) {
  Prediction result;
  result.launchSeconds = profile.launchSeconds;
  int64_t copied = std::min(cost.bytesRead, cost.bytesWritten);
  int64_t rest = std::max(cost.bytesRead, cost.bytesWritten) - copied;
  double restBandwidth =
      cost.bytesRead > cost.bytesWritten && profile.readBandwidth > 0 ? profile.readBandwidth : profile.copyBandwidth;
  if (profile.copyBandwidth > 0)
    result.memorySeconds = 2.0 * copied / profile.copyBandwidth + rest / restBandwidth;

  double bf16 = profile.flopsBf16 > 0 ? profile.flopsBf16 : profile.flopsF32;
  double f8 = profile.multipliesF8 && profile.flopsF8 > 0 ? profile.flopsF8 : bf16;
  for (auto [flops, rate] : llvm::zip(cost.flops, std::array<double, kArithmetics>{profile.flopsF32, bf16, f8}))
    if (rate > 0)
      result.computeSeconds += flops / rate;

  result.findBound();
  return result;
}

Prediction mjolnir::predict(Operation *step, exec::KernelOp kernel, const Target &target, const CostOptions &options) {
  if (auto copy = dyn_cast<exec::CopyOp>(step))
    return predict(computeCost(copy), target.getProfile());
  KernelCost cost = computeCost(cast<exec::LaunchOp>(step), kernel, options);
  return target.predictLaunch(kernel.getSchedule(), kernel.getBody().front(), cost, options);
}

double mjolnir::predictSeconds(const KernelCost &cost, const Profile &profile) {
  return predict(cost, profile).seconds();
}
