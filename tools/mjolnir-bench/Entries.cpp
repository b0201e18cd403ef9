// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Whole runs of entries: a decode step with all that belongs to it, a prefill.
#include "Bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

namespace mjolnir::bench {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr uint32_t Warmup = 5;

Json describeEntry(const runtime::Package &package, size_t index, const Inputs &inputs) {
  const fb::Entry &entry = package.entry(index);
  Json result{{"entry", entry.name()->str()}, {"steps", entry.steps()->size()}};
  if (entry.kind() == fb::EntryKind::ragged) {
    result["tokens"] = entry.tokens();
    result["sequences"] = inputs.sequences();
    result["context"] = inputs.context();
  }
  return result;
}

} // namespace

bool runsOnCuda(const runtime::Package &package) { return package.program().target()->kind()->string_view() == "cuda"; }

Runner::Runner(const runtime::Package &package, size_t entry, const Options &options)
    : inputs(package, entry, options), entry(entry) {
  runtime::SessionOptions wanted;
  wanted.threads = options.threads;
  wanted.kvPages = wanted.kvWindowPages = inputs.pages();
  wanted.useGraphs = options.graphs;
  wanted.useDependentLaunches = options.dependentLaunches;
  check(package.device().createSession(package, wanted, session));
}

double Runner::run() {
  auto start = Clock::now();
  check(session->run(entry, inputs.inputs().data(), inputs.inputs().size(), inputs.outputs().data(),
                     inputs.outputs().size()));
  double seconds = since(start);
  const mj_step_profile *profile = nullptr;
  if (session->profile(&profile) == 1 && profile->tiles == 0)
    return double(profile->nanoseconds) * 1e-9;
  return seconds;
}

std::pair<double, double> Runner::runAhead(uint32_t runs, Runs how) {
  std::vector<double> host;
  auto begin = Clock::now();
  for (uint32_t i = 0; i < runs; ++i) {
    if (how == Runs::Growing)
      inputs.grow(i, runs);
    auto start = Clock::now();
    check(session->start(entry, inputs.inputs().data(), inputs.inputs().size(), inputs.outputs().data(),
                         inputs.outputs().size(), how != Runs::Apart && i > 0));
    host.push_back(since(start));
    if (i > 0)
      check(session->wait());
  }
  check(session->wait());
  return {median(std::move(host)), since(begin) / runs};
}

Json benchEntry(const runtime::Package &package, size_t index, const Options &options, const Costs &costs,
                const Bandwidth &bandwidth) {
  Runner runner(package, index, options);
  bool hasClock = runner.session->isAsynchronous();
  if (hasClock)
    runner.session->setProfiling(MJ_PROFILE_RUNS);
  for (uint32_t i = 0; i < Warmup; ++i)
    runner.run();
  std::vector<double> seconds;
  for (uint32_t i = 0; i < options.runs; ++i)
    seconds.push_back(runner.run());
  double middle = median(seconds), each = middle;
  Json result = describeEntry(package, index, runner.inputs);
  result["clock"] = hasClock ? "device" : "host";
  result["microseconds"] = describeTimes(std::move(seconds));
  if (hasClock) {
    runner.session->setProfiling(MJ_PROFILE_OFF);
    // Steps of a generator continue each other. What they take of the host depends on how sequences grow: what the
    // device knows is not sent.
    const bool isDecode = runner.inputs.isDecode();
    auto [host, step] = runner.runAhead(options.runs, isDecode ? Runner::Runs::Continuing : Runner::Runs::Apart);
    if (isDecode)
      host = runner.runAhead(options.runs, Runner::Runs::Growing).first;
    result["host_microseconds"] = std::round(host * 1e9) / 1e3;
    result["run_ahead_microseconds"] = std::round(step * 1e9) / 1e3;
    each = step; // what a caller sees
  }
  if (package.entry(index).kind() == fb::EntryKind::ragged)
    result["tokens_per_second"] = std::round(double(package.entry(index).tokens()) / each * 10) / 10;
  if (costs.isKnown()) {
    Moved moved;
    for (size_t step = 0; step < package.entry(index).steps()->size(); ++step)
      moved += costs.of(index, step, runner.inputs.context());
    result.update(describeMoved(moved, middle, bandwidth));
  }
  return result;
}

Json benchPair(const runtime::Package &package, const runtime::Package &versus, size_t entry, size_t versusEntry,
               const Options &options) {
  Runner ours(package, entry, options), theirs(versus, versusEntry, options);
  for (Runner *runner : {&ours, &theirs}) {
    if (runner->session->isAsynchronous())
      runner->session->setProfiling(MJ_PROFILE_RUNS);
    for (uint32_t i = 0; i < Warmup; ++i)
      runner->run();
  }
  std::vector<double> first, second, ratios;
  for (uint32_t i = 0; i < options.runs; ++i) {
    // Who starts changes from pair to pair: what comes second may find a warmer machine.
    double a = 0, b = 0;
    if (i % 2 == 0)
      a = ours.run();
    b = theirs.run();
    if (i % 2 != 0)
      a = ours.run();
    first.push_back(a);
    second.push_back(b);
    ratios.push_back(b / a);
  }
  Json result = describeEntry(package, entry, ours.inputs);
  for (double &ratio : ratios)
    ratio = std::round(ratio * 1e4) / 1e4;
  std::sort(ratios.begin(), ratios.end());
  // How many times faster the first package is.
  result["ratio"] = {{"median", median(ratios)}, {"least", ratios.front()}, {"largest", ratios.back()}};
  result["microseconds"] = describeTimes(std::move(first));
  result["versus_microseconds"] = describeTimes(std::move(second));
  return result;
}

Json benchKernels(const runtime::Package &package, size_t index, const Options &options, const Costs &costs,
                  const Bandwidth &bandwidth) {
  if (runsOnCuda(package))
    return benchCudaKernels(package, index, options, costs, bandwidth);
  Runner runner(package, index, options);
  runner.session->setProfiling(MJ_PROFILE_STEPS);
  for (uint32_t i = 0; i < Warmup; ++i)
    runner.run();
  struct Kernel {
    std::vector<double> seconds;
    Moved moved;
    size_t launches = 0;
    uint32_t tiles = 0;
  };
  std::map<std::string, Kernel> kernels;
  for (uint32_t i = 0; i < options.runs; ++i) {
    runner.run();
    const mj_step_profile *profile = nullptr;
    size_t count = runner.session->profile(&profile);
    for (size_t step = 0; step < count; ++step) {
      Kernel &kernel = kernels[profile[step].kernel];
      kernel.seconds.push_back(double(profile[step].nanoseconds) * 1e-9);
      kernel.tiles = profile[step].tiles;
      kernel.launches += i == 0;
      if (i == 0 && costs.isKnown())
        kernel.moved += costs.of(index, step, runner.inputs.context());
    }
  }
  Json result = Json::array();
  for (auto &[name, kernel] : kernels) {
    double seconds = std::max(median(kernel.seconds), 1e-9), launches = double(kernel.launches);
    Json row{{"kernel", name}, {"launches", kernel.launches}, {"tiles", kernel.tiles}, {"clock", "host"}};
    row["microseconds"] = describeTimes(std::move(kernel.seconds));
    if (costs.isKnown())
      row.update(describeMoved({kernel.moved.read / launches, kernel.moved.written / launches}, seconds, bandwidth));
    result.push_back(std::move(row));
  }
  return result;
}

} // namespace mjolnir::bench
