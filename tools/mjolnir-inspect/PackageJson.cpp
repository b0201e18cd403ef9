// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A package as JSON. Keys are the schema's names.
#include "PackageReport.h"

#include <nlohmann/json.hpp>

namespace mjolnir::inspect {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const flatbuffers::String *string) { return string ? string->str() : ""; }

Json shapeOf(const flatbuffers::Vector<uint64_t> &shape) {
  Json json = Json::array();
  for (uint64_t extent : shape)
    json.push_back(extent);
  return json;
}

Json toJson(const fb::Operand &operand) {
  return {{"space", fb::EnumNameSpace(operand.space())},
          {"index", operand.index()},
          {"offset", operand.offset()},
          {"bytes", operand.bytes()}};
}

/// What a step waits for, where it says so.
void addOrder(Json &json, const fb::Step &step) {
  if (step.waits() != fb::Waits::named)
    return;
  json["after"] = Json::array();
  for (uint32_t i = 0; step.after() && i < step.after()->size(); ++i)
    json["after"].push_back(step.after()->Get(i));
}

Json toJson(const fb::MatmulCall &call, const fb::Program &program) {
  Json json = {{"kind", "call"},
               {"library", text(program.libraries()->Get(call.library())->name())},
               {"name", text(call.name())},
               {"m", call.m()},
               {"n", call.n()},
               {"k", call.k()},
               {"x_dtype", fb::EnumNameDType(call.x_dtype())},
               {"weight_dtype", fb::EnumNameDType(call.weight_dtype())},
               {"result_dtype", fb::EnumNameDType(call.result_dtype())},
               {"weight_transposed", call.weight_transposed()},
               {"alpha", call.alpha()},
               {"activation", fb::EnumNameActivation(call.activation())}};
  for (auto [role, operand] : {std::pair("x", call.x()),
                               {"weight", call.weight()},
                               {"result", call.result()},
                               {"weight_scale", call.weight_scale()},
                               {"bias", call.bias()},
                               {"residual", call.residual()},
                               {"workspace", call.workspace()}})
    if (operand)
      json[role] = toJson(*operand);
  return json;
}

Json toJson(const fb::Step &step, const fb::Program &program) {
  Json json;
  if (const fb::MatmulCall *call = step.kind_as_MatmulCall()) {
    json = toJson(*call, program);
    addOrder(json, step);
    return json;
  }
  if (const fb::Copy *copy = step.kind_as_Copy()) {
    json = {{"kind", "copy"}, {"source", toJson(*copy->source())}, {"destination", toJson(*copy->destination())}};
    addOrder(json, step);
    return json;
  }
  const fb::Launch *launch = step.kind_as_Launch();
  Json operands = Json::array();
  for (const fb::Operand *operand : *launch->operands())
    operands.push_back(toJson(*operand));
  json = {{"kind", "launch"},
          {"kernel", text(program.kernels()->Get(launch->kernel())->name())},
          {"tiles", launch->tiles()},
          {"operands", operands}};
  addOrder(json, step);
  if (launch->dependent())
    json["dependent"] = true;
  return json;
}

Json bindingsOf(const flatbuffers::Vector<flatbuffers::Offset<fb::Binding>> &list) {
  Json json = Json::array();
  for (const fb::Binding *binding : list)
    json.push_back({{"name", text(binding->name())},
                    {"dtype", fb::EnumNameDType(binding->dtype())},
                    {"shape", shapeOf(*binding->shape())}});
  return json;
}

Json toJson(const fb::Entry &entry, const fb::Program &program) {
  Json json = {{"name", text(entry.name())}, {"kind", fb::EnumNameEntryKind(entry.kind())}};
  if (entry.kind() == fb::EntryKind::ragged) {
    json["tokens"] = entry.tokens();
    json["sequences"] = entry.sequences();
    json["pages_per_sequence"] = entry.pages_per_sequence();
  }
  json["inputs"] = bindingsOf(*entry.inputs());
  json["outputs"] = bindingsOf(*entry.outputs());
  json["arena_bytes"] = entry.arena_bytes();
  json["arena_alignment"] = entry.arena_alignment();
  json["graph"] = entry.graph();
  json["steps"] = Json::array();
  for (const fb::Step *step : *entry.steps())
    json["steps"].push_back(toJson(*step, program));
  return json;
}

Json tensorMapsOf(const fb::Kernel &kernel) {
  Json maps = Json::array();
  for (uint32_t i = 0; kernel.tensor_maps() && i < kernel.tensor_maps()->size(); ++i) {
    const fb::TensorMap &map = *kernel.tensor_maps()->Get(i);
    maps.push_back({{"operand", map.operand()},
                    {"dtype", fb::EnumNameDType(map.dtype())},
                    {"rows", map.rows()},
                    {"columns", map.columns()},
                    {"box_rows", map.box_rows()},
                    {"box_columns", map.box_columns()}});
  }
  return maps;
}

} // namespace

Json toJson(const runtime::PackageView &package) {
  const fb::Program &program = package.program();
  Json json;
  json["format"] = {{"major", program.version_major()}, {"minor", program.version_minor()}};
  json["producer"] = text(program.producer());
  json["target"] = {{"kind", text(program.target()->kind())},
                    {"triple", text(program.target()->triple())},
                    {"features", Json::array()}};
  if (program.target()->features())
    for (const flatbuffers::String *feature : *program.target()->features())
      json["target"]["features"].push_back(feature->str());
  if (const fb::LanguageModel *model = program.language_model())
    json["language_model"] = {{"architecture", text(model->architecture())},
                              {"vocabulary", model->vocabulary()},
                              {"max_context", model->max_context()},
                              {"activations", text(model->activations())}};
  json["members"] = Json::array();
  for (const runtime::ZipMember &member : package.members())
    json["members"].push_back(
        {{"name", member.name}, {"offset", member.offset}, {"bytes", member.size}, {"crc32", member.crc}});
  json["images"] = Json::array();
  for (const fb::Image *image : *program.images())
    json["images"].push_back(text(image->member()));
  json["kernels"] = Json::array();
  for (const fb::Kernel *kernel : *program.kernels())
    json["kernels"].push_back({{"name", text(kernel->name())},
                               {"symbol", text(kernel->symbol())},
                               {"image", kernel->image()},
                               {"operand_count", kernel->operand_count()},
                               {"tensor_maps", tensorMapsOf(*kernel)},
                               {"ops", text(kernel->ops())},
                               {"schedule", text(kernel->schedule())}});
  json["libraries"] = Json::array();
  for (uint32_t i = 0; program.libraries() && i < program.libraries()->size(); ++i)
    json["libraries"].push_back(text(program.libraries()->Get(i)->name()));
  json["kv_pools"] = Json::array();
  for (const fb::KvPool *pool : *program.kv_pools())
    json["kv_pools"].push_back({{"name", text(pool->name())},
                                {"dtype", fb::EnumNameDType(pool->dtype())},
                                {"layers", pool->layers()},
                                {"heads", pool->heads()},
                                {"head_dim", pool->head_dim()},
                                {"page_size", pool->page_size()},
                                {"bytes_per_page", pool->bytes_per_page()},
                                {"window", pool->window()},
                                {"own_tables", pool->own_tables()}});
  json["states"] = program.states() ? bindingsOf(*program.states()) : Json::array();
  json["entries"] = Json::array();
  for (const fb::Entry *entry : *program.entries())
    json["entries"].push_back(toJson(*entry, program));
  json["weights"] = {{"member", text(program.weights_member())},
                     {"data_offset", program.weights_data_offset()},
                     {"bytes", program.weights_bytes()},
                     {"tensors", Json::array()}};
  for (const fb::Weight *weight : *program.weights())
    json["weights"]["tensors"].push_back({{"name", text(weight->name())},
                                          {"dtype", fb::EnumNameDType(weight->dtype())},
                                          {"shape", shapeOf(*weight->shape())},
                                          {"encoding", text(weight->encoding())},
                                          {"offset", weight->offset()},
                                          {"bytes", weight->bytes()}});
  return json;
}

Json toJson(const format::KvDemand &demand, const format::KvPlan &plan) {
  return {{"context", demand.context},
          {"page_tokens", demand.pageTokens},
          {"page_bytes", demand.pageBytes},
          {"window", demand.window},
          {"window_page_bytes", demand.windowPageBytes},
          {"weight_bytes", demand.weightBytes},
          {"step_bytes", demand.stepBytes},
          {"pages_per_session", plan.pagesPerSession},
          {"window_pages_per_session", plan.windowPagesPerSession},
          {"bytes_per_session", plan.bytesPerSession},
          {"sessions", demand.sessions ? demand.sessions : plan.sessionsThatFit},
          {"pages", plan.pages},
          {"window_pages", plan.windowPages},
          {"bytes", plan.bytes},
          {"budget_bytes", plan.budget},
          {"budget_pages", plan.budgetPages},
          {"sessions_that_fit", plan.sessionsThatFit}};
}

} // namespace mjolnir::inspect
