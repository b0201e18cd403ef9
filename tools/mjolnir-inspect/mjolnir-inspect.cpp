// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-inspect: what is in a package. Exit code 0: it is sound; 1: it is not, or cannot be read; 2: wrong arguments.
#include "PackageReport.h"

#include "mjolnir/format/Format.h"
#include "mjolnir/format/KvPlan.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

using namespace mjolnir;

namespace {

int fail(const std::string &message) {
  std::cerr << "mjolnir-inspect: " << message << '\n';
  return 1;
}

bool hasEntry(const fb::Program &program, const std::string &name) {
  for (const fb::Entry *entry : *program.entries())
    if (entry->name()->string_view() == name)
      return true;
  return false;
}

/// What the package says of the memory of sessions; `message` says what it lacks, "" if nothing.
format::KvDemand demandOf(const fb::Program &program, uint64_t context, uint64_t batch, std::string &message) {
  format::KvDemand demand;
  if (program.kv_pools()->size() == 0) {
    message = "has no KV pool: there is nothing to plan for sessions";
    return demand;
  }
  bool keepsAll = false;
  for (const fb::KvPool *pool : *program.kv_pools()) {
    demand.pageTokens = pool->page_size();
    (pool->own_tables() ? demand.windowPageBytes : demand.pageBytes) += pool->bytes_per_page();
    demand.window = std::max<uint64_t>(demand.window, pool->window());
    keepsAll |= pool->window() == 0;
  }
  if (keepsAll && !demand.windowPageBytes)
    demand.window = 0;
  for (const fb::Weight *weight : *program.weights())
    demand.weightBytes += weight->bytes();
  uint64_t sequences = 0;
  for (const fb::Entry *entry : *program.entries()) {
    uint64_t bytes = entry->arena_bytes();
    for (const fb::Binding *output : *entry->outputs()) {
      uint64_t size = format::elementBytes(output->dtype());
      for (uint64_t extent : *output->shape())
        size *= extent;
      bytes += size;
    }
    demand.stepBytes = std::max(demand.stepBytes, bytes);
    if (entry->kind() == fb::EntryKind::ragged && entry->tokens() > entry->sequences())
      demand.stepRows = std::max<uint64_t>(demand.stepRows, entry->tokens());
    if (entry->kind() == fb::EntryKind::ragged)
      sequences = std::max<uint64_t>(sequences, entry->sequences());
  }
  uint64_t longest = program.language_model() ? program.language_model()->max_context() : 0;
  demand.context = context ? context : longest;
  if (batch > sequences)
    message = "runs " + std::to_string(sequences) + " sequences a step at most, not " + std::to_string(batch) +
              ": compile with --batch=" + std::to_string(batch);
  else if (demand.context == 0)
    message = "does not say how many tokens a session may hold: give --context";
  else if (longest && demand.context > longest)
    message = "holds " + std::to_string(longest) + " tokens a session at most, not " + std::to_string(demand.context) +
              ": compile with --max-context=" + std::to_string(demand.context);
  return demand;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app(
      "Shows what is in a Mjolnir package: entry points, kernels, buffers, weights, KV plan, target, members.\n"
      "The package is verified as the runtime does it; its code is not run, so packages for other machines open.",
      "mjolnir-inspect");
  std::string path, stepsOf;
  std::string memory, budget;
  uint64_t sessions = 0, context = 0, batch = 0;
  bool asJson = false, check = false;
  app.add_option("PACKAGE", path, "the package, a .mjp file")->required();
  app.add_flag("--json", asJson, "print everything as one JSON object; sizes and offsets are bytes");
  app.add_option("--steps", stepsOf, "list the steps of this entry; '*' for all entries (text only)");
  app.add_flag("--check", check, "also compare the weights with their checksum, which loading does not do");
  auto isSize = CLI::Validator(
      [](const std::string &text) {
        uint64_t ignored;
        return format::parseBytes(text, ignored) ? "" : "'" + text + "' is no size; write 24GB, 8GiB or bytes";
      },
      "SIZE");
  auto *plan = app.add_option_group("KV plan", "Pages of the KV cache for sessions, instead of what is in the package");
  plan->add_option("--sessions", sessions, "sequences that keep their cache: what they need, and whether it fits")
      ->check(CLI::PositiveNumber);
  plan->add_option("--context", context, "tokens of a session (default: what the package allows)")
      ->check(CLI::PositiveNumber);
  plan->add_option("--batch", batch, "sequences of a step, which the package must have an entry for")
      ->check(CLI::PositiveNumber);
  plan->add_option("--memory", memory, "memory of the device: for weights, a step and the cache")->check(isSize);
  plan->add_option("--kv-budget", budget, "memory for the cache alone; stands above --memory")->check(isSize);
  app.footer(
      "Exit code: 0 if the package is sound, 1 if it is refused, cannot be read or does not fit the memory, 2 for "
      "wrong arguments.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  runtime::MappedFile file;
  runtime::PackageView package;
  runtime::Status status = file.open(path.c_str());
  if (!status) {
    status = package.parse(file.bytes());
    if (status)
      return fail("'" + path + "': " + status.message());
  }
  if (status)
    return fail(status.message());
  if (check)
    for (const runtime::ZipMember &member : package.members())
      if (runtime::Status damage = checkZipMember(package.file(), member))
        return fail("'" + path + "': " + damage.message());
  if (!stepsOf.empty() && stepsOf != "*" && !hasEntry(package.program(), stepsOf))
    return fail("'" + path + "' has no entry '" + stepsOf + "'");

  if (sessions || !memory.empty() || !budget.empty()) {
    std::string message;
    format::KvDemand demand = demandOf(package.program(), context, batch, message);
    if (!message.empty())
      return fail("'" + path + "' " + message);
    demand.sessions = sessions;
    if (!memory.empty())
      format::parseBytes(memory, demand.memory);
    if (!budget.empty())
      format::parseBytes(budget, demand.budget);
    format::KvPlan result;
    if (!format::planKv(demand, result, message))
      return fail("'" + path + "': " + message);
    if (asJson)
      std::cout << inspect::toJson(demand, result).dump(2) << '\n';
    else
      std::cout << message;
    std::cout.flush();
    return std::cout ? 0 : fail("cannot write the output");
  }

  if (asJson)
    std::cout << inspect::toJson(package).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  else
    inspect::printText(package, stepsOf, std::cout);
  std::cout.flush();
  return std::cout ? 0 : fail("cannot write the output");
}
