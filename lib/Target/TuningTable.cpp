// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reads tuning tables, and says which regions are the same.
#include "mjolnir/Target/TuningTable.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "mjolnir/Target/Target.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace mjolnir;

std::string mjolnir::keyOfRegion(mj::FusionOp fusion) {
  Block &body = fusion.getBody().front();
  std::string text;
  llvm::raw_string_ostream stream(text);
  DenseMap<Value, size_t> numbers;
  auto number = [&](Value value) {
    stream << '%' << numbers.try_emplace(value, numbers.size()).first->second << ':' << value.getType() << ' ';
  };
  for (Value argument : body.getArguments())
    number(argument);
  for (Operation &op : body) {
    // Layers lie in different places and are computed in the same way.
    NamedAttrList attributes(op.getAttrDictionary());
    if (isa<mj::AttentionOp, mj::KvAppendOp>(op))
      attributes.erase("layer");
    stream << op.getName() << attributes.getDictionary(op.getContext()) << '(';
    for (Value operand : op.getOperands())
      number(operand);
    stream << ")(";
    for (Value result : op.getResults())
      number(result);
    stream << ')';
  }
  return llvm::utohexstr(llvm::xxh3_64bits(text), /*LowerCase=*/true, /*Width=*/16);
}

static std::string shapeOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? llvm::join(llvm::map_range(type.getShape(), [](int64_t size) { return std::to_string(size); }), "x")
              : std::string();
}

std::string mjolnir::describeRegion(mj::FusionOp fusion) {
  llvm::MapVector<StringRef, int> counts;
  std::string shapes;
  for (Operation &op : fusion.getBody().front().without_terminator()) {
    if (!isa<mj::MjDialect>(op.getDialect()) || isa<mj::ReshapeOp, mj::BroadcastOp>(op))
      continue;
    ++counts[op.getName().stripDialect()];
    if (auto matmul = dyn_cast<mj::MatmulOp>(op))
      shapes += (shapes.empty() ? shapeOf(matmul.getX()) + " by " : ", ") + shapeOf(matmul.getWeight());
    else if (auto attention = dyn_cast<mj::AttentionOp>(op))
      shapes = shapeOf(attention.getQuery());
    else if (auto sample = dyn_cast<mj::SampleOp>(op))
      shapes = shapeOf(sample.getLogits());
  }
  if (shapes.empty())
    for (Value result : fusion.getResults())
      shapes += (shapes.empty() ? "" : ", ") + shapeOf(result);
  std::string text;
  for (auto [name, count] : counts)
    text += (text.empty() ? "" : ", ") + name.str() + (count > 1 ? " x" + std::to_string(count) : "");
  return (text.empty() ? "pointwise" : text) + ": " + shapes;
}

std::string mjolnir::nameOfTarget(const Target &target) {
  return target.describe().kind + ":" + target.getProfile().name;
}

static std::string placeOf(StringRef target, StringRef region) { return (target + " " + region).str(); }

llvm::Expected<TuningTable> TuningTable::read(StringRef path) {
  auto fail = [&](const llvm::Twine &reason) {
    return llvm::createStringError("tuning table '" + path + "': " + reason);
  };
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!file)
    return fail(file.getError().message());
  llvm::Expected<llvm::json::Value> parsed = llvm::json::parse((*file)->getBuffer());
  if (!parsed)
    return fail(llvm::toString(parsed.takeError()));
  const llvm::json::Object *object = parsed->getAsObject();
  const llvm::json::Array *rows = object ? object->getArray("rows") : nullptr;
  if (!rows)
    return fail("is no object with an array 'rows'; mjolnir-bench --tune writes one");
  if (object->getInteger("version").value_or(0) != 1)
    return fail("is of another version than 1, which this compiler reads");
  TuningTable table;
  for (auto [index, value] : llvm::enumerate(*rows)) {
    const llvm::json::Object *row = value.getAsObject();
    auto text = [&](StringRef key) { return row ? row->getString(key) : std::nullopt; };
    auto target = text("target"), region = text("region"), schedule = text("schedule");
    if (!target || !region || !schedule)
      return fail("row " + llvm::Twine(index + 1) + " does not say its target, region and schedule");
    Row read{schedule->str(), row->getNumber("before_us").value_or(0) * 1e-6,
             row->getNumber("after_us").value_or(0) * 1e-6};
    if (!table.rows.try_emplace(placeOf(*target, *region), std::move(read)).second)
      return fail("region " + *region + " of " + *target + " has two rows; leave one");
  }
  return table;
}

const TuningTable::Row *TuningTable::find(StringRef target, StringRef region) const {
  auto found = rows.find(placeOf(target, region));
  return found == rows.end() ? nullptr : &found->second;
}
