// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes the toy package to the path it is given, for tests of other programs: PATH [TARGET [FILE...]], the target is
// host or cuda, files become members of their names: debug.json, tuning.json.

#include "ToyPackage.h"

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

int main(int argc, char **argv) {
  if (argc < 2)
    return 2;
  try {
    std::vector<std::pair<std::string, std::string>> members{{"tokenizer.json", mjolnir::llm::toyTokenizer()}};
    for (int i = 3; i < argc; ++i) {
      std::ifstream file(argv[i]);
      members.emplace_back(std::filesystem::path(argv[i]).filename().string(),
                           std::string(std::istreambuf_iterator<char>(file), {}));
    }
    mjolnir::llm::writeToyPackage(argv[1], members, /*languageModel=*/true, argc > 2 ? argv[2] : "host");
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
