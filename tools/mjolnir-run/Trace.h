// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What each kernel of each run took, as a file that chrome://tracing and Perfetto show: a row for the entries, and a
// row for each kernel.
#ifndef MJOLNIR_RUN_TRACE_H
#define MJOLNIR_RUN_TRACE_H

#include "mjolnir/llm.h"

#include <map>
#include <string>
#include <vector>

namespace mjolnir::run {

class Trace {
public:
  /// Adds a run; `user` of mj_generator_options.profile is the trace.
  static void take(void *user, const mj_run_profile *run) { static_cast<Trace *>(user)->add(*run); }
  void add(const mj_run_profile &run);
  /// Throws NpyError if the file cannot be written.
  void write(const std::string &path) const;
  /// The trace in the Trace Event Format, JSON.
  std::string text() const;

private:
  struct Event {
    size_t row;
    uint64_t start, nanoseconds;
    uint32_t tiles;
  };
  size_t rowOf(const char *name);

  std::vector<std::string> rows; // their names; entries begin with "entry "
  std::map<std::string, size_t> rowsByName;
  std::vector<Event> events;
};

} // namespace mjolnir::run

#endif // MJOLNIR_RUN_TRACE_H
