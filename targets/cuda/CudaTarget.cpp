// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// NVIDIA GPUs as targets: a profile and what follows from it.
#include "targets/cuda/CudaTarget.h"

#include "targets/cuda/CodeGenerator.h"
#include "targets/cuda/LibraryMatmul.h"
#include "targets/cuda/Predictions.h"
#include "targets/cuda/Profiles.h"
#include "targets/cuda/Schedules.h"

#include "mjolnir/Target/Target.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;

namespace {

/// The chip as portable packages see it: without what only it has, with the shared memory that every chip has, so that
/// one schedule serves machine code and PTX.
CudaProfile baselineOf(CudaProfile chip) {
  chip.matrixUnit = chip.matrixUnitF8 = MatrixUnit::mmaSync;
  chip.multipliesF8 = false; // some of the chips that the PTX is for emulate mma.sync on f8
  chip.sharedBytesPerBlock = std::min<int64_t>(chip.sharedBytesPerBlock, 99 * 1024);
  return chip;
}

/// The chip with mma.sync for everything, f8 included, as chips of compute capability 12 multiply: for tests of their
/// kernels on other chips, which emulate a part of it.
CudaProfile withMmaSync(CudaProfile chip) {
  chip.matrixUnit = chip.matrixUnitF8 = MatrixUnit::mmaSync;
  chip.multipliesF8 = true;
  return chip;
}

class CudaTarget : public Target {
public:
  CudaTarget(CudaProfile chip, bool portable) : profile(std::move(chip)), portable(portable) {}

  TargetDescription describe() const override {
    TargetDescription description = {"cuda", "", {profile.name}};
    if (portable)
      description.features.push_back(kPortableArchitecture.str());
    return description;
  }
  const Profile &getProfile() const override { return profile; }
  FusionRules getFusionRules() const override { return profile.rules; }

  /// What bulk copies and the widest loads want, with room for tensor maps.
  int64_t bufferAlignment() const override { return 256; }

  /// Weights of matmuls are read along K, the order that they are stored in.
  mj::EncodingAttr chooseEncoding(RankedTensorType, bool) const override { return {}; }

  FailureOr<int64_t> storageBytes(RankedTensorType type) const override {
    if (type.getEncoding())
      return failure();
    return denseBytes(type);
  }

  LogicalResult pack(RankedTensorType, ArrayRef<char>, RankedTensorType, MutableArrayRef<char>) const override {
    return failure();
  }

  FailureOr<mj::ScheduleAttr> chooseSchedule(mj::FusionOp fusion, bool oracle) const override {
    if (oracle)
      return fusion.emitOpError("has no plain schedule on a GPU: the oracle runs on the host, with --target=host");
    return cuda::chooseSchedule(fusion, profile);
  }

  LogicalResult verifySchedule(Operation *op, mj::ScheduleAttr schedule, Block &body) const override {
    return cuda::verifySchedule(op, schedule, body);
  }

  SmallVector<StringRef> getLibraries() const override { return {kCublasLt}; }

  mj::ScheduleAttr chooseLibrary(StringRef, mj::FusionOp fusion, std::string &reason) const override {
    return chooseCublasLt(fusion, profile, reason);
  }

  exec::LibraryMatmulAttr getLibraryCall(mj::ScheduleAttr schedule, Block &body) const override {
    return schedule.getName() == kCublasLt ? describeCublasLtCall(body) : exec::LibraryMatmulAttr();
  }

  int64_t scratchBytes(mj::ScheduleAttr schedule, Block &) const override {
    return schedule.getName() == kCublasLt ? getParameter(schedule, "workspace") : 0;
  }

  SmallVector<mj::ScheduleAttr> listSchedules(mj::FusionOp fusion, mj::ScheduleAttr chosen) const override {
    return cuda::listSchedules(fusion, chosen, profile);
  }

  int64_t countTiles(mj::ScheduleAttr schedule, Block &body) const override { return countBlocks(schedule, body); }

  Prediction predictLaunch(mj::ScheduleAttr schedule, Block &body, const KernelCost &cost,
                           const CostOptions &) const override {
    return schedule.getName() == kCublasLt ? predict(cost, profile)
                                           : cuda::predictLaunch(schedule, body, cost, profile);
  }

  SmallVector<int64_t> earlyOperands(mj::ScheduleAttr schedule, Block &body) const override {
    return cuda::earlyOperands(schedule, body);
  }

  FailureOr<SmallVector<Image>> generateCode(ModuleOp module, const CodeOptions &options) const override {
    return cuda::generateCode(module, profile, options, portable);
  }

private:
  const CudaProfile profile;
  const bool portable;
};

} // namespace

void cuda::registerCudaTarget() {
  std::string help = "an NVIDIA GPU:";
  for (const CudaProfile &profile : getProfiles())
    help += " cuda:" + profile.name + " (" + profile.product + ")";
  registerTarget("cuda", help, [](StringRef specification, std::string &error) -> std::unique_ptr<Target> {
    auto [chip, detail] = specification.split(':').second.split(':');
    if (!detail.empty() && detail != "portable" && detail != "mma") {
      error = "target '" + specification.str() + "': '" + detail.str() +
              "' is none of what can follow a chip: portable, mma";
      return nullptr;
    }
    for (const CudaProfile &profile : getProfiles())
      if (profile.name == chip)
        return std::make_unique<CudaTarget>(detail == "portable" ? baselineOf(profile)
                                            : detail == "mma"    ? withMmaSync(profile)
                                                                 : profile,
                                            detail == "portable");
    error = "target '" + specification.str() + "': " + (chip.empty() ? "name a chip" : "no such chip") + "; there are";
    for (const CudaProfile &profile : getProfiles())
      error += " cuda:" + profile.name;
    return nullptr;
  });
}
