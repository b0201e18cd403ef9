// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Resolves the steps of an entry. The program is verified: nothing is checked here.
#include "SessionPlan.h"

#include <algorithm>
#include <cstring>

namespace mjolnir::runtime {
namespace {

constexpr uint64_t CopyTileBytes = uint64_t(1) << 20;

/// A copy as a kernel, so that threads share large ones. Operands: destination, source, the number of bytes.
void copyKernel(void *const *operands, int64_t tile) {
  uint64_t begin = static_cast<uint64_t>(tile) * CopyTileBytes;
  uint64_t bytes = std::min(CopyTileBytes, *static_cast<const uint64_t *>(operands[2]) - begin);
  std::memcpy(static_cast<uint8_t *>(operands[0]) + begin, static_cast<const uint8_t *>(operands[1]) + begin, bytes);
}

} // namespace

SessionPlan::SessionPlan(const Package &package, size_t entryIndex, const SessionMemory &memory) {
  const fb::Entry &entry = package.entry(entryIndex);
  size_t operandCount = 0, copyCount = 0;
  for (const fb::Step *step : *entry.steps()) {
    const fb::Launch *launch = step->kind_as_Launch();
    operandCount += launch ? launch->operands()->size() : 3;
    copyCount += launch ? 0 : 1;
  }
  operands_ = std::make_unique<void *[]>(operandCount);
  copyBytes_ = std::make_unique<uint64_t[]>(copyCount);
  steps_.reserve(entry.steps()->size());

  void **next = operands_.get();
  uint64_t *nextBytes = copyBytes_.get();
  for (const fb::Step *step : *entry.steps()) {
    void **first = next;
    if (const fb::Launch *launch = step->kind_as_Launch()) {
      for (const fb::Operand *operand : *launch->operands())
        place(next++, *operand, package, memory);
      const fb::Kernel *kernel = package.program().kernels()->Get(launch->kernel());
      steps_.push_back({package.device().kernel(launch->kernel()), first, launch->tiles(), kernel->name()->c_str()});
    } else {
      const fb::Copy *copy = step->kind_as_Copy();
      *nextBytes = copy->source()->bytes();
      place(next++, *copy->destination(), package, memory);
      place(next++, *copy->source(), package, memory);
      *next++ = nextBytes++;
      uint64_t tiles = (copy->source()->bytes() + CopyTileBytes - 1) / CopyTileBytes;
      steps_.push_back({copyKernel, first, static_cast<uint32_t>(tiles), "copy"});
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
  }
}

} // namespace mjolnir::runtime
