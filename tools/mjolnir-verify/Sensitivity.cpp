// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Sensitivity.h.
#include "Sensitivity.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <cmath>

using namespace mjolnir;
using namespace mjolnir::verify;

/// The float outputs of all steps, one after the other.
static llvm::Expected<std::vector<Stored>> run(ObservedPackage &package, const std::vector<Step> &steps) {
  std::vector<Stored> outputs;
  for (const Step &step : steps) {
    llvm::Expected<size_t> entry = package.findEntry(step.entry);
    if (!entry)
      return entry.takeError();
    auto take = [&](Stored stored) {
      if (!llvm::StringRef(stored.name).starts_with("output ") || stored.dtype.code == kDLInt)
        return;
      dropPadding(stored, step);
      outputs.push_back(std::move(stored));
    };
    if (llvm::Error error = package.run(*entry, step.inputs, {take}))
      return error;
  }
  return outputs;
}

/// exp of the mean of -log softmax(logits)[next token], of one row of logits a step; how many tokens were predicted.
static std::pair<double, size_t> perplexityOf(const std::vector<Stored> &logits,
                                              const std::vector<std::vector<int32_t>> &windows) {
  double sum = 0;
  size_t step = 0, predicted = 0;
  for (const std::vector<int32_t> &window : windows)
    for (size_t i = 0; i < window.size(); ++i, ++step) {
      if (i + 1 == window.size() || step >= logits.size())
        continue;
      const std::vector<float> &row = logits[step].elements;
      double largest = *llvm::max_element(row), total = 0;
      for (float logit : row)
        total += std::exp(logit - largest);
      sum += largest + std::log(total) - row[size_t(window[i + 1])];
      ++predicted;
    }
  return {predicted ? std::exp(sum / double(predicted)) : 0, predicted};
}

static double errorOf(const std::vector<Stored> &got, const std::vector<Stored> &wanted) {
  double error = 0, size = 0;
  for (auto [ours, theirs] : llvm::zip_equal(got, wanted))
    for (auto [a, b] : llvm::zip_equal(ours.elements, theirs.elements)) {
      error += (double(a) - b) * (double(a) - b);
      size += double(b) * b;
    }
  return size > 0 ? std::sqrt(error / size) : std::sqrt(error);
}

/// `name` as a pattern that is like nothing else.
static std::string literally(llvm::StringRef name) {
  std::string pattern;
  for (char c : name) {
    if (llvm::StringRef("*?[]{}\\").contains(c))
      pattern += '\\';
    pattern += c;
  }
  return pattern;
}

static bool holdsCodes(const ObservedPackage &package) {
  return llvm::any_of(*package.package().program().weights(),
                      [](const fb::Weight *weight) { return weight->dtype() == fb::DType::f8e4m3fn; });
}

llvm::Expected<Sensitivity> Sensitivity::measure(const SensitivityRequest &request) {
  Sensitivity result;
  auto runOne = [&](const PipelineOptions &options, llvm::StringRef what,
                    bool &isQuantized) -> llvm::Expected<std::vector<Stored>> {
    llvm::Expected<TemporaryPackage> file = TemporaryPackage::compile(request.source, options, what);
    if (!file)
      return file.takeError();
    auto package = ObservedPackage::open(file->path(), 0, 0, 0);
    if (!package)
      return package.takeError();
    isQuantized = holdsCodes(**package);
    llvm::Expected<std::vector<Step>> steps = request.steps(**package);
    if (!steps)
      return steps.takeError();
    return run(**package, *steps);
  };
  bool isQuantized;
  llvm::Expected<std::vector<Stored>> wanted = runOne(request.options, "the oracle", isQuantized);
  if (!wanted)
    return wanted.takeError();
  std::tie(result.perplexity, result.predicted) = perplexityOf(*wanted, request.windows);

  for (const std::string &weight : request.weights) {
    std::string name = request.byLayer ? llvm::StringRef(weight).split('.').first.str() : weight;
    auto found = llvm::find_if(result.groups, [&](const Group &group) { return group.name == name; });
    if (found == result.groups.end())
      found = result.groups.insert(found, Group{name, {}});
    found->weights.push_back(weight);
  }
  std::vector<Group> tried;
  for (auto [index, group] : llvm::enumerate(result.groups)) {
    if (request.progress)
      request.progress(group.name, index, result.groups.size());
    PipelineOptions options = request.options;
    options.oracle = false;
    // f32 for the rest: what differs is what FP8 does.
    options.precision = Precision::f32;
    options.fp8 = request.fp8;
    options.fp8.matmuls = "full";
    options.fp8.head = true;
    options.fp8.kvCache = false;
    for (const std::string &weight : group.weights)
      options.fp8.include.push_back(literally(weight));
    llvm::Expected<std::vector<Stored>> got = runOne(options, group.name + " in FP8", isQuantized);
    if (!got)
      return got.takeError();
    if (!isQuantized) {
      result.kept.push_back(group.name);
      continue;
    }
    group.error = errorOf(*got, *wanted);
    group.perplexity = perplexityOf(*got, request.windows).first;
    tried.push_back(group);
  }
  llvm::sort(tried,
             [](const Group &a, const Group &b) { return a.error != b.error ? a.error > b.error : a.name < b.name; });
  result.groups = std::move(tried);
  return result;
}

void Sensitivity::print(llvm::raw_ostream &out) const {
  if (predicted)
    out << llvm::formatv("perplexity of the oracle {0:f4}, of {1} tokens\n\n", perplexity, predicted);
  out << (predicted ? "   error  perplexity    change  in FP8\n" : "   error  in FP8\n");
  for (const Group &group : groups) {
    out << llvm::formatv("{0,8}", llvm::formatv("{0:e1}", group.error).str());
    if (predicted) {
      double change = 100 * (group.perplexity / perplexity - 1);
      out << llvm::formatv("  {0,10}  {1,8}", llvm::formatv("{0:f4}", group.perplexity).str(),
                           llvm::formatv("{0}{1:f3}%", change < 0 ? "" : "+", change).str());
    }
    out << "  " << group.name << "\n";
  }
  for (const std::string &name : kept)
    out << "    kept  " << name << "\n";
}

void Sensitivity::printJson(llvm::raw_ostream &out) const {
  llvm::json::Array rows;
  for (const Group &group : groups) {
    llvm::json::Object row{{"name", group.name}, {"weights", group.weights}, {"error", group.error}};
    if (predicted)
      row["perplexity"] = group.perplexity;
    rows.push_back(std::move(row));
  }
  llvm::json::Object root{{"groups", std::move(rows)}, {"kept", kept}};
  if (predicted)
    root["perplexity"] = perplexity, root["predicted_tokens"] = int64_t(predicted);
  out << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(root)));
}
