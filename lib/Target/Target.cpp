// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The registry of targets.
#include "mjolnir/Target/Target.h"

#include <map>

using namespace mjolnir;

Target::~Target() = default;

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
