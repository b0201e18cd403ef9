// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A package that holds the toy model, written by the real writer, for tests of the whole way: package, session,
// generator, tool.
#ifndef MJOLNIR_TEST_UNIT_LLM_TOYPACKAGE_H
#define MJOLNIR_TEST_UNIT_LLM_TOYPACKAGE_H

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mjolnir::llm {

constexpr uint32_t toyPageSize = 4, toyPagesPerSequence = 24, toyContext = 96, toyVocabulary = 2056;

/// Writes the package to `path`. Entries: prefill (T, B) = (8, 2), (32, 4); decode 1, 2, 4 (none of these unless
/// `languageModel`); and the plain entry "increment", in f32[2,3] -> out f32[2,3]. Throws std::runtime_error.
/// `target`: "host", or "cuda", which is for the stand-in of the driver.
void writeToyPackage(const std::string &path, const std::vector<std::pair<std::string, std::string>> &members,
                     bool languageModel = true, const std::string &target = "host");

/// The goldens' tokenizer, which has toyVocabulary tokens.
std::string toyTokenizer();

/// A path in a folder that is removed when the tests end.
std::string temporaryPath(const std::string &name);

} // namespace mjolnir::llm

#endif // MJOLNIR_TEST_UNIT_LLM_TOYPACKAGE_H
