// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Entries in the report: their launches with cost and prediction, what repeats, where their buffers lie.
#include "lib/Report/Names.h"
#include "lib/Report/Sections.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::report;
namespace json = llvm::json;

CostOptions report::assumptionsOf(exec::EntryOp entry, Program &program) {
  CostOptions options;
  options.contextTokens = program.maxContext ? std::min(kContextTokens, program.maxContext) : kContextTokens;
  if (kindOf(entry) == "prefill") {
    options.contextTokens = 0;
    options.sequences = 1;
  }
  return options;
}

llvm::StringRef report::kindOf(exec::EntryOp entry) {
  if (!entry.getRagged())
    return "plain";
  return (*entry.getRagged())[0] == (*entry.getRagged())[1] ? "decode" : "prefill";
}

std::vector<Repeat> report::findRepeats(llvm::ArrayRef<int64_t> sequence) {
  int64_t size = sequence.size();
  Repeat best{0, 0, 0};
  for (int64_t period = 2; period <= size / 2; ++period) {
    int64_t run = 0; // elements that equal the one a period before
    for (int64_t i = period; i <= size; ++i) {
      if (i < size && sequence[i] == sequence[i - period]) {
        ++run;
        continue;
      }
      int64_t count = run / period + 1;
      if (count > 1 && count * period > best.count * best.period)
        best = {i - run - period, period, count};
      run = 0;
    }
  }
  if (best.count == 0)
    return {};
  int64_t end = best.first + best.period * best.count;
  std::vector<Repeat> repeats = findRepeats(sequence.take_front(best.first));
  repeats.push_back(best);
  for (Repeat repeat : findRepeats(sequence.drop_front(end)))
    repeats.push_back({repeat.first + end, repeat.period, repeat.count});
  return repeats;
}

namespace {

class EntryDescription {
public:
  EntryDescription(exec::EntryOp entry, Program &program)
      : entry(entry), program(program), options(assumptionsOf(entry, program)) {}

  json::Object describe() {
    for (Operation &op : entry.getBody().front())
      if (isa<exec::LaunchOp, exec::CopyOp>(op))
        addStep(&op);
    json::Object result{{"name", entry.getSymName()},
                        {"kind", kindOf(entry)},
                        {"inputs", describeBindings(entry.getInputs())},
                        {"outputs", describeBindings(entry.getOutputs())},
                        {"launches", std::move(launches)},
                        {"cost", describeCost(total)},
                        {"predictedSeconds", seconds},
                        {"graph", entry.getGraph()}};
    int64_t tokens = 0;
    if (auto ragged = entry.getRagged()) {
      tokens = (*ragged)[0];
      result["tokens"] = (*ragged)[0];
      result["sequences"] = (*ragged)[1];
      result["pagesPerSequence"] = (*ragged)[2];
      result["assumed"] =
          json::Object{{"contextTokens", std::max(options.contextTokens, options.sequences ? tokens : int64_t(1))},
                       {"sequences", options.sequences ? options.sequences : (*ragged)[1]}};
    }
    result["predictedTokensPerSecond"] = tokens && seconds > 0 ? json::Value(tokens / seconds) : json::Value(nullptr);
    json::Array repeats;
    for (Repeat repeat : findRepeats(sequence))
      repeats.push_back(json::Object{{"first", repeat.first}, {"period", repeat.period}, {"count", repeat.count}});
    result["repeats"] = std::move(repeats);
    result["arena"] = describeArena();
    return result;
  }

private:
  struct Life {
    int64_t first = -1, last = -1;
  };

  /// What a buffer is, for finding who wrote it: a layer of a pool is one place, however many values name it.
  using Place = std::pair<const void *, int64_t>;
  static Place placeOf(Value buffer) {
    if (auto pool = buffer.getDefiningOp<exec::PoolBufferOp>())
      return {pool.getPoolAttr().getAsOpaquePointer(), pool.getOffset()};
    return {buffer.getAsOpaquePointer(), 0};
  }

  static json::Array describeBindings(ArrayAttr bindings) {
    json::Array result;
    for (auto binding : bindings.getAsRange<exec::BindingAttr>())
      result.push_back(
          json::Object{{"name", binding.getName().getValue()}, {"type", typeName(binding.getType().getValue())}});
    return result;
  }

  void addStep(Operation *op) {
    int64_t index = sequence.size();
    json::Object step;
    KernelCost cost;
    exec::KernelOp kernel;
    SmallVector<std::pair<Value, exec::Access>> operands;
    if (auto launch = dyn_cast<exec::LaunchOp>(op)) {
      kernel = program.symbols.lookup<exec::KernelOp>(launch.getKernel());
      int64_t kernelIndex = program.kernelIndices.lookup(kernel);
      step["kernel"] = kernelIndex;
      sequence.push_back(kernelIndex);
      cost = computeCost(launch, kernel, options);
      for (auto [operand, access] : llvm::zip(launch.getOperands(), kernel.getAccesses()))
        operands.emplace_back(operand, cast<exec::AccessAttr>(access).getValue());
      if (launch.getDependent())
        step["dependent"] = true;
    } else {
      auto copy = cast<exec::CopyOp>(op);
      step["kernel"] = nullptr;
      sequence.push_back(-1);
      cost = computeCost(copy);
      operands = {{copy.getSource(), exec::Access::read}, {copy.getDestination(), exec::Access::write}};
    }

    // A part of an output is that output.
    for (auto &[buffer, access] : operands)
      if (auto part = buffer.getDefiningOp<exec::PartOp>())
        buffer = part.getBuffer();
    SmallVector<int64_t> after;
    json::Array weights, inputs, outputs;
    for (auto [buffer, access] : operands) {
      if (auto found = writers.find(placeOf(buffer));
          found != writers.end() && access != exec::Access::write && !llvm::is_contained(after, found->second))
        after.push_back(found->second);
      if (auto weight = buffer.getDefiningOp<exec::WeightBufferOp>())
        weights.push_back(weight.getWeight());
      else if (auto argument = dyn_cast<BlockArgument>(buffer))
        nameBinding(argument, access, inputs, outputs);
      else if (auto state = buffer.getDefiningOp<exec::StateBufferOp>())
        nameState(state, access, inputs, outputs);
      else if (buffer.getDefiningOp<exec::ArenaBufferOp>())
        touch(buffer, index);
    }
    for (auto [buffer, access] : operands)
      if (access != exec::Access::read)
        writers[placeOf(buffer)] = index;

    Prediction prediction = predict(op, kernel, program.target, options);
    total += cost;
    seconds += prediction.seconds();
    step["where"] = json::Array(namesOf(op->getLoc()));
    step["after"] = json::Array(after);
    step["weights"] = std::move(weights);
    step["inputs"] = std::move(inputs);
    step["outputs"] = std::move(outputs);
    step["cost"] = describeCost(cost);
    step["predictedSeconds"] = prediction.seconds();
    step["latencySeconds"] = prediction.latencySeconds;
    step["memorySeconds"] = prediction.memorySeconds;
    step["computeSeconds"] = prediction.computeSeconds;
    step["bound"] = stringifyBound(prediction.bound);
    launches.push_back(std::move(step));
  }

  void nameBinding(BlockArgument argument, exec::Access access, json::Array &inputs, json::Array &outputs) {
    unsigned index = argument.getArgNumber(), count = entry.getInputs().size();
    Attribute binding = index < count ? entry.getInputs()[index] : entry.getOutputs()[index - count];
    (access == exec::Access::read ? inputs : outputs).push_back(cast<exec::BindingAttr>(binding).getName().getValue());
  }

  static void nameState(exec::StateBufferOp state, exec::Access access, json::Array &inputs, json::Array &outputs) {
    std::string name = ("state " + state.getState()).str();
    if (access != exec::Access::write)
      inputs.push_back(name);
    if (access != exec::Access::read)
      outputs.push_back(name);
  }

  void touch(Value buffer, int64_t index) {
    auto [found, isNew] = lives.try_emplace(buffer.getDefiningOp(), Life{index, index});
    found->second.last = index;
  }

  /// How many bytes lie in at least one of `ranges`.
  static int64_t measureUnion(SmallVectorImpl<std::pair<int64_t, int64_t>> &ranges) {
    llvm::sort(ranges);
    int64_t sum = 0, end = 0;
    for (auto [from, to] : ranges) {
      sum += std::max<int64_t>(0, to - std::max(from, end));
      end = std::max(end, to);
    }
    return sum;
  }

  /// The memory plan: which bytes of the arena hold what from which launch to which.
  json::Object describeArena() {
    int64_t alignment = entry.getArenaAlignment().value_or(1);
    // A buffer that is written over another in place lies in the same bytes: those count once.
    std::vector<SmallVector<std::pair<int64_t, int64_t>>> live(sequence.size());
    json::Array buffers;
    for (auto buffer : entry.getBody().front().getOps<exec::ArenaBufferOp>()) {
      auto found = lives.find(buffer);
      if (found == lives.end())
        continue;
      Life life = found->second;
      int64_t offset = buffer.getOffset().value_or(0);
      for (int64_t at = life.first; at <= life.last; ++at)
        live[at].emplace_back(offset, offset + llvm::alignTo(buffer.getBytes(), alignment));
      buffers.push_back(json::Object{{"bytes", int64_t(buffer.getBytes())},
                                     {"offset", int64_t(buffer.getOffset().value_or(0))},
                                     {"first", life.first},
                                     {"last", life.last}});
    }
    int64_t largest = 0;
    for (auto &ranges : live)
      largest = std::max(largest, measureUnion(ranges));
    return json::Object{{"bytes", int64_t(entry.getArenaBytes().value_or(0))},
                        {"alignment", alignment},
                        {"largestLiveSet", largest},
                        {"buffers", std::move(buffers)}};
  }

  exec::EntryOp entry;
  Program &program;
  CostOptions options;
  json::Array launches;
  SmallVector<int64_t> sequence;
  llvm::DenseMap<Place, int64_t> writers;
  llvm::DenseMap<Operation *, Life> lives;
  KernelCost total;
  double seconds = 0;
};

} // namespace

json::Array report::describeEntries(Program &program) {
  json::Array entries;
  for (auto entry : program.module.getOps<exec::EntryOp>())
    entries.push_back(EntryDescription(entry, program).describe());
  return entries;
}
