// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Puts the report together.
#include "mjolnir/Report/Report.h"

#include "lib/Report/Names.h"
#include "lib/Report/Sections.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::report;
namespace json = llvm::json;

Program::Program(ModuleOp module, const Target &target)
    : module(module), symbols(module), target(target), profile(target.getProfile()) {
  for (auto kernel : module.getOps<exec::KernelOp>()) {
    kernelIndices[kernel] = kernels.size();
    kernels.push_back(kernel);
  }
  if (auto model = module->getAttrOfType<DictionaryAttr>(mj::kModelAttr))
    if (auto context = model.getAs<IntegerAttr>("max_context"))
      maxContext = context.getInt();
}

json::Object report::describeCost(const KernelCost &cost) {
  json::Object result{{"bytesRead", cost.bytesRead},
                      {"bytesWritten", cost.bytesWritten},
                      {"weightBytes", cost.weightBytes},
                      {"kvBytes", cost.kvBytes}};
  json::Object flops;
  for (int i = 0; i < kArithmetics; ++i)
    if (cost.flops[i] != 0)
      flops[stringifyArithmetic(static_cast<Arithmetic>(i))] = cost.flops[i];
  result["flops"] = std::move(flops);
  if (cost.unknownOps)
    result["unknownOps"] = cost.unknownOps;
  return result;
}

json::Object report::describeProfile(const Profile &profile) {
  return json::Object{{"name", profile.name},
                      {"product", profile.product},
                      {"measured", profile.measured},
                      {"processors", profile.processors},
                      {"cacheBytes", profile.cacheBytes},
                      {"memoryBytes", profile.memoryBytes},
                      {"threadsPerProcessor", profile.threadsPerProcessor},
                      {"registersPerProcessor", profile.registersPerProcessor},
                      {"sharedBytesPerBlock", profile.sharedBytesPerBlock},
                      {"sharedBytesPerProcessor", profile.sharedBytesPerProcessor},
                      {"copyBandwidth", profile.copyBandwidth},
                      {"readBandwidth", profile.readBandwidth},
                      {"launchSeconds", profile.launchSeconds},
                      {"flopsF32", profile.flopsF32},
                      {"flopsBf16", profile.flopsBf16},
                      {"flopsF8", profile.flopsF8},
                      {"multipliesF8", profile.multipliesF8}};
}

/// What a kernel is for: its anchor, or that it works row by row.
static llvm::StringRef anchorOf(Block &body) {
  for (Operation &op : body)
    if (isa<mj::MatmulOp, mj::BatchMatmulOp>(op))
      return "matmul";
    else if (isa<mj::AttentionOp, mj::SdpaOp>(op))
      return "attention";
    else if (isa<mj::SampleOp>(op))
      return "sample";
  return "rows";
}

/// What the compiled kernel takes; null where the target does not say.
static json::Value describeResources(exec::KernelOp kernel) {
  auto resources = kernel->getAttrOfType<DictionaryAttr>(kResourcesAttr);
  auto threads = kernel->getAttrOfType<IntegerAttr>("threads");
  if (!resources || !threads)
    return nullptr;
  auto number = [&](llvm::StringRef name) {
    auto attribute = resources.getAs<IntegerAttr>(name);
    return attribute ? attribute.getInt() : 0;
  };
  return json::Object{{"threads", threads.getInt()},           {"registers", number("registers")},
                      {"spillBytes", number("spill_bytes")},   {"stackBytes", number("stack_bytes")},
                      {"sharedBytes", number("shared_bytes")}, {"blocksPerProcessor", number("blocks")}};
}

json::Array report::describeKernels(Program &program) {
  json::Array result;
  for (exec::KernelOp kernel : program.kernels) {
    Block &body = kernel.getBody().front();
    json::Array ops;
    for (Operation &op : body.without_terminator())
      ops.push_back(op.getName().getStringRef());
    std::string text;
    llvm::raw_string_ostream stream(text);
    kernel->print(stream, OpPrintingFlags().useLocalScope().elideLargeElementsAttrs(16));
    result.push_back(
        json::Object{{"name", kernel.getSymName()},
                     {"kind", anchorOf(body)},
                     {"schedule", kernel.getSchedule().getName().getValue()},
                     {"tiles", int64_t(kernel.getTiles())},
                     {"ops", std::move(ops)},
                     {"resources", describeResources(kernel)},
                     {"library", kernel.getLibraryAttr() ? json::Value(kernel.getLibraryAttr().getLibrary().getValue())
                                                         : json::Value(nullptr)},
                     {"replaced", kernel->hasAttr(kReplacedAttr)},
                     {"ir", text}});
  }
  return result;
}

json::Array report::describePools(Program &program) {
  json::Array result;
  for (auto pool : program.module.getOps<exec::KvPoolOp>())
    result.push_back(
        json::Object{{"name", pool.getSymName()},
                     {"elementType", elementName(pool.getElementType())},
                     {"layers", int64_t(pool.getLayers())},
                     {"heads", int64_t(pool.getHeads())},
                     {"headDim", int64_t(pool.getHeadDim())},
                     {"pageTokens", int64_t(pool.getPageSize())},
                     {"pageBytes", int64_t(pool.getBytesPerPage())},
                     {"window", pool.getWindow() ? json::Value(int64_t(*pool.getWindow())) : json::Value(nullptr)}});
  return result;
}

/// The module's own description of the model, as it is.
static json::Object describeModel(Program &program, const ReportFacts &facts) {
  json::Object result{{"name", facts.model}};
  if (auto model = program.module->getAttrOfType<DictionaryAttr>(mj::kModelAttr))
    for (NamedAttribute attribute : model) {
      json::ObjectKey key(attribute.getName().str());
      if (auto integer = dyn_cast<IntegerAttr>(attribute.getValue()))
        result[key] = integer.getInt();
      else if (auto text = dyn_cast<StringAttr>(attribute.getValue()))
        result[key] = text.getValue();
    }
  return result;
}

static json::Array describeRemarks(const RemarkLog &remarks) {
  json::Array result;
  for (const RemarkRecord &record : remarks)
    result.push_back(json::Object{{"kind", record.kind},
                                  {"pass", record.pass},
                                  {"name", record.name},
                                  {"where", record.where},
                                  {"message", record.message},
                                  {"count", int64_t(record.count)}});
  return result;
}

json::Object mjolnir::buildReport(ModuleOp module, const Target &target, const RemarkLog &remarks,
                                  const ReportFacts &facts) {
  Program program(module, target);
  TargetDescription chip = target.describe();
  json::Object report{{"version", kReportVersion},
                      {"producer", facts.producer},
                      {"model", describeModel(program, facts)},
                      {"target", json::Object{{"name", facts.target},
                                              {"kind", chip.kind},
                                              {"triple", chip.triple},
                                              {"features", json::Array(chip.features)}}},
                      {"profile", describeProfile(program.profile)},
                      {"entries", describeEntries(program)},
                      {"kernels", describeKernels(program)},
                      {"weights", describeWeights(program)},
                      {"matmuls", describeMatmuls(program, remarks)},
                      {"kvPools", describePools(program)},
                      {"remarks", describeRemarks(remarks)}};
  report["package"] = facts.package.empty()
                          ? json::Value(nullptr)
                          : json::Object{{"file", facts.package}, {"bytes", int64_t(facts.packageBytes)}};
  return report;
}

void mjolnir::printReportJson(const json::Object &report, llvm::raw_ostream &out) {
  json::OStream stream(out, /*IndentSize=*/1);
  stream.value(json::Value(json::Object(report)));
  out << "\n";
}
