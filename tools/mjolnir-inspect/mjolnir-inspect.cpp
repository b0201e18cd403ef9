// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-inspect: what is in a package. Exit code 0: it is sound; 1: it is not, or cannot be read; 2: wrong arguments.
#include "PackageReport.h"

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

} // namespace

int main(int argc, char **argv) {
  CLI::App app(
      "Shows what is in a Mjolnir package: entry points, kernels, buffers, weights, KV plan, target, members.\n"
      "The package is verified as the runtime does it; its code is not run, so packages for other machines open.",
      "mjolnir-inspect");
  std::string path, stepsOf;
  bool asJson = false, check = false;
  app.add_option("PACKAGE", path, "the package, a .mjp file")->required();
  app.add_flag("--json", asJson, "print everything as one JSON object; sizes and offsets are bytes");
  app.add_option("--steps", stepsOf, "list the steps of this entry; '*' for all entries (text only)");
  app.add_flag("--check", check, "also compare the weights with their checksum, which loading does not do");
  app.footer("Exit code: 0 if the package is sound, 1 if it is refused or cannot be read, 2 for wrong arguments.");
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

  if (asJson)
    std::cout << inspect::toJson(package).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  else
    inspect::printText(package, stepsOf, std::cout);
  std::cout.flush();
  return std::cout ? 0 : fail("cannot write the output");
}
