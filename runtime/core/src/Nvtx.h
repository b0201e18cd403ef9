// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Ranges for profilers that speak NVTX, such as Nsight Systems: what the runtime is doing, on their time line. A
// profiler names its library in NVTX_INJECTION64_PATH; without one a range costs a comparison.
#ifndef MJOLNIR_RUNTIME_NVTX_H
#define MJOLNIR_RUNTIME_NVTX_H

namespace mjolnir::runtime {

class NvtxRange {
public:
  /// `name` is copied by whoever listens.
  explicit NvtxRange(const char *name) : isOpen_(push != nullptr) {
    if (isOpen_)
      push(name);
  }
  ~NvtxRange() {
    if (isOpen_)
      pop();
  }
  NvtxRange(const NvtxRange &) = delete;
  NvtxRange &operator=(const NvtxRange &) = delete;

  /// Loads the profiler's library, the first time in a process.
  static void initialize();

private:
  static int (*push)(const char *name);
  static int (*pop)();
  const bool isOpen_;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_NVTX_H
