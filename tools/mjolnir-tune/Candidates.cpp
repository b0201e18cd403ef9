// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Copies of entries, one for each schedule that is tried.
#include "Candidates.h"

#include "mjolnir/Target/TuningTable.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <set>

using namespace mlir;
using namespace mjolnir;

static std::string textOf(Attribute attribute) { return llvm::formatv("{0}", attribute); }

/// Regions of an entry that are equal.
namespace {
struct Group {
  mj::FusionOp first;
  int64_t count = 0;
};
} // namespace

/// What the target lists, and what it would choose, but what the region has.
static FailureOr<SmallVector<mj::ScheduleAttr>> listOthers(mj::FusionOp fusion, const Target &target) {
  FailureOr<mj::ScheduleAttr> own = target.chooseSchedule(fusion, /*oracle=*/false);
  if (failed(own))
    return failure();
  SmallVector<mj::ScheduleAttr> schedules{*own};
  llvm::append_range(schedules, target.listSchedules(fusion, *own));
  llvm::erase(schedules, fusion.getScheduleAttr());
  return schedules;
}

/// A copy of `entry` in which the regions of `key` have `schedule`.
static void addCopy(func::FuncOp entry, StringRef name, StringRef key, mj::ScheduleAttr schedule) {
  OpBuilder builder = OpBuilder::atBlockEnd(entry->getParentOfType<ModuleOp>().getBody());
  auto copy = cast<func::FuncOp>(builder.clone(*entry));
  copy.setName(name);
  copy.walk([&](mj::FusionOp fusion) {
    if (keyOfRegion(fusion) == key)
      fusion.setScheduleAttr(schedule);
  });
}

FailureOr<std::string> tune::addCandidates(ModuleOp module, const Target &target, Counts &counts) {
  llvm::json::Array regions;
  std::set<std::string> seen;
  SmallVector<func::FuncOp> entries;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr("mj.entry"))
      entries.push_back(function);
  for (func::FuncOp entry : entries) {
    llvm::MapVector<std::string, Group, std::map<std::string, unsigned>> groups;
    entry.walk([&](mj::FusionOp fusion) {
      Group &group = groups[keyOfRegion(fusion)];
      if (group.count++ == 0)
        group.first = fusion;
    });
    size_t copies = 0;
    for (auto &[key, group] : groups) {
      if (!seen.insert(key).second)
        continue;
      FailureOr<SmallVector<mj::ScheduleAttr>> others = listOthers(group.first, target);
      if (failed(others))
        return failure();
      llvm::json::Array candidates;
      for (mj::ScheduleAttr schedule : *others) {
        std::string name = (entry.getName() + "." + Twine(++copies)).str();
        addCopy(entry, name, key, schedule);
        candidates.push_back(llvm::json::Object{{"entry", name}, {"schedule", textOf(schedule)}});
        ++counts.candidates;
      }
      if (candidates.empty())
        continue;
      ++counts.regions;
      regions.push_back(llvm::json::Object{{"entry", entry.getName()},
                                           {"region", key},
                                           {"what", describeRegion(group.first)},
                                           {"count", group.count},
                                           {"schedule", textOf(group.first.getScheduleAttr())},
                                           {"candidates", std::move(candidates)}});
    }
  }
  if (regions.empty())
    return module.emitError() << "has no region for which target " << nameOfTarget(target)
                              << " knows more than one schedule: there is nothing to tune";
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(
      llvm::json::Object{{"version", 1}, {"target", nameOfTarget(target)}, {"regions", std::move(regions)}});
  return text;
}
