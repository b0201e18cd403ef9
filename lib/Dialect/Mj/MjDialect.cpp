// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Registration of the mj dialect; its types and attributes.
#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mjolnir::mj;

#include "mjolnir/Dialect/Mj/MjDialect.cpp.inc"
#include "mjolnir/Dialect/Mj/MjEnums.cpp.inc"
#include "mjolnir/Dialect/Mj/MjInterfaces.cpp.inc"

/// A size: a positive integer or `?`. Sizes are written with spaces around `x`, which keeps them apart from
/// hexadecimal.
static ParseResult parseDim(AsmParser &parser, int64_t &dim) {
  if (succeeded(parser.parseOptionalQuestion())) {
    dim = ShapedType::kDynamic;
    return success();
  }
  return parser.parseInteger(dim);
}
static void printDim(AsmPrinter &printer, int64_t dim) {
  if (ShapedType::isDynamic(dim))
    printer << '?';
  else
    printer << dim;
}

#define GET_ATTRDEF_CLASSES
#include "mjolnir/Dialect/Mj/MjAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "mjolnir/Dialect/Mj/MjTypes.cpp.inc"

void MjDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "mjolnir/Dialect/Mj/MjOps.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "mjolnir/Dialect/Mj/MjTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "mjolnir/Dialect/Mj/MjAttrs.cpp.inc"
      >();
}

/// That states are tensors with names, each an argument once, a result once, and both of one type.
static LogicalResult verifyStates(func::FuncOp function) {
  llvm::StringMap<Type> arguments, results;
  auto check = [&](Attribute attribute, Type type, StringRef role, unsigned index,
                   llvm::StringMap<Type> &seen) -> LogicalResult {
    if (!attribute)
      return success();
    auto name = dyn_cast<StringAttr>(attribute);
    if (!name || name.empty() || !isa<RankedTensorType>(type))
      return function.emitOpError("has the ")
             << role << " " << index << " with 'mj.state', which wants a name, and a tensor that bears it";
    if (!seen.try_emplace(name.getValue(), type).second)
      return function.emitOpError("has the state '") << name.getValue() << "' as two " << role << "s";
    return success();
  };
  for (auto [index, type] : llvm::enumerate(function.getArgumentTypes()))
    if (failed(check(function.getArgAttr(index, kStateAttr), type, "argument", index, arguments)))
      return failure();
  for (auto [index, type] : llvm::enumerate(function.getResultTypes()))
    if (failed(check(function.getResultAttr(index, kStateAttr), type, "result", index, results)))
      return failure();
  for (const auto &result : results)
    if (Type before = arguments.lookup(result.getKey()); before && before != result.getValue())
      return function.emitOpError("takes the state '")
             << result.getKey() << "' as " << before << " and returns it as " << result.getValue();
  return success();
}

/// What a function must be to become an entry point, so that every pass may rely on it.
static LogicalResult verifyEntry(Operation *op) {
  auto function = dyn_cast<func::FuncOp>(op);
  if (!function || !function.getFunctionTypeAttr())
    return op->emitOpError("is no function: 'mj.entry' marks the functions that become entry points");
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("is an entry, which needs a body of one block");
  unsigned batches = 0, caches = 0, pools = 0, samplings = 0;
  for (auto [index, type] : llvm::enumerate(function.getArgumentTypes())) {
    pools += isa<KvType>(type) && function.getArgAttr(index, kPoolAttr);
    batches += isa<BatchType>(type);
    caches += isa<KvType>(type);
    samplings += isa<SamplingType>(type);
    if (!isa<RankedTensorType, BatchType, KvType, SamplingType>(type))
      return function.emitOpError(
                 "is an entry, which takes ranked tensors, a batch, a KV cache and sampling parameters, not ")
             << type;
  }
  // One that was divided is two, each with its pool.
  if (caches == 2 && pools == 2)
    caches = 1;
  if (batches > 1 || caches > 1 || samplings > 1)
    return function.emitOpError("is an entry, which takes at most one ")
           << (batches > 1  ? "batch"
               : caches > 1 ? "KV cache"
                            : "set of sampling parameters");
  for (Type type : function.getResultTypes())
    if (!isa<RankedTensorType, KvType>(type))
      return function.emitOpError("is an entry, which returns ranked tensors and its KV cache, not ") << type;
  return verifyStates(function);
}

LogicalResult MjDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() == kEntryAttr)
    return verifyEntry(op);
  if (attribute.getName() == kModelAttr && !isa<DictionaryAttr>(attribute.getValue()))
    return op->emitOpError("needs a dictionary as 'mj.model'");
  if (attribute.getName() == kPageSizeAttr) {
    auto size = dyn_cast<IntegerAttr>(attribute.getValue());
    if (!size || size.getInt() <= 0)
      return op->emitOpError("needs a positive number of tokens as 'mj.page_size'");
  }
  return success();
}

static bool isSize(int64_t dim) { return ShapedType::isDynamic(dim) || dim > 0; }

bool BatchType::isStatic() const {
  return !ShapedType::isDynamic(getTokens()) && !ShapedType::isDynamic(getSequences()) &&
         !ShapedType::isDynamic(getPages());
}

LogicalResult BatchType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t tokens, int64_t sequences,
                                int64_t pages) {
  if (!isSize(tokens) || !isSize(sequences) || !isSize(pages))
    return emitError() << "sizes of a batch must be positive or '?'";
  if (!ShapedType::isDynamic(tokens) && !ShapedType::isDynamic(sequences) && tokens < sequences)
    return emitError() << "a batch of " << sequences << " sequences needs at least as many token rows, not " << tokens;
  return success();
}

LogicalResult KvType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t layers, int64_t heads,
                             int64_t headDim, Type elementType) {
  if (layers <= 0 || heads <= 0 || headDim <= 0)
    return emitError() << "a KV cache needs positive sizes";
  if (!elementType.isF32() && !elementType.isF16() && !elementType.isBF16() && !isa<Float8E4M3FNType>(elementType))
    return emitError() << "a KV cache holds f32, f16, bf16 or f8E4M3FN, not " << elementType;
  return success();
}

LogicalResult SamplingType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t sequences) {
  if (!isSize(sequences))
    return emitError() << "the sequences of sampling parameters must be positive or '?'";
  return success();
}

RankedTensorType mjolnir::mj::getFieldType(BatchType batch, BatchField field) {
  Type i32 = IntegerType::get(batch.getContext(), 32);
  int64_t sequences = batch.getSequences();
  switch (field) {
  case BatchField::tokens:
  case BatchField::positions:
  case BatchField::slots:
    return RankedTensorType::get({batch.getTokens()}, i32);
  case BatchField::sequence_offsets:
    return RankedTensorType::get({ShapedType::isDynamic(sequences) ? sequences : sequences + 1}, i32);
  case BatchField::context_lengths:
  case BatchField::logit_rows:
    return RankedTensorType::get({sequences}, i32);
  case BatchField::block_tables:
    return RankedTensorType::get({sequences, batch.getPages()}, i32);
  }
  llvm_unreachable("all fields are covered");
}
