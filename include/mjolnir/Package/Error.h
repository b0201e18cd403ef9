// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How the package writer says what failed: a sentence, or nothing. Tests true on failure, like llvm::Error; the writer
// itself uses no LLVM.
#ifndef MJOLNIR_PACKAGE_ERROR_H
#define MJOLNIR_PACKAGE_ERROR_H

#include <string>
#include <utility>

namespace mjolnir::package {

class [[nodiscard]] Error {
public:
  Error() = default;
  explicit Error(std::string message) : message_(std::move(message)), failed_(true) {}

  static Error success() { return {}; }
  explicit operator bool() const { return failed_; }
  const std::string &message() const { return message_; }

private:
  std::string message_;
  bool failed_ = false;
};

} // namespace mjolnir::package

#endif // MJOLNIR_PACKAGE_ERROR_H
