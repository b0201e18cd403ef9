// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-bench: how fast packages run, as JSON. This file reads the command line and chooses what is measured.
#include "Bench.h"

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>

#include <unistd.h>

using namespace mjolnir;
using namespace mjolnir::bench;

namespace {

enum ExitCode : int { ExitOk = 0, ExitFailure = 1, ExitUsage = 2 };

const char *const footer = R"(Examples:
  mjolnir-bench model.mjp                                       every entry
  mjolnir-bench model.mjp --entry decode_b1 --context 2048
  mjolnir-bench model.mjp --entry decode_b32 --kernels          each kernel for itself
  mjolnir-bench model.mjp --predictions --json times.json       what the compiler predicted beside what is measured, as tables
  mjolnir-bench candidates.mjp --tune tuning.json               what mjolnir-tune --emit wrote: which schedules are the fastest
  mjolnir-bench new.mjp --vs old.mjp --runs 200                 in turn; the ratio is how many times new.mjp is faster

Steps of a language model sample greedily unless --temperature says otherwise. Fractions are of the bandwidth of the same memory, measured in the same run: what is read and written moves at the speed of a
copy, what is only read at the speed of reading. On a GPU, kernels are launched back to back in one graph over buffers that
rotate through --rotate MiB; on a CPU they are timed within the runs of an entry, and what fits the cache is faster than memory.
Exit codes: 0 success; 1 failure while running; 2 wrong usage.)";

std::unique_ptr<runtime::Package> open(const std::string &path) {
  std::unique_ptr<runtime::Package> package;
  check(runtime::Package::open(path.c_str(), package));
  return package;
}

size_t findEntry(const runtime::Package &package, const std::string &path, const std::string &name) {
  std::string known;
  for (size_t i = 0; i < package.entryCount(); ++i) {
    if (package.entry(i).name()->str() == name)
      return i;
    known += (i ? ", " : "") + package.entry(i).name()->str();
  }
  throw std::runtime_error("'" + path + "' has no entry '" + name + "'; it has " + known);
}

Json measure(const Options &options) {
  std::unique_ptr<runtime::Package> package = open(options.package);
  Costs costs(*package);
  Json result{{"package", options.package}, {"target", package->program().target()->kind()->str()}};
  const size_t bytes = size_t(options.rotateMegabytes) << 20;
  Bandwidth bandwidth =
      runsOnCuda(*package) ? measureCudaBandwidth(*package, bytes) : measureHostBandwidth(options.threads, bytes);
  result["copy_bytes_per_second"] = std::round(bandwidth.copy);
  result["read_bytes_per_second"] = std::round(bandwidth.read);
  if (!costs.isKnown())
    result["note"] =
        "the package says nothing of the bytes that its steps move: it was stripped, or is of an older compiler";
  std::unique_ptr<runtime::Package> versus;
  if (!options.versus.empty()) {
    versus = open(options.versus);
    result["versus"] = options.versus;
  }
  std::vector<std::string> names = options.entries;
  for (size_t i = 0; options.entries.empty() && i < package->entryCount(); ++i)
    names.push_back(package->entry(i).name()->str());
  result["entries"] = Json::array();
  for (const std::string &name : names) {
    size_t entry = findEntry(*package, options.package, name);
    if (versus) {
      result["entries"].push_back(
          benchPair(*package, *versus, entry, findEntry(*versus, options.versus, name), options));
      continue;
    }
    Json row = benchEntry(*package, entry, options, costs, bandwidth);
    if (options.predictions)
      row["predictions"] = benchPredictions(*package, entry, options, costs);
    if (options.kernels)
      row["kernels"] = benchKernels(*package, entry, options, costs, bandwidth);
    result["entries"].push_back(std::move(row));
  }
  return result;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Measures how fast the entries of a package run, or two packages in turn. Prints JSON.");
  app.footer(footer);
  app.get_formatter()->column_width(34);
  app.set_version_flag("--version", std::string("mjolnir-bench ") + mj_version());
  Options options;
  std::string output;
  bool noGraphs = false, noDependentLaunches = false;
  app.add_option("package", options.package, "The package, a .mjp file")->type_name("FILE")->required();
  auto *versus =
      app.add_option("--vs", options.versus, "Another package, which is run in turn with it")->type_name("FILE");
  app.add_option("--entry", options.entries, "Measure these entries only (mjolnir-inspect lists them)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,...");
  app.add_option("--context", options.context, "Tokens that each sequence holds before a decode step")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  auto *temperature = app.add_option("--temperature", options.sampling.temperature, "Draw tokens with this temperature")
                          ->check(CLI::NonNegativeNumber)
                          ->type_name("T")
                          ->capture_default_str();
  app.add_option("--top-k", options.sampling.topK, "With --temperature: among the K most likely; 0: among all")
      ->check(CLI::Range(0, INT32_MAX))
      ->type_name("K")
      ->needs(temperature)
      ->capture_default_str();
  app.add_option("--top-p", options.sampling.topP,
                 "With --temperature: among the most likely that have the probability P together")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("P")
      ->needs(temperature)
      ->capture_default_str();
  app.add_option("--runs", options.runs, "How many runs are counted")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--kernels", options.kernels, "Measure each kernel of the entries, too")->excludes(versus);
  app.add_flag("--predictions", options.predictions,
               "Measure each step within a run, beside what the compiler predicted; prints tables where --json takes "
               "the data")
      ->excludes(versus);
  auto *tune =
      app.add_option("--tune", options.tuningTable,
                     "Compare the schedules that a package of mjolnir-tune holds; this table is read and written")
          ->type_name("FILE")
          ->excludes(versus);
  app.add_option(
         "--reference", options.reference,
         "With --tune: a package of the same model, whose numbers the candidates' must be as near to as those of "
         "what they replace")
      ->type_name("FILE")
      ->needs(tune);
  app.add_option("--rotate", options.rotateMegabytes, "MiB that buffers rotate through")
      ->check(CLI::PositiveNumber)
      ->type_name("MIB")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads of the host device; 0: one for each core this process may use")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--no-graphs", noGraphs, "Launch each kernel by itself");
  app.add_flag("--no-dependent-launches", noDependentLaunches, "Start no kernel before the one before it has ended");
  app.add_option("--json", output, "Write to this file instead of standard output")->type_name("FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &e) {
    return app.exit(e) == 0 ? ExitOk : ExitUsage;
  }
  options.graphs = !noGraphs;
  options.dependentLaunches = !noDependentLaunches;
  try {
    if (!options.tuningTable.empty()) {
      tunePackage(options);
      return ExitOk;
    }
    Json result = measure(options);
    std::string text = result.dump(1) + "\n";
    if (output.empty()) {
      std::cout << text << std::flush;
      return std::cout ? ExitOk : ExitFailure;
    }
    std::ofstream file(output);
    file << text << std::flush;
    if (!file)
      throw std::runtime_error("cannot write '" + output + "'");
    if (options.predictions)
      std::cout << formatPredictions(result) << std::flush;
    return std::cout ? ExitOk : ExitFailure;
  } catch (const DeviceLost &) {
    // The table holds what failed, so that the same command goes on behind it; each turn leaves one less.
    std::fflush(stdout);
    execv("/proc/self/exe", argv);
    std::cerr
        << "mjolnir-bench: error: a schedule failed, and the device takes nothing more from this process; run the "
           "same command again, which goes on with the next one\n";
  } catch (const std::bad_alloc &) {
    std::cerr << "mjolnir-bench: error: the process has no memory left\n";
  } catch (const std::exception &e) {
    std::cerr << "mjolnir-bench: error: " << e.what() << '\n';
  }
  return ExitFailure;
}
