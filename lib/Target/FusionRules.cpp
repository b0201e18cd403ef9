// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Fusion rules by name, for people who try another rule than the target's.
#include "mjolnir/Target/Profile.h"

using namespace mjolnir;

namespace {
struct NamedRule {
  llvm::StringLiteral name;
  bool FusionRules::*rule;
};
} // namespace

static constexpr NamedRule namedRules[] = {
    {"parallel-matmuls", &FusionRules::parallelMatmuls},     {"attention-prologue", &FusionRules::attentionPrologue},
    {"quantize-epilogue", &FusionRules::quantizeEpilogue},   {"epilogue-results", &FusionRules::epilogueResults},
    {"anchor-epilogue", &FusionRules::anchorEpilogue}, {"head-epilogue", &FusionRules::headEpilogue},
    {"parallel-rows", &FusionRules::parallelRows},           {"recompute-producers", &FusionRules::recomputeProducers},
    {"column-slices", &FusionRules::columnSlices},
};

bool mjolnir::applyRule(llvm::StringRef text, FusionRules &rules, std::string &error) {
  llvm::StringRef name = text;
  if (name.consume_front("norm-prologue-rows=")) {
    if (!name.getAsInteger(10, rules.normPrologueRows) && rules.normPrologueRows >= 0)
      return true;
    error = "the fusion rule '" + text.str() + "' needs a number of rows";
    return false;
  }
  bool value = !name.consume_front("no-");
  for (const NamedRule &named : namedRules)
    if (named.name == name) {
      rules.*named.rule = value;
      return true;
    }
  error = "unknown fusion rule '" + text.str() + "'; there are norm-prologue-rows=N";
  for (const NamedRule &named : namedRules)
    error += ", " + named.name.str();
  error += ", and each of them with no- before it";
  return false;
}
