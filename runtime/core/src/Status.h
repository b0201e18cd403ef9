// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How the runtime's own code says that something failed: a code of the C API and a sentence for a person. Tests true on
// failure, like llvm::Error, so that `if (Status status = f()) return status;` reads as "if it failed".
#ifndef MJOLNIR_RUNTIME_STATUS_H
#define MJOLNIR_RUNTIME_STATUS_H

#include "mjolnir/runtime.h"

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace mjolnir::runtime {

class [[nodiscard]] Status {
public:
  Status() = default;
  Status(mj_status code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status ok() { return {}; }
  explicit operator bool() const { return code_ != MJ_OK; }
  mj_status code() const { return code_; }
  const std::string &message() const { return message_; }

private:
  mj_status code_ = MJ_OK;
  std::string message_;
};

namespace detail {
inline void append(std::string &text, std::string_view part) { text += part; }
inline void append(std::string &text, const char *part) { text += part; }
inline void append(std::string &text, const std::string &part) { text += part; }
template <typename Number, typename = std::enable_if_t<std::is_arithmetic_v<Number>>>
void append(std::string &text, Number number) {
  text += std::to_string(number);
}
} // namespace detail

/// The parts one after the other: strings and numbers.
template <typename... Parts> std::string concat(const Parts &...parts) {
  std::string text;
  (detail::append(text, parts), ...);
  return text;
}

/// `name` in quotes, fit for a message whatever a file put there: control characters shown as '?', cut after 96 bytes.
std::string quote(std::string_view name);

template <typename... Parts> Status failure(mj_status code, const Parts &...parts) {
  return Status(code, concat(parts...));
}
template <typename... Parts> Status malformed(const Parts &...parts) {
  return Status(MJ_ERROR_MALFORMED, concat(parts...));
}

/// The operating system's sentence for an errno.
std::string describeErrno(int error);

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_STATUS_H
