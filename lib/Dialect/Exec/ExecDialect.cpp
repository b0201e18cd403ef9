// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Registration and verifiers of the exec dialect.
#include "mjolnir/Dialect/Exec/ExecDialect.h"
#include "mjolnir/Dialect/Exec/KernelSignature.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mjolnir::exec;

#include "mjolnir/Dialect/Exec/ExecDialect.cpp.inc"
#include "mjolnir/Dialect/Exec/ExecEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "mjolnir/Dialect/Exec/ExecAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "mjolnir/Dialect/Exec/ExecTypes.cpp.inc"
#define GET_OP_CLASSES
#include "mjolnir/Dialect/Exec/ExecOps.cpp.inc"

void ExecDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "mjolnir/Dialect/Exec/ExecOps.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "mjolnir/Dialect/Exec/ExecTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "mjolnir/Dialect/Exec/ExecAttrs.cpp.inc"
      >();
}

LogicalResult BindingAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringAttr name, TypeAttr type) {
  auto tensor = dyn_cast<RankedTensorType>(type.getValue());
  if (!tensor || !tensor.hasStaticShape())
    return emitError() << "binding '" << name.getValue() << "' needs a tensor type of static shape, not "
                       << type.getValue();
  return success();
}

LogicalResult LibraryMatmulAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringAttr library, int64_t x,
                                        int64_t weight, int64_t result, int64_t weightScale, int64_t bias,
                                        int64_t residual, bool, StringAttr activation, FloatAttr alpha) {
  if (library.getValue().empty())
    return emitError() << "a library's product needs the name of the library";
  llvm::SmallDenseSet<int64_t> seen;
  for (int64_t operand : {x, weight, result, weightScale, bias, residual})
    if (operand < -1 || (operand >= 0 && !seen.insert(operand).second))
      return emitError() << "a library's product names operand " << operand
                         << "; they are numbers from 0, each named once";
  if (x < 0 || weight < 0 || result < 0)
    return emitError() << "a library's product needs x, weight and result";
  if (activation && activation.getValue() != "relu" && activation.getValue() != "gelu_tanh")
    return emitError() << "a library's product has the activation \"" << activation.getValue()
                       << "\"; there are \"relu\" and \"gelu_tanh\"";
  if (alpha && !alpha.getType().isF32())
    return emitError() << "a library's product has an alpha of type " << alpha.getType() << ", which is f32";
  return success();
}

SmallVector<int64_t> LibraryMatmulAttr::getReadOperands() const {
  SmallVector<int64_t> read{getX(), getWeight()};
  for (int64_t operand : {getWeightScale(), getBias(), getResidual()})
    if (operand >= 0)
      read.push_back(operand);
  return read;
}

LogicalResult TensorMapAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t operand, int64_t rows,
                                    int64_t columns, int64_t boxRows, int64_t boxColumns) {
  // What the hardware's descriptor holds.
  constexpr int64_t maxSize = int64_t(1) << 32, maxBox = 256;
  if (operand < 0)
    return emitError() << "a tensor map is of operand " << operand << "; they are numbers from 0";
  if (rows < 1 || columns < 1 || rows > maxSize || columns > maxSize)
    return emitError() << "a tensor map has " << rows << " rows of " << columns << "; there are 1 to 2^32 of each";
  if (boxRows < 1 || boxColumns < 1 || boxRows > maxBox || boxColumns > maxBox)
    return emitError() << "a tensor map has boxes of " << boxRows << " rows of " << boxColumns << "; there are 1 to "
                       << maxBox << " of each";
  return success();
}

KvPoolOp mjolnir::exec::getWindowPool(ModuleOp module) {
  auto pools = llvm::to_vector(module.getOps<KvPoolOp>());
  if (pools.size() < 2)
    return {};
  auto found = llvm::find_if(pools, [](KvPoolOp pool) { return pool.getWindow().has_value(); });
  return found == pools.end() ? KvPoolOp() : *found;
}

KvPoolOp mjolnir::exec::getPagesOf(KernelOp kernel) {
  for (BlockArgument argument : kernel.getBody().front().getArguments())
    if (auto cache = dyn_cast<mj::KvType>(argument.getType()))
      for (auto pool : kernel->getParentOfType<ModuleOp>().getOps<KvPoolOp>())
        if (int64_t(pool.getLayers()) == cache.getLayers() && int64_t(pool.getHeads()) == cache.getHeads() &&
            int64_t(pool.getHeadDim()) == cache.getHeadDim() && pool.getElementType() == cache.getElementType())
          return pool;
  return {};
}

int64_t KvPoolOp::getLayerBytes() { return getBytesPerPage() / getLayers(); }

// The accessors of integer attributes are unsigned.
static bool isPositive(uint64_t value) { return static_cast<int64_t>(value) > 0; }

LogicalResult KvPoolOp::verify() {
  uint64_t elements = 2;
  for (uint64_t size : {getLayers(), getHeads(), getPageSize(), getHeadDim()}) {
    if (!isPositive(size))
      return emitOpError("needs positive sizes");
    // Far above any pool, far below an overflow.
    if (size > (uint64_t(1) << 40) / elements)
      return emitOpError("has pages of more than 2^40 elements");
    elements *= size;
  }
  if (!getElementType().isIntOrFloat())
    return emitOpError("needs a number type, not ") << getElementType();
  uint64_t bytes = elements * getElementType().getIntOrFloatBitWidth() / 8;
  if (getBytesPerPage() != bytes)
    return emitOpError("states ") << getBytesPerPage() << " bytes a page, which are " << bytes;
  if (getWindow() && !isPositive(*getWindow()))
    return emitOpError("needs a positive window, or none");
  return success();
}

LogicalResult KernelOp::verify() {
  if (!isPositive(getTiles()))
    return emitOpError("needs at least one tile");
  if (getBody().empty() || !isa<ReturnOp>(getBody().front().back()))
    return emitOpError("must end in exec.return");
  return success();
}

/// That a library can be given the operands that `call` names, and no other is left.
static LogicalResult verifyCall(KernelOp kernel, LibraryMatmulAttr call) {
  SmallVector<KernelOperand> operands = getKernelOperands(kernel.getBody().front());
  SmallVector<int64_t> named = call.getReadOperands();
  named.push_back(call.getResult());
  for (int64_t index : named) {
    bool isResult = index == call.getResult();
    if (index >= int64_t(operands.size()) ||
        operands[index].kind != (isResult ? KernelOperand::result : KernelOperand::tensor))
      return kernel.emitOpError("gives operand ") << index << " to " << call.getLibrary() << " as "
                                                  << (isResult ? "the result" : "a tensor") << ", which it is not";
  }
  if (named.size() != operands.size())
    return kernel.emitOpError("has ") << operands.size() << " operands and gives " << named.size() << " to "
                                      << call.getLibrary();
  auto sizeOf = [&](int64_t index) { return operands[index].type.getNumElements(); };
  RankedTensorType x = operands[call.getX()].type, weight = operands[call.getWeight()].type,
                   result = operands[call.getResult()].type;
  bool isProduct = x.getRank() == 2 && weight.getRank() == 2 && result.getRank() >= 2 &&
                   x.getDimSize(1) == weight.getDimSize(call.getTransposeWeight() ? 1 : 0) &&
                   result.getDimSize(0) == x.getDimSize(0) &&
                   result.getNumElements() == x.getDimSize(0) * weight.getDimSize(call.getTransposeWeight() ? 0 : 1);
  if (!isProduct)
    return kernel.emitOpError("gives ") << x << " and " << weight << " to " << call.getLibrary() << " for " << result
                                        << ", which is not their product";
  int64_t columns = result.getNumElements() / x.getDimSize(0);
  if ((call.getBias() >= 0 && sizeOf(call.getBias()) != columns) ||
      (call.getWeightScale() >= 0 && sizeOf(call.getWeightScale()) != 1) ||
      (call.getResidual() >= 0 && sizeOf(call.getResidual()) != result.getNumElements()))
    return kernel.emitOpError("gives ")
           << call.getLibrary()
           << " a bias, a scale or a residual of another size than a column each, one number and the result";
  return success();
}

/// That the operand of `map` is a tensor that can be seen so.
static LogicalResult verifyMap(KernelOp kernel, TensorMapAttr map, ArrayRef<KernelOperand> operands) {
  constexpr int64_t swizzledBytes = 128, unit = 16;
  int64_t index = map.getOperand();
  if (index >= int64_t(operands.size()) ||
      (operands[index].kind != KernelOperand::tensor && operands[index].kind != KernelOperand::result))
    return kernel.emitOpError("has a tensor map of operand ") << index << ", which is no tensor argument or result";
  RankedTensorType type = operands[index].type;
  Type element = type.getElementType();
  if (!element.isF32() && !element.isF16() && !element.isBF16() && !isa<Float8E4M3FNType>(element) &&
      !element.isInteger(8))
    return kernel.emitOpError("has a tensor map of ") << type << "; elements of one are f32, f16, bf16, f8E4M3FN or i8";
  if (map.getRows() > type.getNumElements() / map.getColumns())
    return kernel.emitOpError("has a tensor map of ")
           << map.getRows() << " rows of " << map.getColumns() << " over " << type << ", which is smaller";
  int64_t bytes = element.getIntOrFloatBitWidth() / 8, boxBytes = map.getBoxColumns() * bytes;
  if (map.getColumns() * bytes % unit)
    return kernel.emitOpError("has a tensor map of rows of ")
           << map.getColumns() * bytes << " bytes; they are multiples of " << unit;
  if (boxBytes % unit || boxBytes > swizzledBytes)
    return kernel.emitOpError("has a tensor map whose boxes have rows of ")
           << boxBytes << " bytes; they are multiples of " << unit << " up to " << swizzledBytes;
  return success();
}

LogicalResult KernelOp::verifyRegions() {
  Block &block = getBody().front();
  for (Type type : block.getArgumentTypes())
    if (!isa<RankedTensorType, mj::BatchType, mj::SamplingType, mj::KvType>(type))
      return emitOpError("has an argument of type ")
             << type << "; a kernel takes tensors, a batch, sampling parameters "
             << "and a cache";
  if (getScratch() && !isPositive(*getScratch()))
    return emitOpError("needs a positive number of scratch bytes, or none");
  SmallVector<KernelOperand> known = getKernelOperands(getBody().front());
  size_t operands = known.size() + (getScratch() ? 1 : 0);
  if (getAccesses().size() != operands)
    return emitOpError("states ") << getAccesses().size() << " accesses for a body of " << operands << " operands";
  if (getTensorMapsAttr() && getLibraryAttr())
    return emitOpError("has tensor maps and is a call of ") << getLibraryAttr().getLibrary() << ", which takes none";
  if (ArrayAttr maps = getTensorMapsAttr())
    for (auto map : maps.getAsRange<TensorMapAttr>())
      if (failed(verifyMap(*this, map, known)))
        return failure();
  if (auto call = getLibraryAttr(); call && failed(verifyCall(*this, call)))
    return failure();
  for (int64_t index : getEarly().value_or(ArrayRef<int64_t>()))
    if (index < 0 || index >= int64_t(operands))
      return emitOpError("reads operand ") << index << " early, and has " << operands;
  ArrayAttr pairs = getInPlaceAttr() ? getInPlaceAttr() : ArrayAttr::get(getContext(), {});
  for (auto pair : pairs.getAsRange<InPlaceAttr>()) {
    auto isAccessed = [&](unsigned operand, Access access) {
      return operand < operands && cast<AccessAttr>(getAccesses()[operand]).getValue() == access;
    };
    if (!isAccessed(pair.getWritten(), Access::write) || !isAccessed(pair.getRead(), Access::read))
      return emitOpError("states ") << pair << ", which is no written operand over a read one";
  }
  return success();
}

LogicalResult EntryOp::verify() {
  if (auto ragged = getRagged(); ragged && ragged->size() != 3)
    return emitOpError("needs token rows, sequences and pages a sequence as its ragged bucket");
  Block &block = getBody().front();
  if (block.getNumArguments() != getInputs().size() + getOutputs().size())
    return emitOpError("needs a block argument for each of ")
           << getInputs().size() << " inputs and " << getOutputs().size() << " outputs";
  for (Type type : block.getArgumentTypes())
    if (!isa<BufferType>(type))
      return emitOpError("takes buffers, not ") << type;
  llvm::StringSet<> names;
  for (ArrayAttr bindings : {getInputs(), getOutputs()}) {
    names.clear();
    for (auto binding : bindings.getAsRange<BindingAttr>())
      if (!names.insert(binding.getName()).second)
        return emitOpError("binds '") << binding.getName().getValue() << "' twice";
  }
  return success();
}

LogicalResult EntryOp::verifyRegions() {
  int64_t steps = 0;
  for (Operation &op : getBody().front()) {
    auto launch = dyn_cast<LaunchOp>(op);
    auto copy = dyn_cast<CopyOp>(op);
    if (!launch && !copy)
      continue;
    std::optional<ArrayRef<int64_t>> after = launch ? launch.getAfter() : copy.getAfter();
    int64_t last = -1;
    for (int64_t step : after.value_or(ArrayRef<int64_t>())) {
      if (step <= last || step >= steps)
        return op.emitOpError("is step ")
               << steps << " and starts after [" << *after << "]; these are earlier steps, in ascending order";
      last = step;
    }
    ++steps;
  }
  return success();
}

LogicalResult ArenaBufferOp::verify() {
  if (!isPositive(getBytes()))
    return emitOpError("needs a positive size");
  if (auto offset = getOffset()) {
    if (static_cast<int64_t>(*offset) < 0)
      return emitOpError("has a negative offset");
    auto arena = (*this)->getParentOfType<EntryOp>().getArenaBytes();
    if (arena && (*offset > *arena || getBytes() > *arena - *offset))
      return emitOpError("ends at byte ") << *offset + getBytes() << " of an arena of " << *arena;
  }
  return success();
}

LogicalResult WeightBufferOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *weight = symbols.lookupNearestSymbolFrom(*this, getWeightAttr());
  if (!isa_and_nonnull<mj::WeightOp, mj::PrepareOp>(weight))
    return emitOpError("refers to @") << getWeight() << ", which is no mj.weight or mj.prepare";
  return success();
}

LogicalResult PoolBufferOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto pool = symbols.lookupNearestSymbolFrom<KvPoolOp>(*this, getPoolAttr());
  if (!pool)
    return emitOpError("refers to @") << getPool() << ", which is no exec.kv_pool";
  int64_t layerBytes = pool.getLayerBytes();
  if (getOffset() % layerBytes || getOffset() >= pool.getBytesPerPage())
    return emitOpError("begins at byte ") << static_cast<int64_t>(getOffset()) << " of a page, which is no layer of "
                                          << layerBytes << " bytes among " << pool.getLayers();
  return success();
}

LogicalResult StateOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type || !type.hasStaticShape() || type.getNumElements() == 0)
    return emitOpError("is ") << getType() << "; a state is a tensor of a static shape";
  return success();
}

LogicalResult StateBufferOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!symbols.lookupNearestSymbolFrom<StateOp>(*this, getStateAttr()))
    return emitOpError("refers to @") << getState() << ", which is no exec.state";
  return success();
}

LogicalResult PartOp::verify() {
  auto entry = cast<EntryOp>((*this)->getParentOp());
  auto argument = dyn_cast<BlockArgument>(getBuffer());
  int64_t inputs = entry.getInputs().size();
  if (!argument || argument.getOwner() != &entry.getBody().front() || argument.getArgNumber() < inputs)
    return emitOpError("is of no output of its entry");
  auto binding = cast<BindingAttr>(entry.getOutputs()[argument.getArgNumber() - inputs]);
  auto type = cast<RankedTensorType>(binding.getType().getValue());
  uint64_t size = type.getNumElements() * llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  if (!isPositive(getBytes()) || getOffset() > size || getBytes() > size - getOffset())
    return emitOpError("is no part of output '") << binding.getName().getValue() << "', which has " << size << " bytes";
  if (getOffset() % 64)
    return emitOpError("begins at byte ") << static_cast<int64_t>(getOffset()) << ", not at a multiple of 64";
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError("refers to @") << getKernel() << ", which is no exec.kernel";
  if (kernel.getAccesses().size() != getOperands().size())
    return emitOpError("gives ") << getOperands().size() << " buffers to @" << getKernel() << ", which takes "
                                 << kernel.getAccesses().size();
  return success();
}

LogicalResult CopyOp::verify() {
  if (!isPositive(getBytes()))
    return emitOpError("needs a positive number of bytes");
  return success();
}
