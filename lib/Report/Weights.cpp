// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Weights in the report, and in which precision each is multiplied.
#include "lib/Report/Names.h"
#include "lib/Report/Sections.h"

#include "mjolnir/Dialect/Exec/KernelSignature.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::report;
namespace json = llvm::json;

/// The symbols that entries read, in the order of the module.
static SmallVector<Operation *> getUsedWeights(Program &program) {
  llvm::StringSet<> used;
  program.module.walk([&](exec::WeightBufferOp buffer) { used.insert(buffer.getWeight()); });
  SmallVector<Operation *> weights;
  for (Operation &op : *program.module.getBody())
    if (isa<mj::WeightOp, mj::PrepareOp>(op) && used.contains(SymbolTable::getSymbolName(&op)))
      weights.push_back(&op);
  return weights;
}

static RankedTensorType typeOf(Operation *weight) {
  auto plain = dyn_cast<mj::WeightOp>(weight);
  return cast<RankedTensorType>(plain ? plain.getType() : cast<mj::PrepareOp>(weight).getType());
}

/// The tensors of the checkpoint that a weight is made of.
static SmallVector<mj::WeightOp> getSources(Operation *weight, Program &program) {
  if (auto plain = dyn_cast<mj::WeightOp>(weight))
    return {plain};
  SmallVector<mj::WeightOp> sources;
  weight->walk([&](mj::GetWeightOp get) {
    if (Operation *source = program.symbols.lookup(get.getWeight()))
      for (mj::WeightOp found : getSources(source, program))
        if (!llvm::is_contained(sources, found))
          sources.push_back(found);
  });
  return sources;
}

json::Array report::describeWeights(Program &program) {
  json::Array result;
  for (Operation *weight : getUsedWeights(program)) {
    RankedTensorType type = typeOf(weight);
    json::Array sources, shape(type.getShape());
    for (mj::WeightOp source : getSources(weight, program))
      sources.push_back(json::Object{{"name", source.getSource()}, {"stored", elementName(source.getType())}});
    auto encoding = dyn_cast_or_null<mj::EncodingAttr>(type.getEncoding());
    FailureOr<int64_t> bytes = program.target.storageBytes(type);
    result.push_back(json::Object{{"name", SymbolTable::getSymbolName(weight).getValue()},
                                  {"shape", std::move(shape)},
                                  {"stored", elementName(type)},
                                  {"encoding", encoding ? encoding.getName().getValue() : "row-major"},
                                  {"bytes", succeeded(bytes) ? json::Value(*bytes) : json::Value(nullptr)},
                                  {"sources", std::move(sources)}});
  }
  return result;
}

/// Whether `message` speaks of `symbol`, and not of one that begins with it.
static bool mentions(llvm::StringRef message, llvm::StringRef symbol) {
  std::string name = ("@" + symbol).str();
  for (size_t at = message.find(name); at != llvm::StringRef::npos; at = message.find(name, at + 1)) {
    llvm::StringRef rest = message.drop_front(at + name.size());
    // A name ends where nothing that a name may hold follows; a full stop may end a sentence, too.
    rest.consume_front(".");
    if (rest.empty() || !(llvm::isAlnum(rest.front()) || rest.front() == '_'))
      return true;
  }
  return false;
}

/// What passes that decide precision said of a weight.
static json::Array findNotes(Operation *weight, Program &program, const RemarkLog &remarks) {
  SmallVector<llvm::StringRef> names{SymbolTable::getSymbolName(weight).getValue()};
  for (mj::WeightOp source : getSources(weight, program))
    if (!llvm::is_contained(names, source.getSymName()))
      names.push_back(source.getSymName());
  json::Array notes;
  for (auto [index, record] : llvm::enumerate(remarks)) {
    llvm::StringRef pass = record.pass;
    if ((pass.contains("quantize") || pass.contains("narrow")) &&
        llvm::any_of(names, [&](llvm::StringRef name) { return mentions(record.message, name); }))
      notes.push_back(int64_t(index));
  }
  return notes;
}

namespace {

/// How one weight is multiplied; entries that do it alike share a line of the table.
struct Multiplication {
  std::string activation, result, arithmetic, weightScale;
  std::optional<double> activationScale;
  json::Array entries;
};

} // namespace

static void addMatmuls(exec::EntryOp entry, exec::LaunchOp launch, exec::KernelOp kernel, Program &program,
                       llvm::MapVector<Operation *, std::vector<Multiplication>> &found) {
  Block &body = kernel.getBody().front();
  llvm::DenseMap<Value, Operation *> weights;
  for (auto [operand, buffer] : llvm::zip(exec::getKernelOperands(body), launch.getOperands()))
    if (auto weight = buffer.getDefiningOp<exec::WeightBufferOp>();
        weight && operand.kind == exec::KernelOperand::tensor)
      weights[body.getArgument(operand.index)] = program.symbols.lookup(weight.getWeight());
  for (auto matmul : body.getOps<mj::MatmulOp>()) {
    Operation *weight = weights.lookup(matmul.getWeight());
    if (!weight)
      continue;
    Multiplication line;
    line.activation = elementName(matmul.getX().getType());
    line.result = elementName(matmul.getResult().getType());
    line.arithmetic = stringifyArithmetic(getArithmetic(matmul.getX().getType(), matmul.getWeight().getType())).str();
    if (Value scale = matmul.getWeightScale())
      line.weightScale = cast<RankedTensorType>(scale.getType()).getNumElements() == 1 ? "one" : "a channel";
    if (matmul.getXScale())
      line.activationScale = matmul.getXScale()->convertToDouble();
    std::vector<Multiplication> &lines = found[weight];
    auto same = llvm::find_if(lines, [&](const Multiplication &other) {
      return other.activation == line.activation && other.result == line.result &&
             other.arithmetic == line.arithmetic && other.weightScale == line.weightScale &&
             other.activationScale == line.activationScale;
    });
    if (same == lines.end()) {
      lines.push_back(std::move(line));
      same = std::prev(lines.end());
    }
    if (same->entries.empty() || *same->entries.back().getAsString() != entry.getSymName())
      same->entries.push_back(entry.getSymName());
  }
}

json::Array report::describeMatmuls(Program &program, const RemarkLog &remarks) {
  llvm::MapVector<Operation *, std::vector<Multiplication>> found;
  for (auto entry : program.module.getOps<exec::EntryOp>())
    for (auto launch : entry.getBody().front().getOps<exec::LaunchOp>())
      addMatmuls(entry, launch, program.symbols.lookup<exec::KernelOp>(launch.getKernel()), program, found);
  json::Array result;
  for (auto &[weight, lines] : found)
    for (Multiplication &line : lines)
      result.push_back(json::Object{
          {"weight", SymbolTable::getSymbolName(weight).getValue()},
          {"stored", elementName(typeOf(weight))},
          {"activation", line.activation},
          {"multiplied", line.arithmetic},
          {"accumulated", "f32"},
          {"result", line.result},
          {"weightScale", line.weightScale.empty() ? json::Value(nullptr) : json::Value(line.weightScale)},
          {"activationScale", line.activationScale ? json::Value(*line.activationScale) : json::Value(nullptr)},
          {"entries", std::move(line.entries)},
          {"notes", findNotes(weight, program, remarks)}});
  return result;
}
