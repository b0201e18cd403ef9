// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How many pages of KV memory sequences take, and how many sequences a memory holds: the arithmetic that the generator,
// mjolnir-inspect and mjolnir-compile share. Nothing here depends on a package.
#ifndef MJOLNIR_FORMAT_KVPLAN_H
#define MJOLNIR_FORMAT_KVPLAN_H

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace mjolnir::format {

/// Pages that `tokens` tokens take.
constexpr uint64_t kvPages(uint64_t tokens, uint64_t pageTokens) { return (tokens + pageTokens - 1) / pageTokens; }

/// Pages that a sequence of any length needs when no row reads further back than the last `window` tokens, its own
/// included, and a step adds up to `rows` tokens: page p of the sequence may then lie where page p - n lay. The tokens
/// that a step reads or writes are window - 1 + rows in a line; the first may be the last of its page.
constexpr uint64_t kvWindowPages(uint64_t window, uint64_t rows, uint64_t pageTokens) {
  return kvPages(window + rows - 2, pageTokens) + 1;
}

/// What a plan starts from. Sizes are bytes; zero stands for what is not known or not asked for.
struct KvDemand {
  uint64_t pageTokens = 0, pageBytes = 0; ///< a page, of all pools but one with tables of its own
  uint64_t window = 0;                    ///< tokens that pages keep: those of windowPageBytes, or all if that is 0
  uint64_t windowPageBytes = 0;           ///< a page of the pool with tables of its own
  uint64_t stepRows = 1;                  ///< the most rows that a step gives one sequence
  uint64_t weightBytes = 0;
  uint64_t stepBytes = 0; ///< arena and outputs of the largest entry
  uint64_t memory = 0;    ///< of the device, for weights, a step and the cache
  uint64_t budget = 0;    ///< for the cache alone; stands above `memory`
  uint64_t sessions = 0;
  uint64_t context = 0; ///< tokens of a session
};

/// What comes out.
struct KvPlan {
  uint64_t pagesPerSession = 0, windowPagesPerSession = 0, bytesPerSession = 0;
  uint64_t budget = 0;      ///< bytes for the cache; 0: no limit was given
  uint64_t budgetPages = 0; ///< that fit into it; of two pools, the pages of the sessions that do
  uint64_t sessionsThatFit = 0;
  uint64_t pages = 0, windowPages = 0, bytes = 0; ///< for the sessions asked for; without, for those that fit
};

/// "2953838592 bytes (2.75 GiB)".
inline std::string bytesText(uint64_t bytes) {
  std::string text = std::to_string(bytes) + " bytes";
  const char *unit = "KiB";
  double value = static_cast<double>(bytes) / 1024;
  for (const char *next : {"MiB", "GiB", "TiB"})
    if (value >= 1024) {
      value /= 1024;
      unit = next;
    }
  if (bytes < 10240)
    return text;
  char buffer[32];
  snprintf(buffer, sizeof(buffer), " (%.2f %s)", value, unit);
  return text + buffer;
}

/// A size with a unit: "8GiB", "24GB", "512MiB", "1000" (bytes). False if it is none, zero, or needs more than 62 bits.
inline bool parseBytes(const std::string &text, uint64_t &bytes) {
  size_t digits = text.find_first_not_of("0123456789");
  std::string unit = digits == std::string::npos ? "" : text.substr(digits);
  if (digits == 0 || text.empty() || text.substr(0, digits).size() > 18)
    return false;
  uint64_t factor = 0;
  static constexpr struct {
    const char *name;
    uint64_t factor;
  } units[] = {{"", 1},
               {"B", 1},
               {"kB", 1000},
               {"KB", 1000},
               {"MB", 1000000},
               {"GB", 1000000000},
               {"TB", 1000000000000},
               {"KiB", uint64_t(1) << 10},
               {"MiB", uint64_t(1) << 20},
               {"GiB", uint64_t(1) << 30},
               {"TiB", uint64_t(1) << 40}};
  for (const auto &known : units)
    if (unit == known.name)
      factor = known.factor;
  return factor && !__builtin_mul_overflow(std::strtoull(text.c_str(), nullptr, 10), factor, &bytes) && bytes > 0 &&
         bytes < uint64_t(1) << 62;
}

/// Computes `plan`. True with lines for people in `text`; false with a sentence that holds the arithmetic when the
/// memory does not hold one session, or not those asked for.
inline bool planKv(const KvDemand &demand, KvPlan &plan, std::string &text) {
  auto number = [](uint64_t value) { return std::to_string(value); };
  plan = {};
  const bool isDivided = demand.windowPageBytes != 0;
  const uint64_t whole = kvPages(demand.context, demand.pageTokens);
  plan.pagesPerSession = whole;
  std::string why = number(demand.context) + " tokens / " + number(demand.pageTokens) + " a page";
  if (demand.window) {
    uint64_t ring = kvWindowPages(demand.window, demand.stepRows, demand.pageTokens);
    std::string ringWhy = "a window of " + number(demand.window) + " tokens and a step of " + number(demand.stepRows) +
                          " / " + number(demand.pageTokens) + " a page";
    if (isDivided) {
      plan.windowPagesPerSession = std::min(ring, whole);
      if (ring < whole)
        why += ", and " + ringWhy;
    } else if (ring < whole) {
      plan.pagesPerSession = ring;
      why = ringWhy;
    }
  }
  // "313 pages", or "313 pages and 66 of layers with a window".
  auto pagesText = [&](uint64_t sessions) {
    std::string text = number(sessions * plan.pagesPerSession) + " pages";
    return isDivided ? text + " and " + number(sessions * plan.windowPagesPerSession) + " of layers with a window"
                     : text;
  };
  auto bytesOf = [&](uint64_t pages, uint64_t windowPages, uint64_t &bytes) {
    uint64_t windowBytes;
    return !__builtin_mul_overflow(pages, demand.pageBytes, &bytes) &&
           !__builtin_mul_overflow(windowPages, demand.windowPageBytes, &windowBytes) &&
           !__builtin_add_overflow(bytes, windowBytes, &bytes) && bytes < uint64_t(1) << 62;
  };
  const std::string session = pagesText(1), sizes = number(demand.pageBytes) +
                                                    (isDivided ? " and " + number(demand.windowPageBytes) : "") +
                                                    " bytes";
  if (!bytesOf(plan.pagesPerSession, plan.windowPagesPerSession, plan.bytesPerSession)) {
    text = "a session of " + number(demand.context) + " tokens needs " + session + " of " + sizes +
           ", more than can be addressed";
    return false;
  }
  std::string arithmetic = "a session of " + number(demand.context) + " tokens needs " + session + " (" + why +
                           ") of " + sizes + " = " + bytesText(plan.bytesPerSession);
  std::string limit;
  std::string fits;
  const bool isLimited = demand.budget || demand.memory;
  if (demand.budget) {
    plan.budget = demand.budget;
    limit = "the cache may take " + bytesText(demand.budget);
  } else if (demand.memory) {
    uint64_t taken = demand.weightBytes + demand.stepBytes;
    plan.budget = demand.memory > taken ? demand.memory - taken : 0;
    limit = "of " + bytesText(demand.memory) + " the weights take " + bytesText(demand.weightBytes) + ", a step " +
            bytesText(demand.stepBytes) + ", which leaves " + bytesText(plan.budget);
  }
  if (isLimited) {
    if (isDivided) {
      plan.sessionsThatFit = plan.budget / plan.bytesPerSession;
      plan.budgetPages = plan.sessionsThatFit * plan.pagesPerSession;
    } else {
      plan.budgetPages = plan.budget / demand.pageBytes;
      plan.sessionsThatFit = plan.budgetPages / plan.pagesPerSession;
    }
    fits = isDivided ? limit : limit + " = " + number(plan.budgetPages) + " pages";
    if (plan.sessionsThatFit == 0) {
      text = "the memory does not hold one session: " + arithmetic + "; " + fits;
      return false;
    }
    if (plan.sessionsThatFit < demand.sessions) {
      text = "the memory holds " + number(plan.sessionsThatFit) + " of " + number(demand.sessions) +
             " sessions: " + arithmetic + ", all of them " + pagesText(demand.sessions) + "; " + fits;
      return false;
    }
  }
  const uint64_t sessions = demand.sessions ? demand.sessions : plan.sessionsThatFit;
  if (__builtin_mul_overflow(sessions, plan.pagesPerSession, &plan.pages) ||
      __builtin_mul_overflow(sessions, plan.windowPagesPerSession, &plan.windowPages) ||
      !bytesOf(plan.pages, plan.windowPages, plan.bytes)) {
    text = number(sessions) + " sessions of " + session + " need more than can be addressed";
    return false;
  }
  text = "KV plan for sessions of " + number(demand.context) + " tokens\n" + "  page      " +
         number(demand.pageTokens) + " tokens, " + bytesText(demand.pageBytes) +
         (isDivided ? ", of layers with a window " + bytesText(demand.windowPageBytes) : "") + "\n" + "  session   " +
         session + " = " + why + ", " + bytesText(plan.bytesPerSession) + "\n";
  if (sessions)
    text += "  sessions  " + number(sessions) + ": " + pagesText(sessions) + ", " + bytesText(plan.bytes) + "\n";
  text += "  beside    weights " + bytesText(demand.weightBytes) + ", a step " + bytesText(demand.stepBytes) + "\n";
  if (sessions)
    text += "  in all    " + bytesText(plan.bytes + demand.weightBytes + demand.stepBytes) + "\n";
  if (isLimited)
    text += "  memory    " + fits + ", " + number(plan.sessionsThatFit) + " sessions\n";
  return true;
}

} // namespace mjolnir::format

#endif // MJOLNIR_FORMAT_KVPLAN_H
