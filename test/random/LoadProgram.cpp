// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Programs from files: what was generated once, with new numbers.
#include "test/random/ProgramBuilder.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

static std::vector<double> drawNumbers(Random &random, RankedTensorType type) {
  // Matrices keep the size of what they multiply; vectors scale it by about 1.
  double scale = type.getRank() > 1 ? 1 / std::sqrt(double(type.getShape().back())) : 0.25;
  double offset = type.getRank() > 1 ? 0 : 1;
  std::vector<double> result;
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    result.push_back(roundTo(type.getElementType(), offset + scale * random.normal()));
  return result;
}

/// The largest index that every use of `argument` allows, and one more.
static int64_t limitOf(BlockArgument argument) {
  int64_t limit = 1 << 20;
  for (Operation *user : argument.getUsers()) {
    if (auto gather = dyn_cast<mj::GatherOp>(user))
      limit = std::min(limit, shapeOf(gather.getTable()).front());
    else if (auto rope = dyn_cast<mj::RopeOp>(user))
      limit = std::min(limit, shapeOf(rope.getTable()).front());
  }
  return limit;
}

llvm::Expected<Program> differential::load(MLIRContext &context, StringRef path, uint64_t seed) {
  auto fail = [&](const Twine &what) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "'" + path + "' " + what);
  };
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file)
    return fail("cannot be read: " + file.getError().message());
  // What print() writes: the seed, which says how a program is quantized, and the sizes of a language model.
  StringRef line = (*file)->getBuffer().split('\n').first;
  if (line.consume_front("// seed "))
    line.consumeInteger(10, seed);
  Program program;
  program.seed = seed;
  program.module = parseSourceString<ModuleOp>((*file)->getBuffer(), &context);
  if (!program.module)
    return fail("does not parse");
  Random random(seed);
  for (auto weight : program.module->getOps<mj::WeightOp>()) {
    auto type = cast<RankedTensorType>(weight.getType());
    program.weights[weight.getSource().str()] = {type, drawNumbers(random, type)};
  }
  if (auto main = program.module->lookupSymbol<func::FuncOp>("main")) {
    for (BlockArgument argument : main.getArguments()) {
      auto type = typeOf(argument);
      Array array(type.getShape());
      for (double &number : array.values)
        number = isa<FloatType>(type.getElementType()) ? roundTo(type.getElementType(), random.normal())
                                                       : double(random.below(limitOf(argument)));
      program.inputs.push_back(std::move(array));
    }
    return program;
  }
  auto number = [&](StringRef name, int64_t &value) {
    size_t place = line.find((name + "=").str());
    return place != StringRef::npos && !line.substr(place + name.size() + 1).consumeInteger(10, value);
  };
  if (!number("decode", program.decode) || !number("prefill", program.prefill) || !number("batch", program.maxBatch) ||
      !number("page", program.pageSize))
    return fail("has no entry 'main', and its first line does not give decode, prefill, batch and page");
  auto model = (*program.module)->getAttrOfType<DictionaryAttr>(mj::kModelAttr);
  auto size = [&](StringRef name) { return model ? model.getAs<IntegerAttr>(name) : IntegerAttr(); };
  if (!size("max_context") || !size("vocabulary"))
    return fail("does not say its max_context and vocabulary in mj.model");
  program.isLanguageModel = true;
  program.maxContext = size("max_context").getInt();
  generateSteps(program, random, size("vocabulary").getInt());
  return program;
}
