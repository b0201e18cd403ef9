// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Verifiers, folders and syntax of the mj operations.
#include "lib/Dialect/Mj/Shapes.h"
#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/IR/OpImplementation.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir::mj;

/// The operand types of mj.rope: of x, of the positions if there are any, of the table.
static ParseResult parseRopeTypes(OpAsmParser &parser, Type &x, Type &positions, Type &table) {
  SmallVector<Type, 3> types;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseTypeList(types))
    return failure();
  if (types.size() != 2 && types.size() != 3)
    return parser.emitError(loc, "expected the types of x, of positions if there are any, and of the table");
  x = types.front(), table = types.back();
  if (types.size() == 3)
    positions = types[1];
  return success();
}
static void printRopeTypes(OpAsmPrinter &printer, Operation *, Type x, Type positions, Type table) {
  printer << x << ", ";
  if (positions)
    printer << positions << ", ";
  printer << table;
}

#define GET_OP_CLASSES
#include "mjolnir/Dialect/Mj/MjOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape() || type.getNumElements() == 0)
    return emitOpError("needs a static shape without zero sizes, not ") << type;
  if (type.getEncoding())
    return emitOpError("names a tensor of the checkpoint, which is row-major: it can have no encoding");
  return success();
}

LogicalResult PrepareOp::verify() {
  auto yield = cast<YieldOp>(getBody().front().getTerminator());
  if (yield.getNumOperands() != 1 || yield.getOperand(0).getType() != getType())
    return emitOpError("must yield one tensor of its type ") << getType();
  return success();
}

LogicalResult GetWeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *symbol = symbols.lookupNearestSymbolFrom(*this, getWeightAttr());
  Type type;
  if (auto weight = dyn_cast_or_null<WeightOp>(symbol))
    type = weight.getType();
  else if (auto prepare = dyn_cast_or_null<PrepareOp>(symbol))
    type = prepare.getType();
  else
    return emitOpError("refers to @") << getWeight() << ", which is no mj.weight or mj.prepare";
  if (type != getType())
    return emitOpError("has type ") << getType() << " but @" << getWeight() << " is " << type;
  return success();
}

LogicalResult PackOp::verify() {
  auto source = tensorOf(getSource()), result = tensorOf(getResult());
  if (source.getShape() != result.getShape() || source.getElementType() != result.getElementType())
    return emitOpError("may change the encoding only: ") << source << " to " << result;
  return success();
}

OpFoldResult PackOp::fold(FoldAdaptor) { return getSource().getType() == getType() ? getSource() : Value(); }

LogicalResult RopeTableOp::verify() {
  auto type = getType();
  if (!type.hasStaticShape() || type.getDimSize(2) != 2)
    return emitOpError("makes a tensor<positions x pairs x 2 x f32>, not ") << type;
  if (!getTheta().isFinite() || getTheta().convertToDouble() <= 1.0)
    return emitOpError("needs theta above 1");
  if (!getLinear().isFinite() || getLinear().convertToDouble() <= 0.0)
    return emitOpError("needs a positive linear scaling");
  if (auto llama3 = getLlama3()) {
    if (llama3->size() != 4)
      return emitOpError("needs four llama3 numbers: factor, low_freq_factor, high_freq_factor, "
                         "original_max_position_embeddings");
    ArrayRef<double> scaling = *llama3;
    if (!(scaling[0] > 0 && scaling[1] > 0 && scaling[2] > scaling[1] && scaling[3] > 0))
      return emitOpError("needs positive llama3 numbers with low_freq_factor below high_freq_factor");
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The batch
//===----------------------------------------------------------------------===//

LogicalResult BatchFieldOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                             SmallVectorImpl<Type> &results) {
  results.push_back(getFieldType(cast<BatchType>(adaptor.getBatch().getType()), adaptor.getField()));
  return success();
}

//===----------------------------------------------------------------------===//
// Tensor operations
//===----------------------------------------------------------------------===//

Value GatherOp::getLeadingDimSource() { return getIndices(); }

LogicalResult GatherOp::verify() {
  auto table = tensorOf(getTable()), result = tensorOf(getResult()), indices = tensorOf(getIndices());
  if (table.getRank() != result.getRank() || table.getRank() < 1)
    return emitOpError("takes rows of a table of the result's rank: ") << table << " gives " << result;
  if (!agree(table.getShape().drop_front(), result.getShape().drop_front()))
    return emitOpError("must keep the rows of ") << table << ", not make " << result;
  if (!agree(indices.getDimSize(0), result.getDimSize(0)))
    return emitOpError("makes one row for each of ") << indices << ", not " << result;
  return success();
}

Value MatmulOp::getLeadingDimSource() { return getX(); }

LogicalResult MatmulOp::verify() {
  auto x = tensorOf(getX()), weight = tensorOf(getWeight()), result = tensorOf(getResult());
  if (x.getRank() != 2 || weight.getRank() != 2 || result.getRank() != 2)
    return emitOpError("takes matrices, not ") << x << " and " << weight << " -> " << result;
  int64_t k = weight.getDimSize(getTransposeB() ? 1 : 0), n = weight.getDimSize(getTransposeB() ? 0 : 1);
  if (!agree(x.getDimSize(1), k))
    return emitOpError("contracts ") << x.getDimSize(1) << " columns of x with " << k << " of the weight";
  if (!agree(result.getShape(), {x.getDimSize(0), n}))
    return emitOpError("makes ") << x.getDimSize(0) << " x " << n << " elements, not " << result;
  if (Value scale = getWeightScale(); scale && tensorOf(scale).getDimSize(0) != 1 && tensorOf(scale).getDimSize(0) != n)
    return emitOpError("needs a scale for each of ") << n << " output channels or one for all, not " << scale.getType();
  if (auto scale = getXScale(); scale && !(scale->isFinite() && scale->convertToFloat() > 0))
    return emitOpError("needs a positive x_scale");
  if (isa<Float8E4M3FNType>(result.getElementType()))
    return emitOpError("makes a wide result, which mj.quantize rounds to f8E4M3FN");
  return success();
}

Value BatchMatmulOp::getLeadingDimSource() { return getA(); }

LogicalResult BatchMatmulOp::verify() {
  auto a = tensorOf(getA()), b = tensorOf(getB()), result = tensorOf(getResult());
  int64_t rank = a.getRank();
  if (rank < 2 || b.getRank() != rank || result.getRank() != rank)
    return emitOpError("takes stacks of matrices of one rank, not ") << a << " and " << b << " -> " << result;
  if (!agree(a.getShape().drop_back(2), b.getShape().drop_back(2)) ||
      !agree(a.getShape().drop_back(2), result.getShape().drop_back(2)))
    return emitOpError("needs the same leading axes: ") << a << " and " << b << " -> " << result;
  int64_t k = b.getDimSize(rank - (getTransposeB() ? 1 : 2)), n = b.getDimSize(rank - (getTransposeB() ? 2 : 1));
  if (!agree(a.getDimSize(rank - 1), k))
    return emitOpError("contracts ") << a.getDimSize(rank - 1) << " columns of a with " << k << " of b";
  if (!agree(result.getShape().take_back(2), {a.getDimSize(rank - 2), n}))
    return emitOpError("makes matrices of ") << a.getDimSize(rank - 2) << " x " << n << ", not " << result;
  return success();
}

Value ReduceOp::getLeadingDimSource() { return llvm::is_contained(getAxes(), 0) ? Value() : getX(); }

LogicalResult ReduceOp::verify() {
  auto x = tensorOf(getX()), result = tensorOf(getResult());
  ArrayRef<int64_t> axes = getAxes();
  if (axes.empty() || axes.front() < 0 || axes.back() >= x.getRank() || !llvm::is_sorted(axes, std::less_equal<>()))
    return emitOpError("needs ascending axes of ") << x;
  SmallVector<int64_t> kept;
  for (auto [axis, size] : llvm::enumerate(x.getShape()))
    if (!llvm::is_contained(axes, int64_t(axis)))
      kept.push_back(size);
  if (kept.empty())
    return emitOpError("must keep an axis: kernels work on tensors of at least one dimension");
  if (!agree(kept, result.getShape()))
    return emitOpError("keeps the other axes: ") << x << " gives " << result;
  return success();
}

Value SoftmaxOp::getLeadingDimSource() { return getX(); }

LogicalResult SoftmaxOp::verify() {
  auto x = tensorOf(getX()), result = tensorOf(getResult());
  if (x.getRank() < 1 || !agree(x.getShape(), result.getShape()))
    return emitOpError("keeps the shape: ") << x << " gives " << result;
  return success();
}

Value NormOp::getLeadingDimSource() { return getX(); }

LogicalResult NormOp::verify() {
  auto x = tensorOf(getX()), result = tensorOf(getResult());
  if (x.getRank() < 1 || !agree(x.getShape(), result.getShape()))
    return emitOpError("keeps the shape: ") << x << " gives " << result;
  for (Value affine : {getWeight(), getBias()})
    if (affine && tensorOf(affine).getShape() != x.getShape().take_back())
      return emitOpError("needs one weight and bias for each of the last axis of ") << x << ", not " << affine.getType();
  if (getBias() && getKind() == NormKind::rms)
    return emitOpError("of kind rms has no bias");
  // The text could not tell the two apart.
  if (getBias() && !getWeight())
    return emitOpError("with a bias needs a weight");
  if (!(getEps().convertToFloat() >= 0))
    return emitOpError("needs eps of at least 0");
  return success();
}

Value RopeOp::getLeadingDimSource() { return getX(); }

LogicalResult RopeOp::verify() {
  auto x = tensorOf(getX()), table = tensorOf(getTable());
  if (!agree(x.getShape(), tensorOf(getResult()).getShape()))
    return emitOpError("keeps the shape: ") << x << " gives " << getType();
  if (Value positions = getPositions(); positions && !agree(x.getDimSize(0), tensorOf(positions).getDimSize(0)))
    return emitOpError("needs a position for each row of ") << x << ", not " << positions.getType();
  if (!getPositions() && !agree(x.getDimSize(0), table.getDimSize(0)))
    return emitOpError("without positions needs a row of the table for each of ") << x << ", not " << table;
  if (x.getDimSize(2) % 2 || table.getDimSize(1) != x.getDimSize(2) / 2 || table.getDimSize(2) != 2)
    return emitOpError("needs a table of ") << x.getDimSize(2) << " / 2 pairs of cosine and sine, not " << table;
  return success();
}

//===----------------------------------------------------------------------===//
// Attention and its state
//===----------------------------------------------------------------------===//

static LogicalResult verifyLayer(Operation *op, KvType kv, int64_t layer, Value scales) {
  if (scales && tensorOf(scales).getShape() != ArrayRef<int64_t>{2, kv.getHeads()})
    return op->emitOpError("needs scales of 2 x ") << kv.getHeads() << " heads, not " << scales.getType();
  if (layer < 0 || layer >= kv.getLayers())
    return op->emitOpError("uses layer ") << layer << " of a cache of " << kv.getLayers();
  return success();
}

LogicalResult KvAppendOp::verify() {
  KvType kv = getKv().getType();
  if (getType() != kv)
    return emitOpError("returns the type of the cache it extends");
  for (Value rows : {getKey(), getValue()})
    if (!agree(tensorOf(rows).getShape(), {getBatch().getType().getTokens(), kv.getHeads(), kv.getHeadDim()}))
      return emitOpError("appends rows of ") << kv.getHeads() << " x " << kv.getHeadDim()
                                             << " for each token of the batch, not " << rows.getType();
  return verifyLayer(*this, kv, getLayer(), getScales());
}

Value AttentionOp::getLeadingDimSource() { return getQuery(); }

LogicalResult AttentionOp::verify() {
  KvType kv = getKv().getType();
  auto query = tensorOf(getQuery());
  if (!agree(query.getShape(), tensorOf(getResult()).getShape()))
    return emitOpError("keeps the query's shape: ") << query << " gives " << getType();
  if (!agree(query.getDimSize(0), getBatch().getType().getTokens()))
    return emitOpError("needs a query row for each token of the batch, not ") << query;
  if (query.getDimSize(2) != kv.getHeadDim())
    return emitOpError("has queries of ") << query.getDimSize(2) << " elements over keys of " << kv.getHeadDim();
  if (query.getDimSize(1) % kv.getHeads())
    return emitOpError("has ") << query.getDimSize(1) << " heads, which " << kv.getHeads() << " kv heads do not divide";
  if (auto window = getWindow(); window && static_cast<int64_t>(*window) <= 0)
    return emitOpError("needs a positive window");
  return verifyLayer(*this, kv, getLayer(), getScales());
}

Value SdpaOp::getLeadingDimSource() { return getQuery(); }

LogicalResult SdpaOp::verify() {
  auto query = tensorOf(getQuery()), result = tensorOf(getResult());
  if (getKeys().empty() || getKeys().size() != getValues().size())
    return emitOpError("needs as many segments of values as of keys, at least one");
  auto firstKey = tensorOf(getKeys().front()), firstValue = tensorOf(getValues().front());
  int64_t heads = firstKey.getDimSize(1), columns = firstValue.getDimSize(2), rows = 0;
  if (query.getDimSize(2) != firstKey.getDimSize(2))
    return emitOpError("has queries of ") << query.getDimSize(2) << " elements over keys of " << firstKey.getDimSize(2);
  if (heads <= 0 || query.getDimSize(1) % heads)
    return emitOpError("has ") << query.getDimSize(1) << " heads, which " << heads << " kv heads do not divide";
  for (auto [key, value] : llvm::zip(getKeys(), getValues())) {
    auto keyType = tensorOf(key), valueType = tensorOf(value);
    if (keyType.getShape().drop_front() != firstKey.getShape().drop_front() ||
        !agree(valueType.getShape(), {keyType.getDimSize(0), heads, columns}) ||
        keyType.getElementType() != firstKey.getElementType() || valueType.getElementType() != firstKey.getElementType())
      return emitOpError("needs segments of one kind: ") << keyType << " and " << valueType << " beside " << firstKey
                                                         << " and " << firstValue;
    rows = ShapedType::isDynamic(rows) || keyType.isDynamicDim(0) ? ShapedType::kDynamic : rows + keyType.getDimSize(0);
  }
  if (!agree(result.getShape(), {query.getDimSize(0), query.getDimSize(1), columns}))
    return emitOpError("makes ") << query.getDimSize(1) << " x " << columns << " elements a row, not " << result;
  if (auto window = getWindow()) {
    if (!getCausal())
      return emitOpError("has a window and is not causal: a window counts back from what a row sees last");
    if (static_cast<int64_t>(*window) <= 0)
      return emitOpError("needs a positive window");
  }
  if (Value mask = getMask()) {
    ArrayRef<int64_t> shape = tensorOf(mask).getShape();
    bool isHeaded = shape.size() == 3;
    if ((shape.size() != 2 && !isHeaded) || !agree(shape.take_back(2), {query.getDimSize(0), rows}) ||
        (isHeaded && shape.front() != query.getDimSize(1)))
      return emitOpError("needs a mask of [rows, keys] or [heads, rows, keys], not ") << mask.getType();
  }
  return success();
}

LogicalResult SampleOp::verify() {
  int64_t sequences = getSampling().getType().getSequences();
  if (!agree(sequences, getBatch().getType().getSequences()) || !agree(sequences, tensorOf(getLogits()).getDimSize(0)) ||
      !agree(sequences, tensorOf(getResult()).getDimSize(0)))
    return emitOpError("needs logits, sampling parameters and a result for each sequence of the batch");
  return success();
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

void FusionOp::build(OpBuilder &builder, OperationState &state, TypeRange results, ValueRange inputs) {
  state.addTypes(results);
  state.addOperands(inputs);
  Block &block = state.addRegion()->emplaceBlock();
  for (Value input : inputs)
    block.addArgument(input.getType(), input.getLoc());
}

void FusionOp::print(OpAsmPrinter &printer) {
  printer << '(';
  llvm::interleaveComma(llvm::zip(getBody().getArguments(), getInputs()), printer, [&](auto pair) {
    auto [argument, input] = pair;
    printer << argument << " = " << input << " : " << input.getType();
  });
  printer << ')';
  printer.printOptionalArrowTypeList(getResultTypes());
  if (getSchedule())
    printer << " schedule " << *getSchedule();
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {"schedule"});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

ParseResult FusionOp::parse(OpAsmParser &parser, OperationState &result) {
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  auto parseInput = [&]() -> ParseResult {
    return failure(parser.parseArgument(arguments.emplace_back()) || parser.parseEqual() ||
                   parser.parseOperand(operands.emplace_back()) || parser.parseColonType(arguments.back().type));
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseInput) ||
      parser.parseOptionalArrowTypeList(result.types))
    return failure();
  for (auto [argument, operand] : llvm::zip(arguments, operands))
    if (parser.resolveOperand(operand, argument.type, result.operands))
      return failure();
  ScheduleAttr schedule;
  if (succeeded(parser.parseOptionalKeyword("schedule"))) {
    if (parser.parseAttribute(schedule))
      return failure();
    result.addAttribute("schedule", schedule);
  }
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.parseRegion(*result.addRegion(), arguments))
    return failure();
  ensureTerminator(*result.regions.front(), parser.getBuilder(), result.location);
  return success();
}

LogicalResult FusionOp::verify() {
  if (getBody().getArgumentTypes() != getInputs().getTypes())
    return emitOpError("needs a body argument of the same type for each input");
  auto yield = cast<YieldOp>(getBody().front().getTerminator());
  if (yield.getOperandTypes() != getResultTypes())
    return emitOpError("must yield its results");
  return success();
}
