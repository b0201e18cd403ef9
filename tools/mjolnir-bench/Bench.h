// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What mjolnir-bench measures and how it says it. What fails throws std::runtime_error with a sentence.
#ifndef MJOLNIR_BENCH_BENCH_H
#define MJOLNIR_BENCH_BENCH_H

#include "Package.h"
#include "Session.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace mjolnir::bench {

using Json = nlohmann::ordered_json;

/// How tokens are drawn; by default greedily, since what other sampling costs depends on the logits.
struct Sampling {
  float temperature = 0, topP = 1;
  uint32_t topK = 0; ///< 0: all
};

struct Options {
  std::string package, versus;
  std::string tuningTable, reference; ///< with --tune
  std::vector<std::string> entries;   ///< by name; empty: all
  uint32_t context = 512;             ///< tokens that each sequence holds before the step
  uint32_t runs = 100;
  uint32_t threads = 0;
  uint32_t rotateMegabytes = 512; ///< that buffers are spread over
  Sampling sampling;
  bool kernels = false, predictions = false;
  bool graphs = true, dependentLaunches = true;
};

/// The device takes nothing more from this process; another one may go on.
struct DeviceLost : std::runtime_error {
  DeviceLost() : std::runtime_error("the device takes nothing more from this process") {}
};

inline void check(const runtime::Status &status) {
  if (status)
    throw std::runtime_error(status.message());
}

/// {"median", "p50", "p99", "least", "runs"}, all but the last in microseconds. `seconds` is not empty.
Json describeTimes(std::vector<double> seconds);
/// The middle one, or the mean of the two in the middle.
double median(std::vector<double> values);

/// Bytes/s of this machine's memory or the device's, measured over as much memory as buffers rotate through: a copy,
/// read and written both counted, and reading alone.
struct Bandwidth {
  double copy = 0, read = 0;
};
Bandwidth measureHostBandwidth(uint32_t threads, size_t bytes);
Bandwidth measureCudaBandwidth(const runtime::Package &package, size_t bytes);

/// What a step, or several, moves between memory and itself: everything read once and written once.
struct Moved {
  double read = 0, written = 0;
  Moved &operator+=(const Moved &other);
};
/// {"read_bytes", "written_bytes", "bytes_per_second", "fraction"}: of the time that `moved` takes at least, of the
/// time that it took; what is both read and written moves at copy bandwidth, the rest at read bandwidth.
Json describeMoved(const Moved &moved, double seconds, const Bandwidth &bandwidth);

/// What the steps of a package move, and how long its compiler says that they take, from its debug tables. Empty where
/// it has none.
class Costs {
public:
  explicit Costs(const runtime::Package &package);
  bool isKnown() const { return !steps_.empty(); }
  Moved of(size_t entry, size_t step, uint32_t context) const;
  /// Whether every step of the entry has a prediction; those of an older compiler's package have none.
  bool hasPredictions(size_t entry) const;
  double predictedSeconds(size_t entry, size_t step, uint32_t context) const;
  /// The kind of kernel: the name of its schedule, or "copy".
  const std::string &classOf(size_t entry, size_t step) const { return steps_[entry][step].kind; }

private:
  struct Step {
    double read = 0, written = 0, context = 0, readAToken = 0;
    std::string kind;
    std::vector<std::pair<double, double>> predicted; ///< seconds at a context, by rising context
  };
  std::vector<std::vector<Step>> steps_; // by entry and step
};

/// Tensors for one entry, in the CPU's memory. Of a language model a step of all its sequences: a decode entry adds a
/// token to `context` of each, a prefill entry fills its rows with the first sequence. Otherwise small numbers, and
/// zeros where integers are wanted.
class Inputs {
public:
  /// Outputs of up to `largestOutput` bytes are brought back.
  Inputs(const runtime::Package &package, size_t entry, uint32_t context, uint32_t firstPage = 0,
         uint64_t largestOutput = LargestOutput, const Sampling &sampling = {});
  /// At the context and with the sampling of `options`.
  Inputs(const runtime::Package &package, size_t entry, const Options &options, uint32_t firstPage = 0)
      : Inputs(package, entry, options.context, firstPage, LargestOutput, options.sampling) {}
  const std::vector<const DLTensor *> &inputs() const { return in_; }
  const std::vector<const DLTensor *> &outputs() const { return out_; }
  const void *data(size_t input) const { return buffers_[input].data(); }
  /// KV pages that a session needs for this.
  uint32_t pages() const { return pages_; }
  uint32_t context() const { return context_; }     ///< of each sequence, after the step
  uint32_t sequences() const { return sequences_; } ///< that the step has
  /// Whether it is a decode step, each sequence with a token behind those that it holds.
  bool isDecode() const { return growing_.positions; }
  /// Of a decode step, in run `i` of `runs`: as many tokens before it that the last run has the context asked for, and
  /// each run a token more than the one before; where there are more runs than tokens, they begin anew.
  void grow(uint32_t i, uint32_t runs);

private:
  static constexpr uint64_t LargestOutput = 64 * 1024;
  const DLTensor *add(const runtime::Binding &binding);
  void fillRagged(const runtime::Package &package, size_t entry, uint32_t context, uint32_t firstPage,
                  const Sampling &sampling);
  std::vector<std::vector<uint64_t>> buffers_;
  std::vector<std::unique_ptr<DLTensor>> tensors_;
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<const DLTensor *> in_, out_;
  uint32_t pages_ = 0, context_ = 0, sequences_ = 0;
  /// A sequence's pages follow each other, behind those of the sequence before.
  struct {
    uint32_t first = 0, size = 0, each = 0;
    uint32_t pageOf(uint32_t sequence, uint32_t position) const { return first + sequence * each + position / size; }
    int32_t slotOf(uint32_t sequence, uint32_t position) const {
      return int32_t(pageOf(sequence, position) * size + position % size);
    }
  } kv_;
  struct {
    int32_t *positions = nullptr, *lengths = nullptr, *slots = nullptr, *windowSlots = nullptr;
  } growing_; ///< of a decode step
};

/// A package with a session that is made for one entry.
struct Runner {
  Runner(const runtime::Package &package, size_t entry, const Options &options);
  std::unique_ptr<runtime::Session> session;
  Inputs inputs;
  size_t entry;
  /// Runs once and waits: seconds on the device's own clock where there is one.
  double run();
  enum class Runs { Apart, Continuing, Growing };
  /// Seconds a run takes of the host, and seconds from run to run, with the next one started before the last has ended,
  /// which it continues or not, its sequences of the same length or longer by a token.
  std::pair<double, double> runAhead(uint32_t runs, Runs how);
};

Json benchEntry(const runtime::Package &package, size_t entry, const Options &options, const Costs &costs,
                const Bandwidth &bandwidth);
/// Two packages, run in turn.
Json benchPair(const runtime::Package &package, const runtime::Package &versus, size_t entry, size_t versusEntry,
               const Options &options);
/// Compares the schedules that a package of mjolnir-tune holds, and writes what was found to the tuning table.
void tunePackage(const Options &options);

/// Each kernel of an entry for itself.
Json benchKernels(const runtime::Package &package, size_t entry, const Options &options, const Costs &costs,
                  const Bandwidth &bandwidth);
Json benchCudaKernels(const runtime::Package &package, size_t entry, const Options &options, const Costs &costs,
                      const Bandwidth &bandwidth);

/// Seconds that each step of an entry takes within a run: from the end of the step before it to its own end, so that
/// they add up to the run. On a GPU the difference of two graphs, of which one has this step and the other ends before
/// it; on a CPU what a run notes. `startSeconds` is what a run of no step takes, `runs` how often each was measured.
struct StepTimes {
  std::vector<double> seconds;
  double startSeconds = 0;
  uint32_t runs = 0;
};
StepTimes measureSteps(const runtime::Package &package, size_t entry, const Options &options);
StepTimes measureCudaSteps(const runtime::Package &package, size_t entry, const Options &options);

/// What the compiler predicted of the steps of an entry beside what they take, by kernel and by kind of kernel.
Json benchPredictions(const runtime::Package &package, size_t entry, const Options &options, const Costs &costs);
/// What benchPredictions gave, as tables for people.
std::string formatPredictions(const Json &result);

bool runsOnCuda(const runtime::Package &package);

} // namespace mjolnir::bench

#endif // MJOLNIR_BENCH_BENCH_H
