// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Where the time goes before a first run.
#ifndef MJOLNIR_RUNTIME_PHASES_H
#define MJOLNIR_RUNTIME_PHASES_H

#include "Nvtx.h"

#include "mjolnir/runtime.h"

#include <ctime>
#include <optional>
#include <vector>

namespace mjolnir::runtime {

/// The monotonic clock.
inline uint64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

class Phases {
public:
  /// Ends the phase at hand, if there is one, and begins another; `name` is a literal.
  void begin(const char *name) {
    end();
    name_ = name;
    range_.emplace(name);
    start_ = nanoseconds();
  }
  void end() {
    if (name_)
      add(name_, nanoseconds() - start_);
    name_ = nullptr;
    range_.reset();
  }
  /// One that was measured elsewhere.
  void add(const char *name, uint64_t duration) { list_.push_back({name, duration}); }
  const std::vector<mj_phase> &list() const { return list_; }

private:
  std::vector<mj_phase> list_;
  const char *name_ = nullptr;
  std::optional<NvtxRange> range_;
  uint64_t start_ = 0;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_PHASES_H
