// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Finding the CUDA driver and its functions.
#include "Driver.h"

#include <dlfcn.h>
#include <mutex>

namespace mjolnir::runtime::cuda {

Status Driver::get(const Driver *&result) {
  static std::mutex mutex;
  static Driver driver;
  static bool isOpen = false;
  std::lock_guard<std::mutex> lock(mutex);
  // A failure may pass: a driver that was not loaded yet is looked for again.
  if (!isOpen)
    if (Status status = driver.open())
      return status;
  isOpen = true;
  result = &driver;
  return Status::ok();
}

Status Driver::open() {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return failure(MJ_ERROR_UNSUPPORTED, "the package is for a CUDA device, and no CUDA driver can be loaded (",
                   reason ? reason : "libcuda.so.1",
                   "); install NVIDIA's driver, or compile the model for the host with --target=host");
  }
  auto find = [&](const char *symbol, auto &function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, symbol));
    return function ? Status::ok()
                    : failure(MJ_ERROR_UNSUPPORTED, "the CUDA driver is too old: it has no ", symbol,
                              "; the runtime needs one of CUDA 12 or newer");
  };
#define MJOLNIR_CUDA_FIND(name, symbol, parameters)                                                                    \
  if (Status status = find(symbol, name))                                                                              \
    return status;
  MJOLNIR_CUDA_FUNCTIONS(MJOLNIR_CUDA_FIND)
#undef MJOLNIR_CUDA_FIND
#define MJOLNIR_CUDA_FIND_OPTIONAL(name, symbol, parameters)                                                           \
  name = reinterpret_cast<decltype(name)>(dlsym(library, symbol));
  MJOLNIR_CUDA_OPTIONAL_FUNCTIONS(MJOLNIR_CUDA_FIND_OPTIONAL)
#undef MJOLNIR_CUDA_FIND_OPTIONAL
  if (Status status = check(init(0), "starting the CUDA driver"))
    return failure(MJ_ERROR_UNSUPPORTED, status.message());
  return Status::ok();
}

Status Driver::describe(Result result, const std::string &doing) const {
  const char *name = nullptr, *text = nullptr;
  if (getErrorName(result, &name) != Success || !name)
    name = "an unknown error";
  if (getErrorString(result, &text) != Success || !text)
    text = "the driver gives no reason";
  return failure(result == ErrorOutOfMemory ? MJ_ERROR_OUT_OF_MEMORY : MJ_ERROR_INTERNAL, doing, ": ", name, " (",
                 result, "): ", text);
}

} // namespace mjolnir::runtime::cuda
