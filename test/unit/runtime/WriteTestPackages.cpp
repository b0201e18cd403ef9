// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes test packages to files: `--golden FILE` the good one, `--malformed FOLDER` the corpus.
#include "MalformedCases.h"

#include <cstdio>
#include <cstring>

using namespace mjolnir::test;

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "--golden")) {
    if (auto error = writeTestPackage(argv[2], testImage())) {
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
  fprintf(stderr, "usage: %s --golden FILE | --malformed FOLDER\n", argv[0]);
  return 2;
}
