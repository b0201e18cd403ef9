// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How the values of a region's signature become the operands of a launch.
#include "mjolnir/Dialect/Exec/KernelSignature.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::exec;
using mj::BatchField;

llvm::StringRef exec::stringifySamplingField(SamplingField field) {
  static constexpr llvm::StringLiteral names[] = {"temperature", "top_k", "top_p", "seeds"};
  return names[static_cast<int>(field)];
}

RankedTensorType exec::getSamplingFieldType(mj::SamplingType type, SamplingField field) {
  MLIRContext *context = type.getContext();
  Type element;
  switch (field) {
  case SamplingField::temperature:
  case SamplingField::top_p:
    element = Float32Type::get(context);
    break;
  case SamplingField::top_k:
    element = IntegerType::get(context, 32);
    break;
  case SamplingField::seeds:
    element = IntegerType::get(context, 64);
    break;
  }
  return RankedTensorType::get({type.getSequences()}, element);
}

SmallVector<BatchField> exec::getBatchFields(Operation *op) {
  return llvm::TypeSwitch<Operation *, SmallVector<BatchField>>(op)
      .Case([](mj::BatchFieldOp field) { return SmallVector<BatchField>{field.getField()}; })
      .Case([](mj::KvAppendOp) { return SmallVector<BatchField>{BatchField::slots}; })
      .Case([](mj::AttentionOp) {
        return SmallVector<BatchField>{BatchField::sequence_offsets, BatchField::context_lengths,
                                       BatchField::block_tables};
      })
      .Case([](mj::SampleOp) { return SmallVector<BatchField>{BatchField::context_lengths}; })
      .Default([](Operation *) { return SmallVector<BatchField>{}; });
}

/// Whether the body writes the cache that enters as `argument`: it, or a version of it, is appended to.
static bool writesPool(BlockArgument argument) {
  return llvm::any_of(argument.getUsers(), [](Operation *user) { return isa<mj::KvAppendOp>(user); });
}

SmallVector<KernelOperand> exec::getKernelOperands(Block &body) {
  SmallVector<KernelOperand> operands;
  for (BlockArgument argument : body.getArguments()) {
    unsigned index = argument.getArgNumber();
    if (auto batch = dyn_cast<mj::BatchType>(argument.getType())) {
      SmallVector<BatchField> fields;
      for (Operation *user : argument.getUsers())
        llvm::append_range(fields, getBatchFields(user));
      llvm::sort(fields);
      fields.erase(llvm::unique(fields), fields.end());
      for (BatchField field : fields)
        operands.push_back({KernelOperand::batch, index, field, {}, mj::getFieldType(batch, field)});
    } else if (auto sampling = dyn_cast<mj::SamplingType>(argument.getType())) {
      for (int i = 0; i < kSamplingFields; ++i) {
        auto field = static_cast<SamplingField>(i);
        operands.push_back({KernelOperand::sampling, index, {}, field, getSamplingFieldType(sampling, field)});
      }
    } else if (isa<mj::KvType>(argument.getType())) {
      operands.push_back(
          {KernelOperand::pool, index, {}, {}, {}, writesPool(argument) ? Access::read_write : Access::read});
    } else {
      operands.push_back({KernelOperand::tensor, index, {}, {}, cast<RankedTensorType>(argument.getType())});
    }
  }
  for (auto [index, result] : llvm::enumerate(body.getTerminator()->getOperands()))
    if (auto type = dyn_cast<RankedTensorType>(result.getType()))
      operands.push_back({KernelOperand::result, unsigned(index), {}, {}, type, Access::write});
  return operands;
}

Location exec::withStoredValues(Location loc, ArrayRef<StoredValue> stored) {
  if (stored.empty())
    return loc;
  Builder builder(loc->getContext());
  SmallVector<Attribute> list;
  for (const StoredValue &value : stored)
    list.push_back(builder.getArrayAttr(
        {builder.getI64IntegerAttr(value.operand), builder.getStringAttr(value.name), TypeAttr::get(value.type),
         builder.getF64FloatAttr(value.scale)}));
  return FusedLoc::get(loc->getContext(), {loc}, builder.getArrayAttr(list));
}

SmallVector<exec::StoredValue> exec::getStoredValues(Location loc) {
  SmallVector<StoredValue> stored;
  auto fused = dyn_cast<FusedLoc>(loc);
  auto list = fused ? dyn_cast_or_null<ArrayAttr>(fused.getMetadata()) : ArrayAttr();
  if (!list)
    return stored;
  for (Attribute element : list) {
    // Locations of files may hold anything.
    auto fields = dyn_cast<ArrayAttr>(element);
    if (!fields || fields.size() != 4)
      continue;
    auto operand = dyn_cast<IntegerAttr>(fields[0]);
    auto name = dyn_cast<StringAttr>(fields[1]);
    auto type = dyn_cast<TypeAttr>(fields[2]);
    auto scale = dyn_cast<FloatAttr>(fields[3]);
    if (operand && name && type && scale && isa<RankedTensorType>(type.getValue()))
      stored.push_back({operand.getInt(), name.getValue(), cast<RankedTensorType>(type.getValue()),
                        scale.getValueAsDouble()});
  }
  return stored;
}
