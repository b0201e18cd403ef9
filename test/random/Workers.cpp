// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Workers.h with POSIX processes and pipes.
#include "test/random/Workers.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mjolnir::differential;

namespace {

/// Seeds `next`, `next` + `step`, ... below `end`, and the process that works on them.
struct Lane {
  uint64_t next, step, end;
  pid_t process = -1;
  int pipe = -1;
};

[[noreturn]] void runLane(const Lane &lane, int pipe, unsigned limit, llvm::function_ref<Report(uint64_t)> work,
                          llvm::function_ref<void()> finish) {
  for (uint64_t seed = lane.next; seed < lane.end; seed += lane.step) {
    alarm(limit);
    Report report = work(seed);
    alarm(0);
    // Shorter than what a pipe takes whole.
    if (write(pipe, &report, sizeof(report)) != ssize_t(sizeof(report)))
      break;
  }
  finish();
  llvm::outs().flush();
  _exit(0);
}

bool startLane(Lane &lane, unsigned limit, llvm::function_ref<Report(uint64_t)> work,
               llvm::function_ref<void()> finish) {
  int ends[2];
  llvm::outs().flush();
  if (pipe(ends) != 0)
    return false;
  lane.process = fork();
  if (lane.process < 0)
    return false;
  if (lane.process == 0) {
    close(ends[0]);
    // What kills the process says so by its signal, in the one that waits; no handler writes a trace here.
    signal(SIGALRM, SIG_DFL);
    runLane(lane, ends[1], limit, work, finish);
  }
  close(ends[1]);
  lane.pipe = ends[0];
  return true;
}

} // namespace

bool mjolnir::differential::workOn(uint64_t first, uint64_t count, unsigned jobs, unsigned limit,
                                   llvm::function_ref<Report(uint64_t)> work, llvm::function_ref<void()> finish,
                                   llvm::function_ref<void(const Totals &)> tell, Totals &totals) {
  auto fail = [] {
    llvm::errs() << "cannot start a process: " << std::strerror(errno) << "\n";
    return false;
  };
  std::vector<Lane> lanes;
  jobs = std::max(1u, jobs);
  for (unsigned i = 0; i < jobs && i < count; ++i)
    lanes.push_back({first + i, jobs, first + count});
  for (Lane &lane : lanes)
    if (!startLane(lane, limit, work, finish))
      return fail();
  auto add = [&](const Report &report) {
    if (report.failed)
      totals.failed.push_back(report.seed);
    if (report.refused)
      totals.refused.push_back(report.seed);
    totals.worstF32 = std::max(totals.worstF32, report.worstF32);
    totals.worstBf16 = std::max(totals.worstBf16, report.worstBf16);
    totals.elements += report.elements;
    totals.compared += report.compared;
    if (++totals.done % 100 == 0 || totals.done == count)
      tell(totals);
  };
  while (totals.done < count) {
    std::vector<pollfd> waiting;
    for (const Lane &lane : lanes)
      waiting.push_back({lane.pipe, POLLIN, 0});
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR)
      return fail();
    for (auto [lane, ready] : llvm::zip(lanes, waiting)) {
      if (lane.pipe < 0 || !ready.revents)
        continue;
      Report report;
      if (read(lane.pipe, &report, sizeof(report)) == ssize_t(sizeof(report))) {
        lane.next = report.seed + lane.step;
        add(report);
        continue;
      }
      close(lane.pipe);
      lane.pipe = -1;
      int status = 0;
      waitpid(lane.process, &status, 0);
      if (lane.next >= lane.end)
        continue;
      llvm::outs() << "seed " << lane.next << ": the process ended"
                   << (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM
                           ? ", out of time"
                           : std::string(WIFSIGNALED(status) ? ": " : "") +
                                 (WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : ""))
                   << "\n";
      add({lane.next, true});
      lane.next += lane.step;
      if (lane.next < lane.end && !startLane(lane, limit, work, finish))
        return fail();
    }
  }
  for (Lane &lane : lanes)
    if (lane.pipe >= 0) {
      close(lane.pipe);
      waitpid(lane.process, nullptr, 0);
    }
  llvm::sort(totals.failed);
  llvm::sort(totals.refused);
  return true;
}
