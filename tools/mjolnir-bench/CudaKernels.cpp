// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Kernels of a CUDA package, each for itself: launches back to back in one graph, over buffers that rotate through more
// memory than a cache holds.
#include "CudaGraph.h"

#include "SessionPlan.h"
#include "mjolnir/format/Format.h"

#include <map>

namespace mjolnir::bench {

using namespace runtime;
using namespace runtime::cuda;

CudaGraph::CudaGraph(const Package &package)
    : device_(static_cast<const CudaDevice &>(package.device())), scope_(device_.driver(), device_.context()) {
  check(driver().check(driver().streamCreate(&stream_, StreamNonBlocking), "making a stream"));
  for (Event *event : {&begun_, &ended_})
    check(driver().check(driver().eventCreate(event, EventDefault), "making an event"));
}

CudaGraph::~CudaGraph() {
  clear();
  for (Event event : {begun_, ended_})
    if (event)
      driver().eventDestroy(event);
  if (stream_)
    driver().streamDestroy(stream_);
}

void CudaGraph::clear() {
  if (stream_)
    driver().streamSynchronize(stream_);
  if (graph_)
    driver().graphExecDestroy(graph_);
  graph_ = nullptr;
}

void CudaGraph::capture(const std::function<void()> &work) {
  clear();
  check(driver().check(driver().streamBeginCapture(stream_, CaptureModeThreadLocal), "starting to capture"));
  Graph graph = nullptr;
  try {
    work();
  } catch (...) {
    driver().streamEndCapture(stream_, &graph);
    if (graph)
      driver().graphDestroy(graph);
    throw;
  }
  check(driver().check(driver().streamEndCapture(stream_, &graph), "capturing the graph"));
  Status made = driver().check(driver().graphInstantiate(&graph_, graph, 0), "making the graph ready to run");
  driver().graphDestroy(graph);
  check(made);
}

void CudaGraph::launch(uint32_t kernelIndex, const char *name, uint32_t tiles, bool isDependent, void **operands,
                       size_t count) {
  const CudaKernel &kernel = device_.kernel(kernelIndex);
  check(parameters_.set(driver(), name, kernel.tensorMaps, operands, count));
  LaunchAttribute dependent = {};
  dependent.id = LaunchAttributeProgrammaticStreamSerialization;
  dependent.value.programmaticStreamSerializationAllowed = 1;
  LaunchConfig config = {
      tiles, 1, 1, kernel.threads, 1, 1, kernel.sharedBytes, stream_, &dependent, isDependent ? 1u : 0u};
  check(driver().check(driver().launchKernel(&config, kernel.function, parameters_.data(), nullptr),
                       "launching kernel ", name));
}

std::vector<double> CudaGraph::time(uint32_t runs) {
  std::vector<double> seconds;
  for (uint32_t i = 0; i <= runs; ++i) {
    check(driver().check(driver().eventRecord(begun_, stream_), "recording an event"));
    check(driver().check(driver().graphLaunch(graph_, stream_), "replaying the graph"));
    check(driver().check(driver().eventRecord(ended_, stream_), "recording an event"));
    check(driver().check(driver().streamSynchronize(stream_), "running the graph"));
    float milliseconds = 0;
    check(driver().check(driver().eventElapsed(&milliseconds, begun_, ended_), "reading the time"));
    if (i > 0)
      seconds.push_back(double(milliseconds) * 1e-3);
  }
  return seconds;
}

namespace {

constexpr uint64_t Alignment = 256;
constexpr size_t LargestGraph = 4096; ///< launches
constexpr size_t LeastLaunches = 64;

/// Copies of what a kernel's launches read and write, one after the other in memory; of a language model's index inputs
/// with other pages in each, of another entry's inputs as they are.
class Rotation {
public:
  Rotation(CudaGraph &graph, const Package &package, size_t entry, const Options &options)
      : graph(graph), driver(graph.driver()), package(package), entry(entry), options(options) {}

  /// Prepares launches of the steps `steps`, all of the same kernel, that move `bytes` each.
  void prepare(const std::vector<size_t> &steps, double bytes) {
    const uint64_t wanted = uint64_t(options.rotateMegabytes) << 20;
    const fb::Launch &first = launchOf(steps.front());
    uint64_t own = 0; // of one launch, without the KV cache
    bool usesPool = false;
    for (const fb::Operand *operand : *first.operands()) {
      own += format::alignUp(operand->bytes(), Alignment);
      usesPool |= operand->space() == fb::Space::pool;
    }
    // What a launch touches is never more than what it is given, but a row of an embedding is far less.
    uint64_t touched = std::max<uint64_t>(1, uint64_t(std::max(bytes, 1.0)));
    count = std::min<uint64_t>(std::max<uint64_t>(wanted / touched + 1, LeastLaunches), LargestGraph);
    copies = std::max<uint64_t>(1, std::min<uint64_t>(count, own ? wanted / own + 1 : 1));
    check(DeviceMemory::allocate(driver, own * copies, "the buffers that rotate", memory));
    check(driver.check(driver.memorySet(memory.pointer(), 0x3c, own * copies, graph.stream()), "filling memory"));
    this->steps = steps;
    this->own = own;
    Inputs one(package, entry, options);
    if (package.entry(entry).kind() == fb::EntryKind::plain) {
      addInputs(one);
      uint64_t given = 1;
      for (const Binding &binding : package.bindings(entry).inputs)
        given += binding.bytes;
      for (uint64_t sets = std::min({count, kMostSets, wanted / given + 1}); inputSets.size() < sets;)
        repeatInputs();
      return;
    }
    // Each set of inputs has pages of its own; steps of several layers share a page and lie apart in it. Not every
    // launch needs a new set: what they touch together has to be more than what is wanted.
    uint64_t turns = (count + steps.size() - 1) / steps.size(), enough = wanted / (touched * steps.size()) + 1;
    uint64_t sets = usesPool ? std::min({turns, enough, kMostSets}) : 1;
    makePools(uint32_t(one.pages() * sets));
    poolBytes = usesPool ? touched * std::min<uint64_t>(sets * steps.size(), count) : 0;
    for (uint64_t set = 0; set < sets; ++set)
      addInputs(Inputs(package, entry, options, uint32_t(set * one.pages())));
  }

  void launchAll() {
    std::vector<void *> operands;
    for (uint64_t i = 0; i < count; ++i) {
      const fb::Launch &launch = launchOf(steps[i % steps.size()]);
      operands.clear();
      uint64_t next = memory.pointer() + i % copies * own;
      for (const fb::Operand *operand : *launch.operands()) {
        operands.push_back(reinterpret_cast<void *>(placeOf(*operand, next, i / steps.size() % inputSets.size())));
        next += format::alignUp(operand->bytes(), Alignment);
      }
      graph.launch(launch.kernel(), package.program().kernels()->Get(launch.kernel())->name()->c_str(), launch.tiles(),
                   i > 0 && startsEarly(steps[i % steps.size()]) && options.dependentLaunches, operands.data(),
                   operands.size());
    }
  }

  uint64_t launches() const { return count; }
  /// Pages that no launch uses, those of other layers, do not count.
  uint64_t rotatedBytes() const { return own * copies + poolBytes; }

  /// Real weights where copies of them lie, so that the values are those of the model.
  void copyWeights() {
    for (uint64_t i = 0; i < copies; ++i) {
      uint64_t next = memory.pointer() + i * own;
      for (const fb::Operand *operand : *launchOf(steps[i % steps.size()]).operands()) {
        if (operand->space() == fb::Space::weight) {
          const fb::Weight *weight = package.program().weights()->Get(operand->index());
          auto from = reinterpret_cast<DevicePointer>(graph.device().weights()) + weight->offset() + operand->offset();
          check(driver.check(driver.copyOnDevice(next, from, operand->bytes(), graph.stream()), "copying weights"));
        }
        next += format::alignUp(operand->bytes(), Alignment);
      }
    }
    check(driver.check(driver.streamSynchronize(graph.stream()), "copying weights"));
  }

private:
  static constexpr uint64_t kMostSets = 64;

  /// Whether a launch may start before the one before it ends, as within a run of the entry. Of the first step a
  /// package cannot say so, since nothing comes before it there; here the same kernel does, which waits and writes
  /// elsewhere.
  bool startsEarly(size_t step) const { return launchOf(step).dependent() || step == 0; }

  const fb::Launch &launchOf(size_t step) const {
    return *package.entry(entry).steps()->Get(uint32_t(step))->kind_as_Launch();
  }

  DevicePointer placeOf(const fb::Operand &operand, uint64_t own, size_t set) const {
    if (operand.space() == fb::Space::pool)
      return pools[operand.index()].pointer() + operand.offset();
    if (operand.space() == fb::Space::input)
      return inputSets[set][operand.index()].pointer() + operand.offset();
    return own;
  }

  void makePools(uint32_t pages) {
    for (const fb::KvPool *pool : *package.program().kv_pools()) {
      uint64_t bytes = uint64_t(pages) * pool->bytes_per_page();
      pools.emplace_back();
      check(DeviceMemory::allocate(driver, bytes, "the KV pages of the measurement", pools.back()));
      check(driver.check(driver.memorySet(pools.back().pointer(), 0x3c, bytes, graph.stream()), "filling KV pages"));
    }
  }

  void addInputs(const Inputs &inputs) {
    inputSets.emplace_back();
    const std::vector<Binding> &bindings = package.bindings(entry).inputs;
    for (size_t i = 0; i < bindings.size(); ++i) {
      inputSets.back().emplace_back();
      DeviceMemory &place = inputSets.back().back();
      check(DeviceMemory::allocate(driver, bindings[i].bytes, "the inputs of the measurement", place));
      check(driver.check(driver.copyToDevice(place.pointer(), inputs.data(i), bindings[i].bytes, graph.stream()),
                         "copying inputs"));
      check(driver.check(driver.streamSynchronize(graph.stream()), "copying inputs"));
    }
  }

  /// Another copy of the first inputs.
  void repeatInputs() {
    inputSets.emplace_back();
    const std::vector<Binding> &bindings = package.bindings(entry).inputs;
    for (size_t i = 0; i < bindings.size(); ++i) {
      inputSets.back().emplace_back();
      DeviceMemory &place = inputSets.back().back();
      check(DeviceMemory::allocate(driver, bindings[i].bytes, "the inputs of the measurement", place));
      check(driver.check(
          driver.copyOnDevice(place.pointer(), inputSets.front()[i].pointer(), bindings[i].bytes, graph.stream()),
          "copying inputs"));
    }
  }

  CudaGraph &graph;
  const Driver &driver;
  const Package &package;
  size_t entry;
  const Options &options;
  std::vector<size_t> steps;
  uint64_t own = 0, copies = 1, count = 0, poolBytes = 0;
  DeviceMemory memory;
  std::vector<DeviceMemory> pools;
  std::vector<std::vector<DeviceMemory>> inputSets;
};

} // namespace

Json benchCudaKernels(const Package &package, size_t index, const Options &options, const Costs &costs,
                      const Bandwidth &bandwidth) {
  CudaGraph graph(package);
  const uint32_t context = Inputs(package, index, options.context).context();
  std::map<uint32_t, std::vector<size_t>> kernels;
  const fb::Entry &entry = package.entry(index);
  for (uint32_t step = 0; step < entry.steps()->size(); ++step)
    if (const fb::Launch *launch = entry.steps()->Get(step)->kind_as_Launch())
      kernels[launch->kernel()].push_back(step);
  Json result = Json::array();
  for (const auto &[kernel, steps] : kernels) {
    Moved moved;
    for (size_t step : steps)
      if (costs.isKnown())
        moved += costs.of(index, step, context);
    moved = {moved.read / double(steps.size()), moved.written / double(steps.size())};
    Rotation rotation(graph, package, index, options);
    rotation.prepare(steps, moved.read + moved.written);
    rotation.copyWeights();
    graph.capture([&] { rotation.launchAll(); });
    std::vector<double> seconds = graph.time(options.runs);
    for (double &value : seconds)
      value /= double(rotation.launches());
    double middle = median(seconds);
    Json row{{"kernel", package.program().kernels()->Get(kernel)->name()->str()},
             {"launches", steps.size()},
             {"tiles", entry.steps()->Get(uint32_t(steps.front()))->kind_as_Launch()->tiles()},
             {"clock", "device"},
             {"graph_launches", rotation.launches()},
             {"rotated_bytes", rotation.rotatedBytes()}};
    row["microseconds"] = describeTimes(std::move(seconds));
    if (costs.isKnown())
      row.update(describeMoved(moved, middle, bandwidth));
    result.push_back(std::move(row));
  }
  return result;
}

} // namespace mjolnir::bench
