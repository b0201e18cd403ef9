// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the emitters of region kernels share, and those of them that only arrange operands.
#include "targets/host/RegionKernels.h"

#include "targets/host/AttentionKernel.h"
#include "targets/host/MatmulKernel.h"
#include "targets/host/SampleKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::host;

/// Memory of a pool is as large as the load decides; the static bound never enters an address.
static constexpr int64_t kPoolBound = int64_t(1) << 46;

static Element elementOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isBF16()                 ? Element::BF16
         : element.isF16()                ? Element::F16
         : isa<Float8E4M3FNType>(element) ? Element::F8
                                          : Element::F32;
}

MemRefType KernelContext::memrefType(const exec::KernelOperand &operand) {
  if (operand.kind == exec::KernelOperand::pool)
    return MemRefType::get({kPoolBound}, pool.getElementType());
  if (auto encoding = dyn_cast_or_null<mj::EncodingAttr>(operand.type.getEncoding()))
    if (auto packed = MatmulEncoding::parse(encoding.getName().getValue()))
      return MemRefType::get(packed->packedShape(operand.type.getDimSize(0), operand.type.getDimSize(1)),
                             operand.type.getElementType());
  return MemRefType::get(operand.type.getShape(), storageElement(operand.type.getElementType()));
}

func::FuncOp KernelContext::createFunction() {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  SmallVector<Type> types;
  for (const exec::KernelOperand &operand : operands)
    types.push_back(memrefType(operand));
  types.push_back(builder.getIndexType());
  auto function =
      func::FuncOp::create(builder, kernel.getLoc(), kernel.getSymName(), builder.getFunctionType(types, {}));
  function.addEntryBlock();
  return function;
}

unsigned KernelContext::find(exec::KernelOperand::Kind kind, mj::BatchField field) {
  auto found = llvm::find_if(operands, [&](const exec::KernelOperand &operand) {
    return operand.kind == kind && (kind != exec::KernelOperand::batch || operand.batchField == field);
  });
  assert(found != operands.end() && "the region has no such operand");
  return found - operands.begin();
}

unsigned KernelContext::find(Value argument) {
  auto found = llvm::find_if(operands, [&](const exec::KernelOperand &operand) {
    return operand.kind == exec::KernelOperand::tensor && operand.index == cast<BlockArgument>(argument).getArgNumber();
  });
  assert(found != operands.end() && "no tensor argument of the region");
  return found - operands.begin();
}

int64_t KernelContext::pageStride() {
  return pool.getBytesPerPage() * 8 / pool.getElementType().getIntOrFloatBitWidth();
}

Value host::clonePointwise(OpBuilder &builder, Operation *op, ValueRange operands, Type shape) {
  KernelBuilder k(builder, op->getLoc());
  // Rounding to f8E4M3FN is not like the others: programs ask for it.
  if (auto quantize = dyn_cast<mj::QuantizeOp>(op))
    return k.saturateToF8(k.mul(operands[0], k.constant(shape, double(quantize.getMultiplier().convertToFloat()))));
  if (auto dequantize = dyn_cast<mj::DequantizeOp>(op))
    return k.mul(operands[0], k.constant(shape, double(dequantize.getScale().convertToFloat())));
  if (auto narrowed = dyn_cast<arith::TruncFOp>(op); narrowed && elementOf(narrowed.getType()) == Element::F8)
    return k.toF32(k.fromF32(getElementTypeOrSelf(narrowed.getType()), operands[0]));
  if (isa<arith::ExtFOp, arith::TruncFOp, mj::BroadcastOp>(op))
    return operands.front();
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(operands);
  // A comparison or a boolean keeps its kind, floats are f32.
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  Type type = isa<FloatType>(element) ? shape : element;
  if (auto vector = dyn_cast<VectorType>(shape); vector && !isa<FloatType>(element))
    type = VectorType::get(vector.getShape(), element);
  state.addTypes(type);
  state.addAttributes(op->getAttrs());
  return builder.create(state)->getResult(0);
}

Value host::widen(OpBuilder &builder, Location loc, Value value) {
  Type element = getElementTypeOrSelf(value.getType());
  if (element.isF32() || !isa<FloatType>(element))
    return value;
  Type wide = builder.getF32Type();
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    wide = VectorType::get(vector.getShape(), wide);
  return arith::ExtFOp::create(builder, loc, wide, value);
}

Value host::narrow(OpBuilder &builder, Location loc, Value value, Type element) {
  return isa<FloatType>(element) ? KernelBuilder(builder, loc).fromF32(element, value) : value;
}

Type host::storageElement(Type element) {
  return element.isInteger(1) ? IntegerType::get(element.getContext(), 8) : element;
}

Value host::fromStorage(OpBuilder &builder, Location loc, Value value, Type element) {
  if (!element.isInteger(1) || getElementTypeOrSelf(value.getType()) == element)
    return widen(builder, loc, value);
  Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(value.getType()));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value, zero);
}

Value host::toStorage(OpBuilder &builder, Location loc, Value value, Type element, Type stored) {
  if (!element.isInteger(1) || stored == element)
    return narrow(builder, loc, value, stored);
  Type type = stored;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = VectorType::get(vector.getShape(), stored);
  return arith::ExtUIOp::create(builder, loc, type, value);
}

Value host::multiplyAdd(KernelBuilder &k, Value a, Value b, Value sum) {
  // Contracted by the code generator, always: the product has no other use.
  Value product = arith::MulFOp::create(k.builder(), k.loc(), a, b, arith::FastMathFlags::contract);
  return arith::AddFOp::create(k.builder(), k.loc(), sum, product, arith::FastMathFlags::contract);
}

Value host::sumInOrder(KernelBuilder &k, int64_t size, function_ref<Value(Value, Value, int64_t)> accumulate) {
  const int64_t lanes = size >= 64 ? 32 : 16, whole = size / lanes * lanes;
  Value sum = k.constant(k.f32(), 0.0);
  if (whole > 0) {
    Value sums = k.constant(k.vec(k.f32(), lanes), 0.0);
    sums = k.loop(k.index(0), k.index(whole), lanes, sums, [&](Value first, ValueRange carried) {
              return KernelBuilder::Values{accumulate(carried.front(), first, lanes)};
            }).front();
    for (int64_t half = lanes / 2; half > 0; half /= 2)
      sums = k.add(k.slice(sums, 0, half), k.slice(sums, half, half));
    sum = k.extract(sums, 0);
  }
  if (whole == size)
    return sum;
  return k
      .loop(
          k.index(whole), k.index(size), 1, sum,
          [&](Value index, ValueRange carried) { return KernelBuilder::Values{accumulate(carried.front(), index, 1)}; })
      .front();
}

/// Calls `inner` (made private) with the arguments of the kernel's function that `order` names, and the tile.
static void emitCall(KernelContext &context, func::FuncOp inner, ArrayRef<unsigned> order) {
  inner.setPrivate();
  func::FuncOp function = context.createFunction();
  OpBuilder builder = OpBuilder::atBlockEnd(&function.getBody().front());
  SmallVector<Value> arguments;
  for (unsigned index : order)
    arguments.push_back(function.getArgument(index));
  arguments.push_back(function.getArguments().back());
  func::CallOp::create(builder, function.getLoc(), inner, arguments);
  func::ReturnOp::create(builder, function.getLoc());
}

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

namespace {
/// A region of matmuls of one input, their scales, and pointwise operations on their results.
struct MatmulRegion {
  SmallVector<mj::MatmulOp> matmuls;
  SmallVector<Operation *> pointwise;
  SmallVector<unsigned> extras; ///< operands that scaling and the pointwise operations read

  bool hasEpilogue() {
    return !pointwise.empty() ||
           llvm::any_of(matmuls, [](mj::MatmulOp matmul) { return matmul.getWeightScale() || matmul.getXScale(); });
  }
};
} // namespace

static MatmulRegion analyze(KernelContext &context) {
  MatmulRegion region;
  llvm::SmallSetVector<unsigned, 4> extras;
  for (Operation &op : context.body().without_terminator()) {
    if (auto matmul = dyn_cast<mj::MatmulOp>(op)) {
      region.matmuls.push_back(matmul);
      if (Value scale = matmul.getWeightScale())
        extras.insert(cast<BlockArgument>(scale).getArgNumber());
      continue;
    }
    region.pointwise.push_back(&op);
    auto broadcast = dyn_cast<mj::BroadcastOp>(op);
    for (Value operand : op.getOperands())
      if (auto argument = dyn_cast<BlockArgument>(operand); argument && !(broadcast && operand == broadcast.getLike()))
        extras.insert(argument.getArgNumber());
  }
  region.extras = extras.takeVector();
  return region;
}

/// Builds the scaling and the pointwise operations of a region on 16 columns.
static Value buildEpilogue(MatmulRegion &region, const MatmulEpilogue &epilogue, exec::KernelOp kernel) {
  OpBuilder &builder = epilogue.builder;
  auto shape = VectorType::get({16}, builder.getF32Type());
  KernelBuilder k(builder, epilogue.loc);
  IRMapping mapping;
  auto operandOf = [&](Value value) -> Value {
    if (Value mapped = mapping.lookupOrNull(value))
      return mapped;
    auto argument = cast<BlockArgument>(value);
    const unsigned *found = llvm::find(region.extras, argument.getArgNumber());
    Value loaded = epilogue.load(epilogue.extras[found - region.extras.begin()]);
    return fromStorage(builder, epilogue.loc, loaded, getElementTypeOrSelf(argument.getType()));
  };
  for (auto [matmul, accumulator] : llvm::zip(region.matmuls, epilogue.accumulators)) {
    Value scaled = accumulator;
    if (Value scale = matmul.getWeightScale())
      scaled = k.mul(scaled, operandOf(scale));
    if (auto scale = matmul.getXScale())
      scaled = k.mul(scaled, k.constant(shape, double(scale->convertToFloat())));
    mapping.map(matmul.getResult(), scaled);
  }
  for (Operation *op : region.pointwise) {
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto splat = cast<SplatElementsAttr>(constant.getValue());
      if (Type element = splat.getElementType(); !isa<FloatType>(element)) {
        auto repeated = SplatElementsAttr::get(VectorType::get({16}, element), splat.getSplatValue<Attribute>());
        mapping.map(constant.getResult(), arith::ConstantOp::create(builder, epilogue.loc, repeated));
        continue;
      }
      APFloat value = splat.getSplatValue<APFloat>();
      bool lossy;
      value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &lossy);
      mapping.map(constant.getResult(),
                  arith::ConstantOp::create(builder, epilogue.loc, SplatElementsAttr::get(shape, value)));
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : isa<mj::BroadcastOp>(op) ? op->getOperands().take_front() : op->getOperands())
      operands.push_back(operandOf(operand));
    mapping.map(op->getResult(0), clonePointwise(builder, op, operands, shape));
  }
  return mapping.lookup(kernel.getBody().front().getTerminator()->getOperand(0));
}

MatmulConfig host::getMatmulConfig(mj::ScheduleAttr schedule, Block &body) {
  auto matmuls = llvm::to_vector(body.getOps<mj::MatmulOp>());
  auto x = cast<RankedTensorType>(matmuls.front().getX().getType());
  auto weight = cast<RankedTensorType>(matmuls.front().getWeight().getType());
  MatmulConfig config;
  config.m = x.getDimSize(0);
  config.k = x.getDimSize(1);
  config.n = weight.getDimSize(0);
  config.x = elementOf(x);
  config.weight = elementOf(weight);
  config.y = elementOf(body.getTerminator()->getOperand(0).getType());
  config.weights = matmuls.size();
  if (DictionaryAttr parameters = schedule.getParameters()) {
    if (auto panels = parameters.getAs<IntegerAttr>("panels"))
      config.panels = panels.getInt() != 0;
    if (auto tileBlocks = parameters.getAs<IntegerAttr>("tile_blocks"))
      config.tileBlocks = tileBlocks.getInt();
  }
  return config;
}

LogicalResult host::emitRegionMatmul(KernelContext &context) {
  MatmulRegion region = analyze(context);
  Operation *terminator = context.body().getTerminator();
  if (terminator->getNumOperands() != 1)
    return context.kernel.emitOpError("has ")
           << terminator->getNumOperands() << " results; schedule " << kMatmulSchedule << " makes one";
  mj::MatmulOp first = region.matmuls.front();
  MatmulConfig config = getMatmulConfig(context.kernel.getSchedule(), context.body());

  SmallVector<unsigned> order;
  order.push_back(cast<BlockArgument>(first.getX()).getArgNumber());
  for (mj::MatmulOp matmul : region.matmuls)
    order.push_back(cast<BlockArgument>(matmul.getWeight()).getArgNumber());
  for (unsigned extra : region.extras) {
    order.push_back(extra);
    config.extras.push_back(context.memrefType(context.operands[extra]));
  }
  order.push_back(context.operands.size() - 1);
  if (region.hasEpilogue())
    config.epilogue = [&](const MatmulEpilogue &epilogue) { return buildEpilogue(region, epilogue, context.kernel); };

  OpBuilder builder = OpBuilder::atBlockEnd(context.module.getBody());
  FailureOr<func::FuncOp> inner =
      emitMatmul(builder, context.module, (context.kernel.getSymName() + ".matmul").str(), config, context.target);
  if (failed(inner))
    return failure();
  emitCall(context, *inner, order);
  return success();
}

//===----------------------------------------------------------------------===//
// Attention, sampling
//===----------------------------------------------------------------------===//

AttentionConfig host::getAttentionConfig(Block &body) {
  auto attention = *body.getOps<mj::AttentionOp>().begin();
  mj::BatchType batch = attention.getBatch().getType();
  mj::KvType kv = attention.getKv().getType();
  AttentionConfig config;
  config.rows = batch.getTokens();
  config.sequences = batch.getSequences();
  config.pages = batch.getPages();
  config.queryHeads = cast<RankedTensorType>(attention.getQuery().getType()).getDimSize(1);
  config.kvHeads = kv.getHeads();
  config.headDim = kv.getHeadDim();
  config.window = attention.getWindow().value_or(0);
  config.scale = attention.getScale().convertToFloat();
  config.element = elementOf(attention.getQuery().getType());
  config.cache = elementOf(kv.getElementType());
  config.scaled = static_cast<bool>(attention.getScales());
  return config;
}

LogicalResult host::emitRegionAttention(KernelContext &context) {
  AttentionConfig config = getAttentionConfig(context.body());
  config.pageSize = context.pool.getPageSize();
  config.pageStride = context.pageStride();
  OpBuilder builder = OpBuilder::atBlockEnd(context.module.getBody());
  FailureOr<func::FuncOp> inner = emitAttention(
      builder, context.module, (context.kernel.getSymName() + ".attention").str(), config, context.target);
  if (failed(inner))
    return failure();
  auto attention = *context.body().getOps<mj::AttentionOp>().begin();
  using Operand = exec::KernelOperand;
  SmallVector<unsigned> order{context.find(attention.getQuery()), context.find(Operand::pool)};
  for (mj::BatchField field : exec::getBatchFields(attention))
    order.push_back(context.find(Operand::batch, field));
  if (Value scales = attention.getScales())
    order.push_back(context.find(scales));
  order.push_back(context.find(Operand::result));
  emitCall(context, *inner, order);
  return success();
}

LogicalResult host::emitRegionSample(KernelContext &context) {
  auto sample = *context.body().getOps<mj::SampleOp>().begin();
  auto logits = cast<RankedTensorType>(sample.getLogits().getType());
  SampleConfig config{logits.getDimSize(0), logits.getDimSize(1)};
  OpBuilder builder = OpBuilder::atBlockEnd(context.module.getBody());
  FailureOr<func::FuncOp> inner =
      emitSample(builder, context.module, (context.kernel.getSymName() + ".sample").str(), config, context.target);
  if (failed(inner))
    return failure();
  SmallVector<unsigned> order = llvm::to_vector(llvm::seq<unsigned>(0, context.operands.size()));
  emitCall(context, *inner, order);
  return success();
}
