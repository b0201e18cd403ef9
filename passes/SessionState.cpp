// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// States of a session: arguments and results of entries that are neither inputs nor outputs.
#include "passes/SessionState.h"
#include "passes/Weights.h"

#include "mjolnir/Dialect/Exec/KernelSignature.h"

using namespace mlir;
using namespace mjolnir;

static StringRef nameOf(Attribute attribute) {
  auto name = dyn_cast_or_null<StringAttr>(attribute);
  return name ? name.getValue() : StringRef();
}

StringRef mjolnir::stateOf(BlockArgument argument) {
  auto entry = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  return entry ? nameOf(entry.getArgAttr(argument.getArgNumber(), mj::kStateAttr)) : StringRef();
}

StringRef mjolnir::stateOfResult(func::FuncOp entry, unsigned index) {
  return nameOf(entry.getResultAttr(index, mj::kStateAttr));
}

LogicalResult mjolnir::declareStates(ModuleOp module, SymbolTable &symbols) {
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  llvm::StringMap<func::FuncOp> declaredBy;
  auto declare = [&](func::FuncOp entry, StringRef name, Type type) -> LogicalResult {
    if (name.empty())
      return success();
    if (auto [found, isNew] = declaredBy.try_emplace(name, entry); !isNew) {
      auto state = symbols.lookup<exec::StateOp>(name);
      if (state.getType() == type)
        return success();
      return entry.emitError() << "has the state '" << name << "' as " << type << ", @" << found->second.getSymName()
                               << " as " << state.getType() << "; all entries share one";
    }
    if (symbols.lookup(name))
      return entry.emitError() << "has a state called '" << name << "', as an entry or a weight is; name it otherwise";
    if (!cast<RankedTensorType>(type).hasStaticShape())
      return entry.emitError() << "has the state '" << name << "' of the symbolic type " << type
                               << "; a session's memory has a size";
    symbols.insert(exec::StateOp::create(builder, entry.getLoc(), name, type));
    return success();
  };
  for (func::FuncOp entry : getEntries(module)) {
    for (BlockArgument argument : entry.getArguments())
      if (failed(declare(entry, stateOf(argument), argument.getType())))
        return failure();
    for (auto [index, type] : llvm::enumerate(entry.getResultTypes()))
      if (failed(declare(entry, stateOfResult(entry, index), type)))
        return failure();
  }
  return success();
}

std::string mjolnir::whyNotOverState(mj::FusionOp fusion, unsigned result, BlockArgument before,
                                     exec::KernelOp kernel) {
  if (!before)
    return "";
  // Whatever else reads the state comes before, and shows it as it was.
  SmallVector<Value> views{before};
  for (size_t i = 0; i < views.size(); ++i)
    for (Operation *user : views[i].getUsers()) {
      if (auto reshape = dyn_cast<mj::ReshapeOp>(user))
        views.push_back(reshape.getResult());
      else if (user != fusion && (!isa<mj::FusionOp>(user) || !user->isBeforeInBlock(fusion)))
        return "what it held is read later";
    }
  int64_t read = -1, written = -1;
  for (auto [place, operand] : llvm::enumerate(exec::getKernelOperands(fusion.getBody().front()))) {
    if (operand.kind == exec::KernelOperand::result && operand.index == int64_t(result))
      written = place;
    if (operand.kind != exec::KernelOperand::tensor || !llvm::is_contained(views, fusion.getInputs()[operand.index]))
      continue;
    if (read >= 0)
      return "its kernel takes it as several operands";
    read = place;
  }
  if (read < 0)
    return "";
  if (ArrayAttr inPlace = kernel.getInPlaceAttr())
    for (auto pair : inPlace.getAsRange<exec::InPlaceAttr>())
      if (pair.getRead() == read && pair.getWritten() == written)
        return "";
  return "its kernel may read an element of it after it stores one";
}
