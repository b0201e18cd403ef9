// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The tuning table as a file, and what a package of mjolnir-tune says there is to compare.
#ifndef MJOLNIR_BENCH_TUNETABLE_H
#define MJOLNIR_BENCH_TUNETABLE_H

#include "Bench.h"

namespace mjolnir::bench {

/// What there is to compare.
struct Candidate {
  size_t entry; ///< of the package
  std::string schedule;
};
/// Regions that are equal, and the schedules to try for them.
struct TunedRegion {
  std::string key, what, schedule; ///< the schedule of `entry`
  size_t entry;
  uint64_t count; ///< such regions in the entry
  std::vector<Candidate> candidates;
};
struct TuningIndex {
  std::string target;
  std::vector<TunedRegion> regions;
  size_t candidates = 0;
};

/// Reads the member tuning.json; what does not fit the package's entries is an error.
TuningIndex readTuningIndex(const runtime::Package &package, const std::string &path);

/// `rows`: the fastest schedules. `measured`: every comparison, so that none is made again.
class TuneTable {
public:
  /// An empty table if there is no such file; an error if it is something else.
  TuneTable(std::string path, std::string target);

  /// The comparison of a region's schedule, or null.
  const Json *findMeasured(const std::string &region, const std::string &schedule) const;
  const Json *findRow(const std::string &region) const;
  /// Adds, or replaces, and writes the file: in one piece, so that what interrupts it leaves the one before.
  void addMeasured(Json measured);
  void setRow(Json row);

private:
  void write() const;
  std::string path_, target_;
  Json table_;
};

} // namespace mjolnir::bench

#endif // MJOLNIR_BENCH_TUNETABLE_H
