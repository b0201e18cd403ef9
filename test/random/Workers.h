// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Processes that share a range of seeds. What kills one is the failure of the seed that it worked on; another process
// goes on with the next.
#ifndef MJOLNIR_TEST_RANDOM_WORKERS_H
#define MJOLNIR_TEST_RANDOM_WORKERS_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstdint>
#include <vector>

namespace mjolnir::differential {

/// What came of a seed; goes through a pipe.
struct Report {
  uint64_t seed = 0;
  bool failed = false;
  uint32_t refused = 0;
  double worstF32 = 0, worstBf16 = 0;
  uint64_t elements = 0, compared = 0;
};

struct Totals {
  uint64_t done = 0;
  std::vector<uint64_t> failed, refused; ///< seeds, ascending
  double worstF32 = 0, worstBf16 = 0;
  uint64_t elements = 0, compared = 0;
};

/// Calls `work` with each of `count` seeds from `first` on, in `jobs` processes, and `finish` at the end of each
/// process; `tell` in this one, after every hundred and at the end. A seed that takes more than `limit` seconds has
/// failed. False, with a word on standard error, where there can be no processes.
bool workOn(uint64_t first, uint64_t count, unsigned jobs, unsigned limit, llvm::function_ref<Report(uint64_t)> work,
            llvm::function_ref<void()> finish, llvm::function_ref<void(const Totals &)> tell, Totals &totals);

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_WORKERS_H
