// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The CUDA driver, opened when the first package asks for it: nothing of CUDA is linked.
#ifndef MJOLNIR_RUNTIME_CUDA_DRIVER_H
#define MJOLNIR_RUNTIME_CUDA_DRIVER_H

#include "../Status.h"
#include "DriverApi.h"

namespace mjolnir::runtime::cuda {

class Driver {
public:
  /// The process's driver, initialized. MJ_ERROR_UNSUPPORTED where there is none or it is too old.
  /// It is never unloaded.
  static Status get(const Driver *&driver);

  /// Success, or a failure that names the driver's error and what was being done.
  template <typename... Parts> Status check(Result result, const Parts &...doing) const {
    return result == Success ? Status::ok() : describe(result, concat(doing...));
  }

#define MJOLNIR_CUDA_DECLARE(name, symbol, parameters) Result(*name) parameters = nullptr;
  MJOLNIR_CUDA_FUNCTIONS(MJOLNIR_CUDA_DECLARE)
  MJOLNIR_CUDA_OPTIONAL_FUNCTIONS(MJOLNIR_CUDA_DECLARE)
#undef MJOLNIR_CUDA_DECLARE

private:
  Status open();
  Status describe(Result result, const std::string &doing) const;
};

/// Makes a context current for a scope, whatever the caller's thread had.
class Scope {
public:
  Scope(const Driver &driver, Context context) : driver_(driver) { driver_.contextPush(context); }
  ~Scope() {
    Context popped;
    driver_.contextPop(&popped);
  }
  Scope(const Scope &) = delete;
  Scope &operator=(const Scope &) = delete;

private:
  const Driver &driver_;
};

} // namespace mjolnir::runtime::cuda

#endif // MJOLNIR_RUNTIME_CUDA_DRIVER_H
