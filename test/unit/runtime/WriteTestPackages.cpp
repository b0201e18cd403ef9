// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes test packages to files: `--golden FILE` the good one, `--golden-calls FILE` the one that calls a library,
// `--golden-maps FILE` the one whose kernels take tensor maps, `--malformed FOLDER` the corpus, `--states FILE DEBUG`
// one for a GPU that keeps a state, DEBUG a file that becomes its debug.json.
#include "MalformedCases.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

using namespace mjolnir::test;

/// The good program with what minor versions brought since it was first kept.
static mjolnir::fb::ProgramT makeGolden() {
  mjolnir::fb::ProgramT program = makeStateProgram(); // 1.4: a state of a session
  // 1.1: steps that name what they wait for, entries that no graph replays, pools that keep a window.
  for (size_t step : {1, 2}) {
    program.entries[Affine]->steps[step]->waits = mjolnir::fb::Waits::named;
    program.entries[Affine]->steps[step]->after = {0};
  }
  program.entries[Count]->graph = false;
  program.kv_pools[0]->window = 8;
  // 1.2: a pool that has block tables and slots of its own.
  auto pool = std::make_unique<mjolnir::fb::KvPoolT>(*program.kv_pools[0]);
  pool->name = "kv_window";
  pool->own_tables = true;
  program.kv_pools.push_back(std::move(pool));
  for (const char *name : {"block_tables", "slots"})
    for (const auto &input : program.entries[Step]->inputs)
      if (input->name == name) {
        auto binding = std::make_unique<mjolnir::fb::BindingT>(*input);
        binding->name = std::string("window_") + name;
        program.entries[Step]->inputs.push_back(std::move(binding));
        break;
      }
  return program;
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "--golden")) {
    if (auto error = writeTestPackage(argv[2], testImage(), makeGolden())) {
      fprintf(stderr, "%s\n", error.message().c_str());
      return 1;
    }
    return 0;
  }
  if (argc == 3 && !strcmp(argv[1], "--golden-calls")) {
    if (auto error = writeTestPackage(argv[2], testImage(), makeCallProgram())) {
      fprintf(stderr, "%s\n", error.message().c_str());
      return 1;
    }
    return 0;
  }
  if (argc == 3 && !strcmp(argv[1], "--golden-maps")) {
    if (auto error = writeTestPackage(argv[2], testImage(), makeMapProgram())) {
      fprintf(stderr, "%s\n", error.message().c_str());
      return 1;
    }
    return 0;
  }
  if (argc == 4 && !strcmp(argv[1], "--states")) {
    mjolnir::fb::ProgramT program = makeStateProgram();
    program.target->kind = "cuda";
    program.target->triple.clear();
    program.target->features = {"sm_90a"};
    for (auto &kernel : program.kernels)
      kernel->threads = 32;
    std::ifstream file(argv[3]);
    const std::string debug(std::istreambuf_iterator<char>(file), {});
    if (auto error = writeTestPackage(argv[2], testImage(), std::move(program), "", debug)) {
      fprintf(stderr, "%s\n", error.message().c_str());
      return 1;
    }
    return 0;
  }
  if (argc == 3 && !strcmp(argv[1], "--malformed")) {
    for (auto make : {makeMalformedFiles, makeMalformedPrograms})
      for (const MalformedCase &malformed : make(testImage()))
        writeFile(std::string(argv[2]) + "/" + malformed.name + ".mjp", malformed.bytes);
    return 0;
  }
  fprintf(stderr,
          "usage: %s --golden FILE | --golden-calls FILE | --golden-maps FILE | --malformed FOLDER | "
          "--states FILE DEBUG\n",
          argv[0]);
  return 2;
}
