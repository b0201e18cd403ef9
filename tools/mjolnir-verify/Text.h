// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Text as the tokens of a package.
#ifndef MJOLNIR_VERIFY_TEXT_H
#define MJOLNIR_VERIFY_TEXT_H

#include "ObservedPackage.h"

namespace mjolnir::verify {

/// What the tokenizer of `package` makes of `text`, with what it puts around texts.
llvm::Expected<std::vector<int32_t>> tokensOf(const ObservedPackage &package, const std::string &text);

/// The contents of a file.
llvm::Expected<std::string> readText(const std::string &path);

} // namespace mjolnir::verify

#endif // MJOLNIR_VERIFY_TEXT_H
