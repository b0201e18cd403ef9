// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Files that the tests read.
#ifndef MJOLNIR_TEST_UNIT_LLM_TESTFILES_H
#define MJOLNIR_TEST_UNIT_LLM_TESTFILES_H

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

inline std::string readTestFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

#endif // MJOLNIR_TEST_UNIT_LLM_TESTFILES_H
