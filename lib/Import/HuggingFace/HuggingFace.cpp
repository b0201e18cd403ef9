// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Chooses the family of a checkpoint, reads its configuration and has the program built.
#include "mjolnir/Import/HuggingFace.h"

#include "Families.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::hf;
using llvm::StringRef;
using llvm::Twine;

llvm::ArrayRef<const Family *> mjolnir::hf::getFamilies() {
  static const Family *const families[] = {&kLlama, &kMistral, &kQwen2, &kQwen3};
  return families;
}

llvm::SmallVector<StringRef> mjolnir::getHuggingFaceArchitectures() {
  return llvm::map_to_vector(getFamilies(), [](const Family *family) -> StringRef { return family->architecture; });
}

static llvm::Error makeError(const Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// The family that `architectures` names.
static llvm::Expected<const Family *> findFamily(const Checkpoint &checkpoint) {
  std::string known = llvm::join(getHuggingFaceArchitectures(), ", ");
  std::string where = (checkpoint.getPath() + "/config.json: ").str();
  const llvm::json::Array *names = checkpoint.config().getArray("architectures");
  std::optional<StringRef> name = names && names->size() == 1 ? names->front().getAsString() : std::nullopt;
  if (!name)
    return makeError(where + "has no 'architectures' with one name; known are " + known);
  for (const Family *family : getFamilies())
    if (family->architecture == *name)
      return family;
  return makeError(where + "the architecture '" + *name + "' is not known; known are " + known);
}

llvm::Expected<OwningOpRef<ModuleOp>> mjolnir::importHuggingFace(MLIRContext *context, const Checkpoint &checkpoint,
                                                                 const ImportOptions &options) {
  llvm::Expected<const Family *> family = findFamily(checkpoint);
  if (!family)
    return family.takeError();
  StringRef architecture = (*family)->architecture;

  ConfigReader reader(checkpoint.config(), (checkpoint.getPath() + "/config.json").str());
  DecoderConfig config = (*family)->readConfig(reader);
  std::vector<std::string> unknown = reader.checkUnread();
  if (!reader.problems().empty())
    return makeError(llvm::join(reader.problems(), "\n"));

  std::vector<std::string> warnings(checkpoint.warnings());
  for (const std::string &key : unknown)
    warnings.push_back(
        (checkpoint.getPath() + "/config.json: '" + key + "' is not known for a " + architecture + " and is ignored")
            .str());
  int64_t maxContext = options.maxContext.value_or(config.maxPositions);
  if (maxContext < 1)
    return makeError("a maximal context of " + Twine(maxContext) + " positions serves no model; give 1 or more");
  if (maxContext > config.maxPositions) {
    warnings.push_back((checkpoint.getPath() + "/config.json: the model has " + Twine(config.maxPositions) +
                        " positions; the maximal context is that, not " + Twine(maxContext))
                           .str());
    maxContext = config.maxPositions;
  }
  for (const std::string &warning : warnings)
    emitWarning(UnknownLoc::get(context)) << warning;

  DecoderBuilder builder(context, checkpoint, config, architecture, maxContext);
  builder.buildProgram((*family)->buildLayer);
  return builder.finish();
}
