// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Text.h with the runtime's tokenizer.
#include "Text.h"

#include "mjolnir/llm.hpp"

#include "llvm/Support/MemoryBuffer.h"

using namespace mjolnir;
using namespace mjolnir::verify;

static llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

llvm::Expected<std::vector<int32_t>> verify::tokensOf(const ObservedPackage &observed, const std::string &text) {
  const runtime::PackageView &view = observed.package().view();
  const runtime::ZipMember *member = view.find("tokenizer.json");
  if (!member)
    return failure("the package has no tokenizer.json: give the text as token ids");
  runtime::ByteSpan json = view.bytes(*member);
  mj_tokenizer *handle = nullptr;
  if (mj_tokenizer_create(json.data, json.size, &handle) != MJ_OK)
    return failure(mj_last_error());
  std::unique_ptr<mj_tokenizer, void (*)(mj_tokenizer *)> owner(handle, mj_tokenizer_destroy);
  auto tokens = TokenizerRef(handle).encode(text);
  if (!tokens)
    return failure(tokens.error().message);
  return std::move(*tokens);
}

llvm::Expected<std::string> verify::readText(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    return failure("cannot read '" + path + "': " + file.getError().message());
  return (*file)->getBuffer().str();
}
