// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Resolves the steps of an entry. The program is verified: nothing is checked here.
#include "SessionPlan.h"

namespace mjolnir::runtime {

SessionPlan::SessionPlan(const Package &package, size_t entryIndex, const SessionMemory &memory) {
  const fb::Entry &entry = package.entry(entryIndex);
  size_t operandCount = 0;
  for (const fb::Step *step : *entry.steps()) {
    const fb::Launch *launch = step->kind_as_Launch();
    operandCount += launch ? launch->operands()->size() : step->kind_as_Copy() ? 2 : CallOperandCount;
  }
  operands_ = std::make_unique<void *[]>(operandCount);
  steps_.reserve(entry.steps()->size());

  void **next = operands_.get();
  for (const fb::Step *step : *entry.steps()) {
    void **first = next;
    if (const fb::Launch *launch = step->kind_as_Launch()) {
      for (const fb::Operand *operand : *launch->operands())
        place(next++, *operand, package, memory);
      const fb::Kernel *kernel = package.program().kernels()->Get(launch->kernel());
      steps_.push_back({launch->kernel(), launch->operands()->size(), first, launch->tiles(), 0, launch->dependent(),
                        kernel->name()->c_str()});
    } else if (const fb::MatmulCall *call = step->kind_as_MatmulCall()) {
      for (const fb::Operand *operand : {call->x(), call->weight(), call->result(), call->weight_scale(), call->bias(),
                                         call->residual(), call->workspace()}) {
        if (operand)
          place(next, *operand, package, memory);
        ++next;
      }
      steps_.push_back({PlannedStep::Call, CallOperandCount, first, 1, 0, false, call->name()->c_str(), call});
    } else {
      const fb::Copy *copy = step->kind_as_Copy();
      place(next++, *copy->destination(), package, memory);
      place(next++, *copy->source(), package, memory);
      steps_.push_back({PlannedStep::Copy, 2, first, 1, copy->source()->bytes(), false, "copy"});
    }
  }
}

void SessionPlan::place(void **where, const fb::Operand &operand, const Package &package, const SessionMemory &memory) {
  switch (operand.space()) {
  case fb::Space::input:
  case fb::Space::output:
    patches_.push_back({where, operand.offset(), operand.index(), operand.space() == fb::Space::output});
    break;
  case fb::Space::arena:
    *where = memory.arena + operand.offset();
    break;
  case fb::Space::weight: {
    const fb::Weight *weight = package.program().weights()->Get(operand.index());
    *where = const_cast<uint8_t *>(memory.weights + weight->offset() + operand.offset());
    break;
  }
  case fb::Space::pool:
    *where = memory.pools[operand.index()] + operand.offset();
    break;
  case fb::Space::state:
    *where = memory.states[operand.index()] + operand.offset();
    break;
  }
}

} // namespace mjolnir::runtime
