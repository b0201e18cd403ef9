// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The registry of targets.
#include "mjolnir/Target/Target.h"
#include "mjolnir/Target/Cost.h"

#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <map>

using namespace mjolnir;

Target::~Target() = default;

Prediction Target::predictLaunch(mj::ScheduleAttr, mlir::Block &, const KernelCost &cost, const CostOptions &) const {
  return predict(cost, getProfile());
}

namespace {
struct Registration {
  std::string help;
  TargetFactory factory;
};
std::map<std::string, Registration> &registry() {
  static std::map<std::string, Registration> targets;
  return targets;
}
} // namespace

void mjolnir::registerTarget(llvm::StringRef kind, llvm::StringRef help, TargetFactory factory) {
  registry()[kind.str()] = {help.str(), std::move(factory)};
}

std::unique_ptr<Target> mjolnir::createTarget(llvm::StringRef specification, std::string &error) {
  auto found = registry().find(specification.split(':').first.str());
  if (found == registry().end()) {
    error = "unknown target '" + specification.str() + "'; there are:\n" + describeTargets();
    return nullptr;
  }
  return found->second.factory(specification, error);
}

std::string mjolnir::describeTargets() {
  std::string text;
  for (auto &[kind, registration] : registry())
    text += "  " + kind + "  " + registration.help + "\n";
  return text;
}

int64_t mjolnir::denseBytes(mlir::RankedTensorType type) {
  return type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
}

/// Whether `op` computes each element of its result from the same element of its operands; operands of a broadcast are
/// not the same elements.
static bool isPointwise(mlir::Operation *op) { return mlir::OpTrait::hasElementwiseMappableTraits(op); }

bool mjolnir::isElementwise(mlir::Block &body, unsigned argument, unsigned result) {
  mlir::Value from = body.getArgument(argument), to = body.getTerminator()->getOperand(result);
  if (from == to || from.getType() != to.getType())
    return false;
  llvm::SmallVector<mlir::Value> pending{from};
  llvm::DenseSet<mlir::Value> seen;
  while (!pending.empty()) {
    mlir::Value value = pending.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    for (mlir::OpOperand &use : value.getUses()) {
      mlir::Operation *user = use.getOwner();
      if (user == body.getTerminator()) {
        if (use.getOperandNumber() != result)
          return false;
        continue;
      }
      if (!isPointwise(user))
        return false;
      llvm::append_range(pending, user->getResults());
    }
  }
  return seen.contains(to);
}

std::string mjolnir::defaultKernelCache() {
  llvm::SmallString<128> path;
  if (auto cache = llvm::sys::Process::GetEnv("XDG_CACHE_HOME"); cache && llvm::sys::path::is_absolute(*cache))
    path = *cache;
  else if (auto home = llvm::sys::Process::GetEnv("HOME"); home && llvm::sys::path::is_absolute(*home))
    llvm::sys::path::append(path, *home, ".cache");
  else
    return "";
  llvm::sys::path::append(path, "mjolnir", "kernels");
  return path.str().str();
}
