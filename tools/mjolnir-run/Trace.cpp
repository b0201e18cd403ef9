// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Trace.h.

#include "Trace.h"

#include "Npy.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace mjolnir::run {

namespace {

std::string quoted(const std::string &text) {
  std::string result = "\"";
  for (char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\')
      (result += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      result.append(escaped, static_cast<size_t>(std::snprintf(escaped, sizeof(escaped), "\\u%04x", c)));
    else
      result += c;
  }
  return result + "\"";
}

} // namespace

size_t Trace::rowOf(const char *name) {
  auto [place, isNew] = rowsByName.emplace(name, rows.size());
  if (isNew)
    rows.push_back(name);
  return place->second;
}

void Trace::add(const mj_run_profile &run) {
  const size_t row = rowOf(("entry " + std::string(run.entry)).c_str());
  const size_t whole = events.size();
  events.push_back({row, run.start_nanoseconds, 0, 0});
  uint64_t at = run.start_nanoseconds;
  for (size_t i = 0; i < run.step_count; ++i) {
    const mj_step_profile &step = run.steps[i];
    events.push_back({rowOf(step.kernel), at, step.nanoseconds, step.tiles});
    at += step.nanoseconds;
  }
  events[whole].nanoseconds = at - run.start_nanoseconds;
}

std::string Trace::text() const {
  // Times are microseconds; they start with the first run.
  const uint64_t origin = events.empty() ? 0 : events.front().start;
  std::string json = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
  char line[160];
  for (size_t row = 0; row < rows.size(); ++row) {
    std::snprintf(
        line, sizeof(line),
        "%s\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":%zu,\"args\":{\"name\":", row ? "," : "", row);
    json += line + quoted(rows[row]) + "}}";
    std::snprintf(
        line, sizeof(line),
        ",\n{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":1,\"tid\":%zu,\"args\":{\"sort_index\":%zu}}", row,
        row);
    json += line;
  }
  for (const Event &event : events) {
    json += ",\n{\"ph\":\"X\",\"name\":" + quoted(rows[event.row]);
    std::snprintf(line, sizeof(line),
                  ",\"pid\":1,\"tid\":%zu,\"ts\":%.3f,\"dur\":%.3f,\"args\":{\"tiles\":%" PRIu32 "}}", event.row,
                  static_cast<double>(event.start - origin) * 1e-3, static_cast<double>(event.nanoseconds) * 1e-3,
                  event.tiles);
    json += line;
  }
  return json + "\n]}\n";
}

void Trace::write(const std::string &path) const {
  std::ofstream file(path, std::ios::binary);
  file << text();
  if (!file.flush())
    throw NpyError("cannot write '" + path + "': " + std::strerror(errno));
}

} // namespace mjolnir::run
