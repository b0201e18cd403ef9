// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes the toy package to the path it is given, for tests of other programs: PATH [TARGET [DEBUG]], the target is
// host or cuda, DEBUG a file that becomes its debug.json.

#include "ToyPackage.h"

#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>

int main(int argc, char **argv) {
  if (argc < 2 || argc > 4)
    return 2;
  try {
    std::vector<std::pair<std::string, std::string>> members{{"tokenizer.json", mjolnir::llm::toyTokenizer()}};
    if (argc > 3) {
      std::ifstream debug(argv[3]);
      members.emplace_back("debug.json", std::string(std::istreambuf_iterator<char>(debug), {}));
    }
    mjolnir::llm::writeToyPackage(argv[1], members, /*languageModel=*/true, argc > 2 ? argv[2] : "host");
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
