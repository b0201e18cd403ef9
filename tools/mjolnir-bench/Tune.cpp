// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which of a region's schedules is the fastest: each against the best so far, in turn, on the device. A schedule is
// kept if it is faster beyond noise and its numbers are right, and if it then beats what it replaces once more.
#include "TuneTable.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace mjolnir::bench {
namespace {

/// Decode steps that fill the cache before the one whose numbers are compared.
constexpr uint32_t StepsBefore = 64;
/// Without a reference: how far the numbers of a schedule may be from those of the one it replaces, as the root mean
/// square of the difference over that of the numbers. Another order of sums in bf16 stays well below.
constexpr double LargestDifference = 0.02;
/// With a reference: how much larger the error may be.
constexpr double LargestGrowth = 1.25;
constexpr uint32_t WarmUp = 6; ///< pairs that are not counted
/// What a schedule must gain at least.
constexpr double LeastGain = 1.002;

/// The numbers that an entry computes, as floats; integers, which are choices, where it computes nothing else.
std::vector<double> numbersOf(const runtime::Package &package, size_t entry, const Options &options) {
  const bool isDecode = package.entry(entry).kind() == fb::EntryKind::ragged &&
                        package.entry(entry).tokens() == package.entry(entry).sequences();
  Runner runner(package, entry, options);
  for (uint32_t before = isDecode ? std::min(options.context, StepsBefore) : 0;; --before) {
    Inputs inputs(package, entry, options.context - before, 0, UINT64_MAX);
    check(runner.session->run(entry, inputs.inputs().data(), inputs.inputs().size(), inputs.outputs().data(),
                              inputs.outputs().size()));
    if (before > 0)
      continue;
    std::vector<double> floats, integers;
    for (const DLTensor *tensor : inputs.outputs()) {
      size_t count = 1;
      for (int i = 0; i < tensor->ndim; ++i)
        count *= size_t(tensor->shape[i]);
      for (size_t i = 0; i < count; ++i) {
        uint32_t bits = 0;
        if (tensor->dtype.code == kDLFloat && tensor->dtype.bits == 32)
          std::memcpy(&bits, static_cast<const char *>(tensor->data) + 4 * i, 4);
        else if (tensor->dtype.code == kDLBfloat && tensor->dtype.bits == 16)
          std::memcpy(reinterpret_cast<char *>(&bits) + 2, static_cast<const char *>(tensor->data) + 2 * i, 2);
        else if (tensor->dtype.bits == 32) {
          int32_t value;
          std::memcpy(&value, static_cast<const char *>(tensor->data) + 4 * i, 4);
          integers.push_back(value);
          continue;
        } else {
          continue;
        }
        float value;
        std::memcpy(&value, &bits, 4);
        floats.push_back(value);
      }
    }
    return floats.empty() ? integers : floats;
  }
}

/// Root mean square of the difference over that of `wanted`; infinite where they cannot be compared.
double errorOf(const std::vector<double> &found, const std::vector<double> &wanted) {
  if (found.size() != wanted.size())
    return INFINITY;
  double difference = 0, size = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    difference += (found[i] - wanted[i]) * (found[i] - wanted[i]);
    size += wanted[i] * wanted[i];
  }
  double error = std::sqrt(difference / (size > 0 ? size : 1));
  return std::isnan(error) ? INFINITY : error;
}

struct Comparison {
  double first = 0, second = 0; ///< medians, seconds
  double ratio = 0;             ///< median of first over second: how many times faster the second is
  double least = 0;             ///< which that median exceeds with 99% confidence
};

/// Two entries with the same inputs and outputs, in turn in one session: threads and memory are the same. Who starts
/// changes from pair to pair: what comes second may find a warmer machine.
Comparison compare(const runtime::Package &package, size_t first, size_t second, const Options &options) {
  Runner runner(package, first, options);
  auto run = [&](size_t entry) {
    runner.entry = entry;
    return runner.run();
  };
  if (runner.session->isAsynchronous())
    runner.session->setProfiling(MJ_PROFILE_RUNS);
  std::vector<double> firsts, seconds, ratios;
  for (uint32_t i = 0; i < WarmUp + options.runs; ++i) {
    double a = i % 2 ? 0 : run(first), b = run(second);
    if (i % 2)
      a = run(first);
    if (i < WarmUp)
      continue;
    firsts.push_back(a);
    seconds.push_back(b);
    ratios.push_back(a / b);
  }
  std::sort(ratios.begin(), ratios.end());
  // The sign test: so few of n ratios lie below their median with 1% probability.
  double n = double(ratios.size()), rank = (n - 2.33 * std::sqrt(n)) / 2;
  return {median(firsts), median(seconds), median(ratios), ratios[size_t(std::max(rank, 0.0))]};
}

double micro(double seconds) { return std::round(seconds * 1e8) / 100; }
double rounded(double value) { return std::round(value * 1e5) / 1e5; }

/// A schedule without what all have: 'columns 8, slices 4'.
std::string shorten(const std::string &schedule) {
  std::string text;
  size_t begin = schedule.find('{');
  for (char c : begin == std::string::npos ? std::string("}") : schedule.substr(begin + 1)) {
    if (c == '}')
      break;
    text += c;
  }
  for (const char *part : {" : i64", " ="})
    for (size_t at; (at = text.find(part)) != std::string::npos;)
      text.erase(at, std::strlen(part));
  return text.empty() ? "as chosen" : text;
}

class Tuner {
public:
  Tuner(const runtime::Package &package, const runtime::Package *reference, const TuningIndex &index, TuneTable &table,
        const Options &options)
      : package(package), reference(reference), index(index), table(table), options(options) {}

  void run() {
    std::printf("%-12s %-58s %10s %10s %7s %7s  %s\n", "", "schedule", "best us", "this us", "faster", "error", "");
    size_t kept = 0;
    for (const TunedRegion &region : index.regions)
      kept += tune(region);
    std::printf("%zu of %zu regions have a schedule that is faster than their own; the table is %s\n", kept,
                index.regions.size(), options.tuningTable.c_str());
    std::fflush(stdout);
  }

private:
  /// Whether the region has a row in the end.
  bool tune(const TunedRegion &region) {
    std::printf("%s, %llu times: %s (%s)\n", nameOf(region.entry).c_str(), (unsigned long long)region.count,
                region.what.c_str(), shorten(region.schedule).c_str());
    Best best{region.entry, region.schedule, {}};
    std::vector<double> wanted;
    for (const Candidate &candidate : region.candidates) {
      ++done;
      std::string verdict;
      if (const Json *known = table.findMeasured(region.key, candidate.schedule)) {
        verdict = known->at("verdict");
        show(candidate.schedule, *known, "known: " + verdict);
      } else {
        if (wanted.empty())
          prepareGate(region, wanted);
        Json row = measure(region, candidate, best, wanted);
        verdict = row.at("verdict");
        show(candidate.schedule, row, verdict);
        if (verdict == "failed")
          std::printf("             %s\n", row.at("message").get_ref<const std::string &>().c_str());
        table.addMeasured(std::move(row));
        if (verdict == "failed" && !stillRuns(region))
          throw DeviceLost();
      }
      if (verdict == "faster")
        best = {candidate.entry, candidate.schedule, {}};
    }
    const Json *row = table.findRow(region.key);
    if (best.entry != region.entry && (!row || row->at("schedule") != best.schedule))
      confirm(region, best);
    return table.findRow(region.key) != nullptr;
  }

  struct Best {
    size_t entry;
    std::string schedule;
    Comparison times;
  };

  /// What the numbers are to be compared with, and how far they may be from it.
  void prepareGate(const TunedRegion &region, std::vector<double> &wanted) {
    std::vector<double> own = numbersOf(package, region.entry, options);
    if (own.empty())
      throw std::runtime_error("entry '" + nameOf(region.entry) + "' computes nothing that could be compared");
    if (own.size() > 1 && std::all_of(own.begin(), own.end(), [](double x) { return x == 0; }))
      throw std::runtime_error("entry '" + nameOf(region.entry) +
                               "' computes nothing but zeros, of which wrong numbers "
                               "cannot be told: give the package weights, of which norms are no zeros either");
    wanted = own;
    largestError = LargestDifference;
    if (!reference)
      return;
    for (size_t i = 0; i < reference->entryCount(); ++i)
      if (reference->entry(i).name()->string_view() == nameOf(region.entry)) {
        wanted = numbersOf(*reference, i, options);
        double error = errorOf(own, wanted);
        if (!std::isfinite(error))
          throw std::runtime_error("entry '" + nameOf(region.entry) + "' computes something else in '" +
                                   options.reference + "': compile the reference with the same sizes");
        largestError = std::max(LargestGrowth * error, 1e-6);
        return;
      }
    throw std::runtime_error("'" + options.reference + "' has no entry '" + nameOf(region.entry) +
                             "': compile the reference with the same sizes");
  }

  /// The comparison with the best so far. What a candidate fails with is part of it.
  Json measure(const TunedRegion &region, const Candidate &candidate, const Best &best,
               const std::vector<double> &wanted) {
    Json row{{"target", index.target},        {"region", region.key},           {"what", region.what},
             {"entry", nameOf(region.entry)}, {"schedule", candidate.schedule}, {"against", best.schedule}};
    try {
      compareInto(row, candidate, best, wanted);
    } catch (const std::runtime_error &error) {
      row["verdict"] = "failed";
      row["message"] = error.what();
    }
    return row;
  }

  /// Whether the device runs what it ran before a candidate failed: after some errors a CUDA context is good for
  /// nothing.
  bool stillRuns(const TunedRegion &region) {
    try {
      return !numbersOf(package, region.entry, options).empty();
    } catch (const std::runtime_error &) {
      return false;
    }
  }

  void compareInto(Json &row, const Candidate &candidate, const Best &best, const std::vector<double> &wanted) {
    double error = errorOf(numbersOf(package, candidate.entry, options), wanted);
    if (std::isfinite(error))
      row["error"] = rounded(error);
    row["verdict"] = "wrong numbers";
    if (!(error <= largestError))
      return;
    Comparison times = compare(package, best.entry, candidate.entry, options);
    row.update({{"us", micro(times.second)},
                {"against_us", micro(times.first)},
                {"ratio", rounded(times.ratio)},
                {"surely", rounded(times.least)}});
    row["verdict"] = times.ratio > LeastGain && times.least > 1 ? "faster"
                     : times.ratio < 1                          ? "slower"
                                                                : "within noise";
  }

  /// The winner of many comparisons may have been lucky: it must win once more, against what it would replace.
  void confirm(const TunedRegion &region, const Best &best) {
    Comparison times = compare(package, region.entry, best.entry, options);
    bool isKept = times.ratio > LeastGain && times.least > 1;
    std::printf("             %s: %s: %.2f us instead of %.2f, %.2f%%\n", isKept ? "kept" : "not kept, it was luck",
                shorten(best.schedule).c_str(), times.second * 1e6, times.first * 1e6, 100 * (times.ratio - 1));
    std::fflush(stdout);
    if (!isKept)
      return;
    table.setRow({{"target", index.target},
                  {"region", region.key},
                  {"what", region.what},
                  {"entry", nameOf(region.entry)},
                  {"count", region.count},
                  {"schedule", best.schedule},
                  {"replaces", region.schedule},
                  {"before_us", micro(times.first)},
                  {"after_us", micro(times.second)},
                  {"ratio", rounded(times.ratio)},
                  {"surely", rounded(times.least)},
                  {"runs", options.runs}});
  }

  void show(const std::string &schedule, const Json &row, const std::string &verdict) {
    auto text = [&](const char *key, const char *format, double scale = 1, double origin = 0) {
      char number[32] = "-";
      if (row.contains(key) && row.at(key).is_number())
        std::snprintf(number, sizeof(number), format, scale * (row.at(key).get<double>() - origin));
      return std::string(number);
    };
    char place[32];
    std::snprintf(place, sizeof(place), "%zu/%zu", done, index.candidates);
    std::printf("%12s %-58s %10s %10s %7s %7s  %s\n", place, shorten(schedule).c_str(),
                text("against_us", "%.2f").c_str(), text("us", "%.2f").c_str(),
                text("ratio", "%+.2f%%", 100, 1).c_str(), text("error", "%.5f").c_str(), verdict.c_str());
    std::fflush(stdout);
  }

  std::string nameOf(size_t entry) const { return package.entry(entry).name()->str(); }

  const runtime::Package &package;
  const runtime::Package *reference;
  const TuningIndex &index;
  TuneTable &table;
  const Options &options;
  double largestError = 0;
  size_t done = 0;
};

} // namespace

void tunePackage(const Options &options) {
  std::unique_ptr<runtime::Package> package, reference;
  check(runtime::Package::open(options.package.c_str(), package));
  if (!options.reference.empty())
    check(runtime::Package::open(options.reference.c_str(), reference));
  TuningIndex index = readTuningIndex(*package, options.package);
  TuneTable table(options.tuningTable, index.target);
  Tuner(*package, reference.get(), index, table, options).run();
}

} // namespace mjolnir::bench
