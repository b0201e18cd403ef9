// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Equal regions become one kernel.
#include "passes/KernelTable.h"

#include "passes/Weights.h"

#include "mjolnir/Dialect/Exec/KernelSignature.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mjolnir;

/// The operations of a region, for people: "norm, matmul".
static std::string describe(mj::FusionOp fusion) {
  SmallVector<StringRef> names;
  for (Operation &op : fusion.getBody().front().without_terminator())
    if (!isConstant(&op) && !isa<mj::ReshapeOp, mj::BroadcastOp>(op))
      names.push_back(op.getName().stripDialect());
  return llvm::join(names, ", ");
}

exec::KernelOp KernelTable::get(mj::FusionOp fusion) {
  MLIRContext *context = fusion.getContext();
  SmallVector<Attribute> accesses;
  for (const exec::KernelOperand &operand : exec::getKernelOperands(fusion.getBody().front()))
    accesses.push_back(exec::AccessAttr::get(context, operand.access));
  auto kernel = exec::KernelOp::create(builder, builder.getUnknownLoc(), "kernel", *fusion.getSchedule(), 1,
                                       builder.getArrayAttr(accesses), ArrayAttr(), IntegerAttr(), DenseI64ArrayAttr(),
                                       builder.getStringAttr(describe(fusion)), exec::LibraryMatmulAttr(), ArrayAttr());
  IRMapping mapping;
  fusion.getBody().cloneInto(&kernel.getBody(), mapping);
  Block &body = kernel.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(body)) {
    op.setLoc(builder.getUnknownLoc());
    if (auto append = dyn_cast<mj::KvAppendOp>(op))
      append.setLayer(0);
    else if (auto attention = dyn_cast<mj::AttentionOp>(op))
      attention.setLayer(0);
    else if (auto yield = dyn_cast<mj::YieldOp>(op)) {
      OpBuilder inside(yield);
      exec::ReturnOp::create(inside, op.getLoc(), yield.getResults());
      yield.erase();
    }
  }
  std::string text;
  llvm::raw_string_ostream stream(text);
  kernel->print(stream, OpPrintingFlags().printGenericOpForm().useLocalScope());
  auto [found, isNew] = kernels.try_emplace(text, kernel);
  if (!isNew) {
    kernel.erase();
    return found->second;
  }
  // Diagnostics of code generation are about the region that the kernel was first made for.
  kernel->setLoc(fusion.getLoc());
  kernel.setTiles(target.countTiles(kernel.getSchedule(), body));
  planMemory(kernel);
  if (exec::LibraryMatmulAttr call = target.getLibraryCall(kernel.getSchedule(), body))
    kernel.setLibraryAttr(call);
  kernel.setSymName(nameOf(kernel));
  symbols.insert(kernel);
  return kernel;
}

/// What the kernel's launches may overwrite, and what they need beside their operands.
void KernelTable::planMemory(exec::KernelOp kernel) {
  Block &body = kernel.getBody().front();
  SmallVector<exec::KernelOperand> operands = exec::getKernelOperands(body);
  SmallVector<Attribute> pairs;
  for (auto [written, result] : llvm::enumerate(operands))
    for (auto [read, argument] : llvm::enumerate(operands))
      if (result.kind == exec::KernelOperand::result && argument.kind == exec::KernelOperand::tensor &&
          target.mayOverwrite(kernel.getSchedule(), body, argument.index, result.index))
        pairs.push_back(exec::InPlaceAttr::get(kernel.getContext(), written, read));
  if (!pairs.empty())
    kernel.setInPlaceAttr(builder.getArrayAttr(pairs));
  if (int64_t bytes = target.scratchBytes(kernel.getSchedule(), body)) {
    SmallVector<Attribute> accesses(kernel.getAccesses().getValue());
    accesses.push_back(exec::AccessAttr::get(kernel.getContext(), exec::Access::read_write));
    kernel.setAccessesAttr(builder.getArrayAttr(accesses));
    kernel.setScratch(bytes);
  }
  if (SmallVector<int64_t> early = target.earlyOperands(kernel.getSchedule(), body); !early.empty())
    kernel.setEarly(early);
}

/// "matmul_3": what the kernel is anchored on and a number.
std::string KernelTable::nameOf(exec::KernelOp kernel) {
  StringRef anchor = "rows";
  for (Operation &op : kernel.getBody().front())
    if (mj::isAnchor(&op))
      anchor = op.getName().stripDialect();
  return (anchor + "_" + Twine(kernels.size() - 1)).str();
}
