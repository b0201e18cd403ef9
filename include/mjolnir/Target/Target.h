// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the passes and the package writer ask of a kind of chip. A target lives in its own folder under targets/ and
// registers itself; nothing else names it.
#ifndef MJOLNIR_TARGET_TARGET_H
#define MJOLNIR_TARGET_TARGET_H

#include "mjolnir/Dialect/Exec/ExecDialect.h"
#include "mjolnir/Dialect/Mj/MjDialect.h"
#include "mjolnir/Target/Profile.h"

#include "mlir/IR/BuiltinOps.h"
#include <functional>
#include <memory>
#include <string>

namespace mjolnir {

struct CostOptions;
struct KernelCost;
struct Prediction;

/// What a package says of the chip it was made for.
struct TargetDescription {
  std::string kind;                  ///< "host"
  std::string triple;                ///< LLVM's spelling; empty where it has no meaning
  std::vector<std::string> features; ///< what the machine must have, LLVM's spelling
};

/// Code for one target: the bytes of a member of the package.
struct Image {
  std::string member; ///< "kernels.so"
  llvm::SmallVector<char, 0> bytes;
};

/// How code is made, beyond what the program says. Folders; what is not given is empty.
struct CodeOptions {
  std::string kernelCache; ///< keeps compiled kernels between compiles
  std::string dumpKernels; ///< where the source of each kernel is written
  std::string loadKernels; ///< sources that are compiled instead of what the target would write
};

/// Where compiled kernels are kept unless the user says: mjolnir/kernels in $XDG_CACHE_HOME or ~/.cache. Empty where
/// there is neither.
std::string defaultKernelCache();

/// What generateCode may note on a kernel, for people. `resources`, integers: `registers`, `spill_bytes` and
/// `stack_bytes` of a thread, `shared_bytes` of a block (static and dynamic), `blocks` that a multiprocessor holds at a
/// time, of `threads` each. `replaced`: its source is the user's.
inline constexpr llvm::StringLiteral kResourcesAttr = "resources";
inline constexpr llvm::StringLiteral kReplacedAttr = "replaced";

class Target {
public:
  virtual ~Target();

  virtual TargetDescription describe() const = 0;

  /// The chip as data.
  virtual const Profile &getProfile() const = 0;

  /// What a region may hold on this chip.
  virtual FusionRules getFusionRules() const { return {}; }

  /// Alignment in bytes of arena buffers and weights.
  virtual int64_t bufferAlignment() const = 0;

  /// The encoding in which the target wants a weight that is the right operand of `mj.matmul`, or null for row-major.
  /// It must serve every matmul that reads the weight and, when `gathered`, row gathers too.
  virtual mj::EncodingAttr chooseEncoding(mlir::RankedTensorType weight, bool gathered) const = 0;

  /// Bytes that a weight takes in the package; the type may carry an encoding of this target.
  virtual llvm::FailureOr<int64_t> storageBytes(mlir::RankedTensorType type) const = 0;

  /// Writes the row-major `source` of type `from` as `to`, which differs in encoding only, into `packed`,
  /// storageBytes(to) bytes. The result does not depend on the machine that runs it.
  virtual llvm::LogicalResult pack(mlir::RankedTensorType from, llvm::ArrayRef<char> source, mlir::RankedTensorType to,
                                   llvm::MutableArrayRef<char> packed) const = 0;

  /// The schedule of a region, or a diagnostic on it that says what the target lacks. With `oracle` the plain one that
  /// follows the definition of the operations.
  virtual llvm::FailureOr<mj::ScheduleAttr> chooseSchedule(mj::FusionOp fusion, bool oracle) const = 0;

  /// Schedules other than `chosen` that the target can compile `fusion` with, for mjolnir-tune to measure. The order
  /// does not change from run to run. What a tuning table asks for is obeyed only if it is one of these.
  virtual llvm::SmallVector<mj::ScheduleAttr> listSchedules(mj::FusionOp fusion, mj::ScheduleAttr chosen) const {
    return {};
  }

  /// Whether a region `body` can have that schedule, which may come from a file; if not, a diagnostic on `op`, the
  /// region or its kernel. What follows takes schedules that are verified.
  virtual llvm::LogicalResult verifySchedule(mlir::Operation *op, mj::ScheduleAttr schedule, mlir::Block &body) const {
    return llvm::success();
  }

  /// Names of the libraries that launches can call instead of kernels.
  virtual llvm::SmallVector<llvm::StringRef> getLibraries() const { return {}; }

  /// The schedule of a region that `library`, one of getLibraries(), computes as a whole; null with a sentence in
  /// `reason` where it cannot, null with an empty one where the region is none that it is asked for.
  virtual mj::ScheduleAttr chooseLibrary(llvm::StringRef library, mj::FusionOp fusion, std::string &reason) const {
    return {};
  }

  /// What a launch of `body` calls, where `schedule` is one of chooseLibrary(); null for kernels.
  virtual exec::LibraryMatmulAttr getLibraryCall(mj::ScheduleAttr schedule, mlir::Block &body) const { return {}; }

  /// How many tiles a launch of `body` has under `schedule`.
  virtual int64_t countTiles(mj::ScheduleAttr schedule, mlir::Block &body) const = 0;

  /// Whether a launch of `body` under `schedule` may write its result `result` where its argument `argument` lies,
  /// which nothing reads after the launch: every element is written after the last read of the element that lay there,
  /// by the tile that alone reads it. See isElementwise for what the body must be like.
  virtual bool mayOverwrite(mj::ScheduleAttr schedule, mlir::Block &body, unsigned argument, unsigned result) const {
    return false;
  }

  /// Bytes that a launch of `body` under `schedule` needs beside its operands, for what its tiles leave to each other.
  /// They hold anything when a launch starts.
  virtual int64_t scratchBytes(mj::ScheduleAttr schedule, mlir::Block &body) const { return 0; }

  /// Operands of a launch of `body` under `schedule` (see exec::getKernelOperands) that a dependent launch reads before
  /// it waits.
  virtual llvm::SmallVector<int64_t> earlyOperands(mj::ScheduleAttr schedule, mlir::Block &body) const { return {}; }

  /// How long a launch of `body` under `schedule` takes that costs `cost`, from the end of the launch before it to its
  /// own end. `options` are those that the cost was counted with. By default what predict says of the cost alone.
  virtual Prediction predictLaunch(mj::ScheduleAttr schedule, mlir::Block &body, const KernelCost &cost,
                                   const CostOptions &options) const;

  /// Compiles every kernel of `module`. What an option asks for and the target cannot do is an error.
  virtual llvm::FailureOr<llvm::SmallVector<Image>> generateCode(mlir::ModuleOp module,
                                                                 const CodeOptions &options) const = 0;
};

/// Makes a target from a specification "kind" or "kind:detail"; null with a sentence in `error` if it cannot.
using TargetFactory = std::function<std::unique_ptr<Target>(llvm::StringRef specification, std::string &error)>;

/// Makes targets of `kind` known to createTarget. `help` is a line for people.
void registerTarget(llvm::StringRef kind, llvm::StringRef help, TargetFactory factory);
std::unique_ptr<Target> createTarget(llvm::StringRef specification, std::string &error);
/// The registered kinds with their help, one a line.
std::string describeTargets();

/// Bytes of a dense row-major tensor of static shape.
int64_t denseBytes(mlir::RankedTensorType type);

/// Whether result `result` of `body` has the type of argument `argument`, and all that is computed from the argument is
/// pointwise and leads to that result alone: element i of the argument is read for element i of the result and for
/// nothing else.
bool isElementwise(mlir::Block &body, unsigned argument, unsigned result);

} // namespace mjolnir

#endif // MJOLNIR_TARGET_TARGET_H
