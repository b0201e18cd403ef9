// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes the toy package to the path it is given, for tests of other programs: PATH [TARGET], the target is host or cuda.

#include "ToyPackage.h"

#include <cstdio>
#include <exception>

int main(int argc, char **argv) {
  if (argc != 2 && argc != 3)
    return 2;
  try {
    mjolnir::llm::writeToyPackage(argv[1], {{"tokenizer.json", mjolnir::llm::toyTokenizer()}}, /*languageModel=*/true,
                                  argc == 3 ? argv[2] : "host");
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
