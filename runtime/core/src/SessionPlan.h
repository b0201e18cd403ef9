// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// An entry made ready to run in one session: operands as addresses. Only the caller's inputs and outputs change from
// run to run; where their addresses go is a list.
#ifndef MJOLNIR_RUNTIME_SESSIONPLAN_H
#define MJOLNIR_RUNTIME_SESSIONPLAN_H

#include "Package.h"

#include <memory>
#include <vector>

namespace mjolnir::runtime {

/// The memory that the spaces of operands mean in one session.
struct SessionMemory {
  uint8_t *arena = nullptr;
  const uint8_t *weights = nullptr;
  std::vector<uint8_t *> pools, states;
};

/// A launch; a copy: then the operands are destination and source; or a call of a library, whose operands are those of
/// CallOperand, null where it has none.
struct PlannedStep {
  static constexpr uint32_t Copy = UINT32_MAX, Call = UINT32_MAX - 1;

  uint32_t kernel; ///< of the program, or Copy, or Call
  uint32_t operandCount;
  void **operands; ///< addresses
  uint32_t tiles;
  uint64_t copyBytes;
  bool isDependent; ///< may start before the step before it ends
  const char *name;
  const fb::MatmulCall *call = nullptr;
};

/// The operands of a call, as a planned step has them.
enum CallOperand : uint32_t {
  CallX,
  CallWeight,
  CallResult,
  CallWeightScale,
  CallBias,
  CallResidual,
  CallWorkspace,
  CallOperandCount
};

class SessionPlan {
public:
  SessionPlan(const Package &package, size_t entry, const SessionMemory &memory);

  const std::vector<PlannedStep> &steps() const { return steps_; }
  /// Writes the addresses of this run's inputs and outputs, by index, into the operand tables.
  void bind(uint8_t *const *inputs, uint8_t *const *outputs) {
    for (const Patch &patch : patches_)
      *patch.where = (patch.isOutput ? outputs : inputs)[patch.index] + patch.offset;
  }

private:
  struct Patch {
    void **where;
    uint64_t offset;
    uint32_t index;
    bool isOutput;
  };
  void place(void **where, const fb::Operand &operand, const Package &package, const SessionMemory &memory);

  std::unique_ptr<void *[]> operands_; // of all steps, one after the other
  std::vector<PlannedStep> steps_;
  std::vector<Patch> patches_;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_SESSIONPLAN_H
