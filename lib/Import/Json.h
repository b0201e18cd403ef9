// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// JSON from files that nobody vouches for.
#ifndef MJOLNIR_LIB_IMPORT_JSON_H
#define MJOLNIR_LIB_IMPORT_JSON_H

#include "llvm/Support/JSON.h"

#include <optional>
#include <string>

namespace mjolnir {

/// Parses `text`, the JSON of the file `path`. Refuses nesting that would exhaust the stack of a recursive parser.
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text, llvm::StringRef path);

/// A key that the outermost object of `text`, well-formed JSON, has twice. JSON parsers keep one of them silently.
std::optional<std::string> findDuplicateKey(llvm::StringRef text);

/// An error whose message is "<path>: <message>".
llvm::Error fileError(llvm::StringRef path, const llvm::Twine &message);

} // namespace mjolnir

#endif // MJOLNIR_LIB_IMPORT_JSON_H
