// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Predicted beside measured: of each kernel of an entry, and of each kind of kernel.
#include "Bench.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <tuple>

namespace mjolnir::bench {
namespace {

constexpr double Near = 0.25; ///< a prediction off by so much of what was measured, or less, is near

struct Group {
  std::string name, kind;
  size_t launches = 0;
  uint32_t tiles = 0;
  double measured = 0, predicted = 0, near = 0; ///< seconds of all launches; those of kernels whose prediction is near
  double spent = 0;                             ///< as measured, but a time that noise made negative counts, too
  Moved moved;

  bool isNear() const { return std::abs(predicted - measured) <= Near * measured; } // never of a negative time
};

double rounded(double value, double parts) { return std::round(value * parts) / parts; }

/// A launch's times, and the share of `whole` that all launches take.
Json describe(const Group &group, double whole) {
  double launches = double(group.launches), measured = std::max(group.measured, 1e-12);
  Json row;
  if (!group.name.empty())
    row["kernel"] = group.name;
  row.update({{"class", group.kind},
              {"launches", group.launches},
              {"predicted_microseconds", rounded(group.predicted / launches * 1e6, 1000)},
              {"measured_microseconds", rounded(group.measured / launches * 1e6, 1000)},
              {"ratio", rounded(group.predicted / measured, 1000)},
              {"share", rounded(group.measured / whole, 10000)}});
  if (group.name.empty())
    row["near"] = rounded(group.near / std::max(group.spent, 1e-12), 1000);
  else
    row.update({{"tiles", group.tiles},
                {"read_bytes", uint64_t(group.moved.read / launches)},
                {"written_bytes", uint64_t(group.moved.written / launches)}});
  return row;
}

template <typename Key> Json describeAll(const std::map<Key, Group> &groups, double whole) {
  std::vector<const Group *> sorted;
  for (const auto &[key, group] : groups)
    sorted.push_back(&group);
  std::sort(sorted.begin(), sorted.end(), [](const Group *a, const Group *b) {
    return std::tie(b->measured, a->kind, a->name) < std::tie(a->measured, b->kind, b->name);
  });
  Json rows = Json::array();
  for (const Group *group : sorted)
    rows.push_back(describe(*group, whole));
  return rows;
}

std::string formatRow(const char *pattern, const std::string &name, const Json &row, const std::string &last) {
  char text[200];
  std::snprintf(text, sizeof(text), pattern, name.c_str(), row.at("launches").get<size_t>(),
                row.at("predicted_microseconds").get<double>(), row.at("measured_microseconds").get<double>(),
                row.at("ratio").get<double>(), 100 * row.at("share").get<double>(), last.c_str());
  return text;
}

} // namespace

Json benchPredictions(const runtime::Package &package, size_t index, const Options &options, const Costs &costs) {
  if (!costs.hasPredictions(index))
    throw std::runtime_error("the package says nothing of how long the steps of '" +
                             package.entry(index).name()->str() +
                             "' should take: it was stripped, or is of an older compiler; compile the model anew");
  const fb::Entry &entry = package.entry(index);
  const uint32_t context = Inputs(package, index, options.context).context();
  StepTimes times = measureSteps(package, index, options);
  std::map<uint32_t, Group> kernels;
  for (uint32_t step = 0; step < entry.steps()->size(); ++step) {
    const fb::Launch *launch = entry.steps()->Get(step)->kind_as_Launch();
    Group &group = kernels[launch ? launch->kernel() : UINT32_MAX];
    group.name = launch ? package.program().kernels()->Get(launch->kernel())->name()->str() : "copy";
    group.kind = costs.classOf(index, step);
    group.tiles = launch ? launch->tiles() : 0;
    ++group.launches;
    group.measured += times.seconds[step];
    group.predicted += costs.predictedSeconds(index, step, context);
    group.moved += costs.of(index, step, context);
  }
  Group whole;
  std::map<std::string, Group> classes;
  for (const auto &[kernel, group] : kernels) {
    Group &of = classes[group.kind];
    of.kind = group.kind;
    for (Group *sum : {&whole, &of}) {
      sum->launches += group.launches;
      sum->measured += group.measured;
      sum->predicted += group.predicted;
      sum->near += group.isNear() ? group.measured : 0;
      sum->spent += std::abs(group.measured);
    }
  }
  double measured = std::max(whole.measured, 1e-12);
  return {{"predicted_microseconds", rounded(whole.predicted * 1e6, 1000)},
          {"measured_microseconds", rounded(whole.measured * 1e6, 1000)},
          {"ratio", rounded(whole.predicted / measured, 1000)},
          {"near", rounded(whole.near / std::max(whole.spent, 1e-12), 1000)},
          {"start_microseconds", rounded(times.startSeconds * 1e6, 1000)},
          {"runs", times.runs},
          {"classes", describeAll(classes, measured)},
          {"kernels", describeAll(kernels, measured)}};
}

std::string formatPredictions(const Json &result) {
  constexpr const char *Pattern = "  %-34s %5zu %11.2f %11.2f %7.2f %6.1f%%  %s\n";
  std::string text;
  for (const Json &entry : result.at("entries")) {
    const Json &found = entry.at("predictions");
    text += entry.at("entry").get<std::string>();
    if (entry.contains("context"))
      text += ", context " + std::to_string(entry.at("context").get<uint32_t>());
    char line[200];
    std::snprintf(line, sizeof(line),
                  ": predicted %.1f us, measured %.1f us; within %.0f%%: %.1f%% of the time\n"
                  "  %-34s %5s %11s %11s %7s %7s\n",
                  found.at("predicted_microseconds").get<double>(), found.at("measured_microseconds").get<double>(),
                  100 * Near, 100 * found.at("near").get<double>(), "", "times", "predicted", "measured", "ratio",
                  "share");
    text += line;
    for (const Json &kind : found.at("classes")) {
      char near[40];
      std::snprintf(near, sizeof(near), "%.0f%% of it near", 100 * kind.at("near").get<double>());
      text += formatRow(Pattern, kind.at("class").get<std::string>(), kind, near);
      for (const Json &kernel : found.at("kernels"))
        if (kernel.at("class") == kind.at("class"))
          text += formatRow(Pattern, "  " + kernel.at("kernel").get<std::string>(), kernel, "");
    }
  }
  return text;
}

} // namespace mjolnir::bench
