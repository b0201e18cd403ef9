// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Words for messages.
#include "Status.h"

#include <cstring>
#include <system_error>

namespace mjolnir::runtime {

std::string quote(std::string_view name) {
  constexpr size_t MaxBytes = 96;
  std::string text = "'";
  for (char c : name.substr(0, MaxBytes))
    text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  text += name.size() > MaxBytes ? "...'" : "'";
  return text;
}

std::string describeErrno(int error) { return std::generic_category().message(error); }

} // namespace mjolnir::runtime
