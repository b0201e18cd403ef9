// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Times and bytes as numbers for people and programs, and what a package says of the bytes that its steps move.
#include "Bench.h"

#include <algorithm>
#include <cmath>

namespace mjolnir::bench {
namespace {

/// To `parts` parts of a unit.
double rounded(double value, double parts) { return std::round(value * parts) / parts; }

/// The value that `part` of all are not above.
double quantile(const std::vector<double> &sorted, double part) {
  return sorted[static_cast<size_t>(std::ceil(part * double(sorted.size()))) - 1];
}

} // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Json describeTimes(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  auto micro = [](double value) { return rounded(value * 1e6, 1000); };
  return {{"median", micro(median(seconds))},
          {"p50", micro(quantile(seconds, 0.5))},
          {"p99", micro(quantile(seconds, 0.99))},
          {"least", micro(seconds.front())},
          {"runs", seconds.size()}};
}

Moved &Moved::operator+=(const Moved &other) {
  read += other.read;
  written += other.written;
  return *this;
}

Json describeMoved(const Moved &moved, double seconds, const Bandwidth &bandwidth) {
  double both = std::min(moved.read, moved.written), least = 2 * both / bandwidth.copy;
  double rest = std::max(moved.read, moved.written) - both;
  least += rest / (moved.read > moved.written ? bandwidth.read : bandwidth.copy);
  return {{"read_bytes", uint64_t(moved.read)},
          {"written_bytes", uint64_t(moved.written)},
          {"bytes_per_second", std::round((moved.read + moved.written) / seconds)},
          {"fraction", rounded(least / seconds, 10000)}};
}

Costs::Costs(const runtime::Package &package) {
  const runtime::ZipMember *member = package.view().find("debug.json");
  if (!member)
    return;
  runtime::ByteSpan bytes = package.view().bytes(*member);
  const auto *text = reinterpret_cast<const char *>(bytes.data);
  Json tables = Json::parse(text, text + bytes.size, nullptr, /*allow_exceptions=*/false);
  if (!tables.is_object() || !tables.contains("costs"))
    return;
  // The file is nobody's word: what does not fit the program is an error.
  try {
    steps_.resize(package.entryCount());
    for (size_t i = 0; i < steps_.size(); ++i)
      steps_[i].resize(package.entry(i).steps()->size());
    for (const Json &row : tables.at("costs")) {
      size_t entry = 0;
      while (entry < steps_.size() && package.entry(entry).name()->str() != row.at("entry").get<std::string>())
        ++entry;
      Step &step = steps_.at(entry).at(row.at("step").get<size_t>());
      step = {row.at("read"), row.at("written"), row.at("context"), row.at("read_a_token"), "", {}};
      if (!row.contains("predicted"))
        continue;
      step.kind = row.at("class");
      step.predicted = row.at("predicted").get<std::vector<std::pair<double, double>>>();
      if (step.predicted.empty() || !std::is_sorted(step.predicted.begin(), step.predicted.end()))
        throw std::runtime_error("predictions are not in order");
    }
  } catch (const std::exception &error) {
    throw std::runtime_error(std::string("the package's debug.json does not fit its program: ") + error.what());
  }
}

Moved Costs::of(size_t entry, size_t step, uint32_t context) const {
  const Step &cost = steps_[entry][step];
  return {std::max(cost.read + (double(context) - cost.context) * cost.readAToken, 0.0), cost.written};
}

bool Costs::hasPredictions(size_t entry) const {
  return isKnown() && std::none_of(steps_[entry].begin(), steps_[entry].end(),
                                   [](const Step &step) { return step.predicted.empty(); });
}

double Costs::predictedSeconds(size_t entry, size_t step, uint32_t context) const {
  const auto &points = steps_[entry][step].predicted;
  if (points.size() == 1 || context <= points.front().first)
    return points.front().second;
  // Between two contexts, and beyond the last, a line.
  size_t next = 1;
  while (next + 1 < points.size() && points[next].first < context)
    ++next;
  auto [x0, y0] = points[next - 1];
  auto [x1, y1] = points[next];
  return x1 > x0 ? y0 + (y1 - y0) * (context - x0) / (x1 - x0) : y1;
}

} // namespace mjolnir::bench
