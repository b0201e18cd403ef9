// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes the toy package to the path it is given, for tests of other programs.

#include "ToyPackage.h"

#include <cstdio>
#include <exception>

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  try {
    mjolnir::llm::writeToyPackage(argv[1], {{"tokenizer.json", mjolnir::llm::toyTokenizer()}});
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
