// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Report.h.
#include "Report.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <cmath>

using namespace mjolnir::verify;

void Comparison::add(const std::vector<float> &got, const std::vector<float> &wanted) {
  for (size_t i = 0; i < got.size(); ++i) {
    // Infinities that agree are no error.
    if (got[i] == wanted[i]) {
      squaredSize += std::isfinite(wanted[i]) ? double(wanted[i]) * wanted[i] : 0;
    } else if (!std::isfinite(got[i]) || !std::isfinite(wanted[i])) {
      ++notFinite;
    } else {
      double error = double(got[i]) - wanted[i];
      squaredError += error * error;
      squaredSize += double(wanted[i]) * wanted[i];
      largest = std::max(largest, std::abs(error));
    }
  }
  count += got.size();
}

void Comparison::addCodes(const std::vector<bool> &atLimit) {
  codes += atLimit.size();
  saturated += llvm::count(atLimit, true);
}

void Comparison::addRows(const std::vector<float> &got, const std::vector<float> &wanted, size_t columns) {
  for (size_t row = 0; row + columns <= got.size(); row += columns) {
    auto begin = wanted.begin() + row, end = begin + columns, best = std::max_element(begin, end);
    double error = 0, second = -INFINITY;
    for (size_t i = 0; i < columns; ++i) {
      error = std::max(error, std::abs(double(got[row + i]) - wanted[row + i]));
      if (begin + i != best)
        second = std::max(second, double(begin[i]));
    }
    if (*best - second <= 2 * error)
      continue;
    ++decided;
    auto ours = std::max_element(got.begin() + row, got.begin() + row + columns) - (got.begin() + row);
    flipped += ours != std::distance(begin, best);
  }
}

double Comparison::relative() const {
  if (notFinite)
    return INFINITY;
  double error = std::sqrt(squaredError), size = std::sqrt(squaredSize);
  return error == 0 ? 0 : size == 0 ? error / std::sqrt(double(count)) : error / size;
}

Comparison &Report::at(const std::string &entry, const std::string &name, bool isOutput) {
  auto [found, isNew] = comparisons.try_emplace({entry, name});
  if (isNew) {
    found->second.entry = entry;
    found->second.name = name;
    found->second.isOutput = isOutput;
    found->second.order = comparisons.size();
  }
  return found->second;
}

std::string Report::failedGate(const Comparison &comparison) const {
  double limit = comparison.isOutput ? gates.output : gates.value;
  // An error that is not a number fails, too.
  if (!(comparison.relative() <= limit))
    return comparison.isOutput ? "output" : "value";
  return gates.argmax && comparison.flipped ? "argmax" : "";
}

bool Report::passed() const { return !firstFailed(); }

std::vector<const Comparison *> Report::ranked() const {
  std::vector<const Comparison *> list;
  for (const auto &[key, comparison] : comparisons)
    list.push_back(&comparison);
  llvm::sort(list, [](const Comparison *a, const Comparison *b) {
    return a->relative() != b->relative() ? a->relative() > b->relative() : a->order < b->order;
  });
  return list;
}

const Comparison *Report::firstFailed() const {
  const Comparison *first = nullptr;
  for (const auto &[key, comparison] : comparisons)
    if (!failedGate(comparison).empty() && (!first || comparison.order < first->order))
      first = &comparison;
  return first;
}

std::map<std::string, size_t> Report::failures() const {
  std::map<std::string, size_t> counts;
  for (const auto &[key, comparison] : comparisons)
    if (std::string gate = failedGate(comparison); !gate.empty())
      ++counts[gate];
  return counts;
}

/// What saturates, the largest parts first.
void Report::printCodes(llvm::raw_ostream &out, size_t top) const {
  std::vector<const Comparison *> list;
  size_t codes = 0, saturated = 0, tensors = 0;
  for (const auto &[key, comparison] : comparisons) {
    codes += comparison.codes, saturated += comparison.saturated, tensors += comparison.codes != 0;
    if (comparison.saturated)
      list.push_back(&comparison);
  }
  if (!codes)
    return;
  auto share = [](const Comparison *each) { return double(each->saturated) / double(each->codes); };
  llvm::sort(list, [&](const Comparison *a, const Comparison *b) {
    return share(a) != share(b) ? share(a) > share(b) : a->order < b->order;
  });
  out << llvm::formatv("\nFP8: {0} of {1} elements of {2} values have the largest code\n", saturated, codes, tensors);
  for (const Comparison *each : llvm::ArrayRef(list).take_front(std::min(top, list.size())))
    out << llvm::formatv("{0,8}  {1,9}  {2} {3}\n", llvm::formatv("{0:p2}", share(each)).str(), each->saturated,
                         each->entry, each->name);
}

void Report::print(llvm::raw_ostream &out, size_t top) const {
  out << package << " against " << reference << ": " << comparisons.size() << " values compared";
  if (unmatched)
    out << ", " << unmatched << " without a counterpart";
  out << "\n\n   error    largest  value\n";
  std::vector<const Comparison *> list = ranked();
  for (const Comparison *each : llvm::ArrayRef(list).take_front(std::min(top, list.size()))) {
    std::string gate = failedGate(*each);
    out << llvm::formatv("{0,8}  {1,9}  {2} {3}{4}\n", llvm::formatv("{0:e1}", each->relative()).str(),
                         llvm::formatv("{0:e2}", each->largest).str(), each->entry, each->name,
                         gate.empty() ? "" : "  FAILED " + gate);
  }
  printCodes(out, top);
  out << llvm::formatv("\ngates: value {0:e1}, output {1:e1}{2}\n", gates.value, gates.output,
                       gates.argmax ? ", argmax" : "");
  const Comparison *first = firstFailed();
  if (!first) {
    out << "passed\n";
    return;
  }
  std::string separator = "failed:";
  for (const auto &[gate, count] : failures()) {
    out << separator << " " << gate << " by " << count << (count == 1 ? " value" : " values");
    separator = ",";
  }
  std::string gate = failedGate(*first);
  out << "\nFAILED: gate " << gate << ", first at " << first->entry << " " << first->name << ": ";
  if (gate == "argmax")
    out << first->flipped << " of " << first->decided << " rows have another largest logit\n";
  else if (first->notFinite)
    out << first->notFinite << " of " << first->count << " elements are not finite where the reference's differ\n";
  else
    out << llvm::formatv("error {0:e1}\n", first->relative());
}

void Report::printJson(llvm::raw_ostream &out) const {
  llvm::json::Array values;
  for (const Comparison *each : ranked()) {
    llvm::json::Object row{{"entry", each->entry},
                           {"value", each->name},
                           {"output", each->isOutput},
                           {"order", int64_t(each->order)},
                           {"elements", int64_t(each->count)},
                           {"largest", each->largest},
                           {"not_finite", int64_t(each->notFinite)},
                           {"failed", failedGate(*each)}};
    // JSON has no infinity.
    if (std::isfinite(each->relative()))
      row["error"] = each->relative();
    if (each->codes)
      row["codes"] = int64_t(each->codes), row["saturated"] = int64_t(each->saturated);
    if (each->decided)
      row["rows_decided"] = int64_t(each->decided), row["rows_flipped"] = int64_t(each->flipped);
    values.push_back(std::move(row));
  }
  llvm::json::Object root{
      {"package", package},
      {"reference", reference},
      {"gates", llvm::json::Object{{"value", gates.value}, {"output", gates.output}, {"argmax", gates.argmax}}},
      {"without_counterpart", int64_t(unmatched)},
      {"passed", passed()},
      {"values", std::move(values)}};
  llvm::json::Object failed;
  for (const auto &[gate, count] : failures())
    failed[gate] = int64_t(count);
  root["failed_gates"] = std::move(failed);
  if (const Comparison *first = firstFailed())
    root["first_failed"] = first->entry + " " + first->name;
  out << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(root)));
}
