// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How long each step of an entry takes within a run.
#include "CudaGraph.h"

#include "SessionPlan.h"

#include <algorithm>

namespace mjolnir::bench {

using namespace runtime;
using namespace runtime::cuda;

namespace {

/// What all graphs of an entry may take together, seconds.
constexpr double Budget = 6;
constexpr uint32_t FewestRuns = 3;
constexpr size_t StepsBehind = 3;
/// Where a run is longer than this, seconds, a step is measured behind so many others only: the differences of long
/// times drown in their noise.
constexpr double LongRun = 4e-3;
constexpr size_t StepsBefore = 16;

/// Steps of an entry as a graph: its plan over memory of its own.
class SomeSteps {
public:
  SomeSteps(CudaGraph &graph, const Package &package, size_t entry, const Options &options)
      : graph(graph), driver(graph.driver()), usesDependentLaunches(options.dependentLaunches) {
    Inputs inputs(package, entry, options);
    allocate(package.entry(entry).arena_bytes(), "the arena of the measurement", arena);
    SessionMemory memory;
    memory.arena = arena.data();
    memory.weights = graph.device().weights();
    for (const fb::KvPool *pool : *package.program().kv_pools()) {
      pools.emplace_back();
      allocate(uint64_t(inputs.pages()) * pool->bytes_per_page(), "the KV pages of the measurement", pools.back());
      memory.pools.push_back(pools.back().data());
    }
    for (const Binding &state : package.states()) {
      states.emplace_back();
      allocate(state.bytes, "the session's states of the measurement", states.back());
      memory.states.push_back(states.back().data());
    }
    plan = std::make_unique<SessionPlan>(package, entry, memory);
    std::vector<uint8_t *> in, out;
    const EntryBindings &bindings = package.bindings(entry);
    for (size_t i = 0; i < bindings.inputs.size(); ++i) {
      in.push_back(addTensor(bindings.inputs[i]));
      check(driver.check(driver.copyToDevice(reinterpret_cast<DevicePointer>(in.back()), inputs.data(i),
                                             bindings.inputs[i].bytes, graph.stream()),
                         "copying inputs"));
      check(driver.check(driver.streamSynchronize(graph.stream()), "copying inputs"));
    }
    for (const Binding &binding : bindings.outputs)
      out.push_back(addTensor(binding));
    plan->bind(in.data(), out.data());
  }

  size_t size() const { return plan->steps().size(); }

  /// Makes the steps from `begin` to `end` the graph, and behind them the first steps once more: what ends a graph, and
  /// what runs beside a step because it may start early, is then the same whatever step is the last.
  void capture(size_t begin, size_t end) {
    graph.capture([&] {
      for (size_t i = begin; i < end; ++i)
        enqueue(plan->steps()[i]);
      for (size_t i = 0; i < std::min(size(), StepsBehind); ++i)
        enqueue(plan->steps()[i]);
    });
  }

private:
  void allocate(uint64_t bytes, const char *purpose, DeviceMemory &memory) {
    check(DeviceMemory::allocate(driver, bytes, purpose, memory));
    if (bytes)
      check(driver.check(driver.memorySet(memory.pointer(), 0, bytes, graph.stream()), "clearing memory"));
  }

  uint8_t *addTensor(const Binding &binding) {
    tensors.emplace_back();
    allocate(binding.bytes, "the tensors of the measurement", tensors.back());
    return tensors.back().data();
  }

  void enqueue(const PlannedStep &step) {
    auto at = [&](uint32_t operand) { return reinterpret_cast<DevicePointer>(step.operands[operand]); };
    if (step.kernel == PlannedStep::Copy) {
      if (at(0) != at(1))
        check(driver.check(driver.copyOnDevice(at(0), at(1), step.copyBytes, graph.stream()), "copying"));
      return;
    }
    graph.launch(step.kernel, step.name, step.tiles, step.isDependent && usesDependentLaunches, step.operands,
                 step.operandCount);
  }

  CudaGraph &graph;
  const Driver &driver;
  const bool usesDependentLaunches;
  DeviceMemory arena;
  std::vector<DeviceMemory> pools, states, tensors;
  std::unique_ptr<SessionPlan> plan;
};

} // namespace

StepTimes measureCudaSteps(const Package &package, size_t entry, const Options &options) {
  for (const fb::Step *step : *package.entry(entry).steps())
    if (step->kind_as_MatmulCall())
      throw std::runtime_error("'" + package.entry(entry).name()->str() +
                               "' calls a library, whose steps are not timed one by one; compile the model with "
                               "--libraries=none");
  CudaGraph graph(package);
  SomeSteps steps(graph, package, entry, options);
  steps.capture(0, steps.size());
  const double whole = median(graph.time(FewestRuns));
  const size_t before = whole > LongRun ? StepsBefore : steps.size();
  // Of graphs that grow to the whole one takes half of it; those behind a few steps are two for each step.
  const double all = before == steps.size() ? whole * double(steps.size()) / 2 : 2 * whole * double(before);
  StepTimes result;
  result.runs = std::clamp(uint32_t(std::min(Budget / std::max(all, 1e-9), 1e6)), std::min(FewestRuns, options.runs),
                           options.runs);
  auto measure = [&](size_t begin, size_t end) {
    steps.capture(begin, end);
    return median(graph.time(result.runs));
  };
  double last = measure(0, 0);
  for (size_t i = 0; i < steps.size(); ++i) {
    if (i > before)
      last = measure(i - before, i);
    double seconds = measure(i > before ? i - before : 0, i + 1);
    result.seconds.push_back(seconds - last);
    last = seconds;
  }
  graph.capture([] {});
  result.startSeconds = median(graph.time(result.runs));
  return result;
}

StepTimes measureSteps(const Package &package, size_t entry, const Options &options) {
  if (runsOnCuda(package))
    return measureCudaSteps(package, entry, options);
  Runner runner(package, entry, options);
  runner.session->setProfiling(MJ_PROFILE_STEPS);
  runner.run();
  std::vector<std::vector<double>> seconds;
  for (uint32_t i = 0; i < options.runs; ++i) {
    runner.run();
    const mj_step_profile *profile = nullptr;
    seconds.resize(runner.session->profile(&profile));
    for (size_t step = 0; step < seconds.size(); ++step)
      seconds[step].push_back(double(profile[step].nanoseconds) * 1e-9);
  }
  StepTimes result;
  result.runs = options.runs;
  for (std::vector<double> &values : seconds)
    result.seconds.push_back(median(std::move(values)));
  return result;
}

} // namespace mjolnir::bench
