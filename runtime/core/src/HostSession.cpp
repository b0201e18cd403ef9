// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Sessions on device `host`.
#include "HostSession.h"
#include "CpuFeatures.h"

#include "mjolnir/format/Format.h"

#include <algorithm>
#include <cstring>

namespace mjolnir::runtime {
namespace {

constexpr uint32_t MaxThreads = 1024;
constexpr uint64_t CopyTileBytes = uint64_t(1) << 20;

/// A copy as a kernel, so that threads share large ones. Operands: destination, source, the number of bytes.
void copyKernel(void *const *operands, int64_t tile) {
  uint64_t begin = static_cast<uint64_t>(tile) * CopyTileBytes;
  uint64_t bytes = std::min(CopyTileBytes, *static_cast<const uint64_t *>(operands[2]) - begin);
  std::memcpy(static_cast<uint8_t *>(operands[0]) + begin, static_cast<const uint8_t *>(operands[1]) + begin, bytes);
}

} // namespace

Status HostSession::create(const Package &package, const HostDevice &device, const SessionOptions &options,
                           std::unique_ptr<Session> &result) {
  const uint32_t threads = options.threads;
  if (threads > MaxThreads)
    return failure(MJ_ERROR_INVALID_ARGUMENT, "a session of ", threads, " threads was asked for; at most ", MaxThreads,
                   " are possible");
  std::unique_ptr<HostSession> session(new HostSession(package, device));
  if (Status status = session->prepare(options.kvPages, options.kvWindowPages))
    return status;
  session->phases_.begin("allocate memory");
  if (Status status = session->allocate())
    return status;
  session->phases_.begin("start threads");
  if (Status status = ThreadPool::create(threads ? threads : std::min(usableCores(), MaxThreads), session->threads_))
    return status;
  session->phases_.end();
  result = std::move(session);
  return Status::ok();
}

Status HostSession::allocate() {
  uint64_t scratchBytes = 0;
  for (size_t i = 0; i < package_.entryCount(); ++i) {
    uint64_t bytes = 0;
    for (const Binding &output : package_.bindings(i).outputs)
      bytes += format::alignUp(output.bytes, format::DataAlignment);
    scratchBytes = std::max(scratchBytes, bytes);
  }
  if (Status status = Memory::allocate(arenaBytes(), "the session's arena", arena_))
    return status;
  if (Status status = Memory::allocate(scratchBytes, "memory for outputs that are not asked for", scratch_))
    return status;

  SessionMemory memory;
  memory.arena = arena_.data();
  memory.weights = package_.view().weights();
  for (uint32_t i = 0; i < package_.program().kv_pools()->size(); ++i) {
    uint64_t bytes = 0;
    std::string purpose;
    if (Status status = poolBytes(i, bytes, purpose))
      return status;
    pools_.emplace_back();
    if (Status status = Memory::allocate(bytes, purpose, pools_.back()))
      return status;
    memory.pools.push_back(pools_.back().data());
  }
  for (size_t i = 0; i < package_.states().size(); ++i) {
    states_.emplace_back();
    if (Status status = Memory::allocate(package_.states()[i].bytes, stateText(i), states_.back()))
      return status;
    memory.states.push_back(states_.back().data());
  }
  plans_.reserve(package_.entryCount());
  for (size_t i = 0; i < package_.entryCount(); ++i) {
    plans_.emplace_back(package_, i, memory);
    if (feedsItself(i))
      fedTokens_.resize(std::max<size_t>(fedTokens_.size(), package_.entry(i).tokens()));
  }
  inputAddresses_.resize(inputs_.size());
  outputAddresses_.resize(outputs_[0].size());
  return Status::ok();
}

Status HostSession::startRun(const Run &run) {
  const EntryBindings &bindings = package_.bindings(run.entry);
  for (size_t i = 0; i < bindings.inputs.size(); ++i)
    inputAddresses_[i] = inputs_[i].address;
  if (run.continues) {
    if (Status status = checkFedTokens(run.entry))
      return status;
    inputAddresses_[tokensInput(run.entry)] = reinterpret_cast<uint8_t *>(fedTokens_.data());
  }
  uint8_t *scratch = scratch_.data();
  for (size_t i = 0; i < bindings.outputs.size(); ++i) {
    uint8_t *wanted = outputs_[run.lane][i].address;
    outputAddresses_[i] = wanted ? wanted : scratch;
    scratch += format::alignUp(bindings.outputs[i].bytes, format::DataAlignment);
  }
  SessionPlan &plan = plans_[run.entry];
  plan.bind(inputAddresses_.data(), outputAddresses_.data());
  if (Status status = runSteps(plan))
    return status;
  if (feedsItself(run.entry)) {
    const Binding &next = bindings.outputs[nextTokensOutput(run.entry)];
    std::memcpy(fedTokens_.data(), outputAddresses_[nextTokensOutput(run.entry)], next.bytes);
  }
  return Status::ok();
}

Status HostSession::clearStates() {
  for (Memory &state : states_)
    std::memset(state.data(), 0, state.bytes());
  return Status::ok();
}

Status HostSession::copyState(size_t state, const Place &tensor, bool isWrite) {
  uint8_t *own = states_[state].data();
  std::memcpy(isWrite ? own : tensor.address, isWrite ? tensor.address : own, states_[state].bytes());
  return Status::ok();
}

/// What a program draws is looked at before it is read as an index, as what a caller gives is.
Status HostSession::checkFedTokens(size_t index) const {
  for (uint32_t i = 0; i < package_.entry(index).tokens(); ++i)
    if (fedTokens_[i] < 0 || fedTokens_[i] >= vocabulary(index))
      return failure(MJ_ERROR_INTERNAL, "entry ", quote(package_.entry(index).name()->string_view()),
                     " cannot continue the run before it, which drew the token ", fedTokens_[i], " for sequence ", i,
                     "; the vocabulary has ", vocabulary(index), " tokens");
  return Status::ok();
}

Status HostSession::runSteps(SessionPlan &plan) {
  if (observer_) {
    for (size_t step = 0; step < plan.steps().size(); ++step) {
      runStep(plan.steps()[step]);
      observer_(step, plan.steps()[step].operands);
    }
    return Status::ok();
  }
  if (profiling_ != MJ_PROFILE_STEPS) {
    for (const PlannedStep &step : plan.steps())
      runStep(step);
    return Status::ok();
  }
  mj_step_profile *next = profile_.get();
  for (const PlannedStep &step : plan.steps()) {
    uint64_t start = nanoseconds();
    runStep(step);
    *next++ = {step.name, step.tiles, nanoseconds() - start};
  }
  profiledSteps_ = plan.steps().size();
  return Status::ok();
}

void HostSession::runStep(const PlannedStep &step) {
  if (step.kernel != PlannedStep::Copy)
    return threads_->run(device_.kernel(step.kernel), step.operands, step.tiles);
  // A result that the caller keeps where the argument lies that it begins with.
  if (step.operands[0] == step.operands[1])
    return;
  uint64_t bytes = step.copyBytes;
  void *operands[] = {step.operands[0], step.operands[1], &bytes};
  threads_->run(copyKernel, operands, static_cast<uint32_t>((bytes + CopyTileBytes - 1) / CopyTileBytes));
}

} // namespace mjolnir::runtime
