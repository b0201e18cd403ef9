// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The corpus of packages that must be refused, each with what the refusal must say. Made from the good test package by
// one change each, so that the corpus follows the format and no stale file passes by accident.
#ifndef MJOLNIR_TEST_MALFORMEDCASES_H
#define MJOLNIR_TEST_MALFORMEDCASES_H

#include "TestPackage.h"

#include "mjolnir/runtime.h"

namespace mjolnir::test {

struct MalformedCase {
  std::string name;
  mj_status code;
  std::string sentence; // part of the message
  std::string bytes;    // of the package
  std::string program;  // of its member program.fb, where that is what is wrong
};

/// Programs that break a rule of the semantic verifier, in sound files. In MalformedCases.cpp.
std::vector<MalformedCase> makeMalformedPrograms(const std::string &image);
/// Files that are damaged, or that were not made by the package writer. In MalformedFiles.cpp.
std::vector<MalformedCase> makeMalformedFiles(const std::string &image);

} // namespace mjolnir::test

#endif // MJOLNIR_TEST_MALFORMEDCASES_H
