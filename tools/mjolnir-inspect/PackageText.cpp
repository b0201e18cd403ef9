// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A package as text.
#include "PackageReport.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace mjolnir::inspect {
namespace {

std::string text(const flatbuffers::String *string) { return string ? string->str() : ""; }

/// Exact below 10 KiB, then three digits or so.
std::string bytesText(uint64_t bytes) {
  if (bytes < 10240)
    return std::to_string(bytes) + " B";
  const char *unit = "KiB";
  double value = static_cast<double>(bytes) / 1024;
  for (const char *next : {"MiB", "GiB", "TiB"})
    if (value >= 1024) {
      value /= 1024;
      unit = next;
    }
  char buffer[32];
  snprintf(buffer, sizeof(buffer), value < 100 ? "%.1f %s" : "%.0f %s", value, unit);
  return buffer;
}

std::string countText(uint64_t count, const char *thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

std::string typeText(fb::DType type, const flatbuffers::Vector<uint64_t> &shape) {
  std::string result = fb::EnumNameDType(type);
  result += "[";
  for (uint32_t i = 0; i < shape.size(); ++i)
    result += (i ? "," : "") + std::to_string(shape.Get(i));
  return result + "]";
}

/// Columns as wide as their widest cell; the last is not padded.
class Table {
public:
  void row(std::vector<std::string> cells) { rows.push_back(std::move(cells)); }
  void print(std::ostream &out) const {
    std::vector<size_t> widths;
    for (const auto &cells : rows)
      for (size_t i = 0; i < cells.size(); ++i) {
        widths.resize(std::max(widths.size(), i + 1));
        widths[i] = std::max(widths[i], cells[i].size());
      }
    for (const auto &cells : rows) {
      std::string line = " ";
      for (size_t i = 0; i < cells.size(); ++i)
        line += " " + cells[i] + std::string(widths[i] - cells[i].size() + 1, ' ');
      out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
    }
  }

private:
  std::vector<std::vector<std::string>> rows;
};

std::string operandText(const fb::Operand &operand, const fb::Program &program, const fb::Entry &entry) {
  std::string range = "[" + std::to_string(operand.offset()) + ", +" + std::to_string(operand.bytes()) + "]";
  switch (operand.space()) {
  case fb::Space::input:
    return "input " + text(entry.inputs()->Get(operand.index())->name()) + range;
  case fb::Space::output:
    return "output " + text(entry.outputs()->Get(operand.index())->name()) + range;
  case fb::Space::arena:
    return "arena" + range;
  case fb::Space::weight:
    return "weight " + text(program.weights()->Get(operand.index())->name()) + range;
  case fb::Space::pool:
    return "pool " + text(program.kv_pools()->Get(operand.index())->name()) + "[" + std::to_string(operand.offset()) +
           " of each page]";
  case fb::Space::state:
    return "state " + text(program.states()->Get(operand.index())->name()) + range;
  }
  return "?";
}

/// " after 3, 4, starts early": what a step says of its order.
std::string orderText(const fb::Step &step) {
  std::string result;
  if (step.waits() == fb::Waits::named) {
    result = " after";
    for (uint32_t i = 0; step.after() && i < step.after()->size(); ++i)
      result += (i ? ", " : " ") + std::to_string(step.after()->Get(i));
    if (!step.after() || step.after()->size() == 0)
      result += " nothing";
  }
  if (const fb::Launch *launch = step.kind_as_Launch(); launch && launch->dependent())
    result += ", starts early";
  return result;
}

/// "cublaslt matmul_3: 512 x 1024 by 1024 x 3072 in bf16 to bf16, bias, relu (x ..., weight ..., result ...)".
std::string callText(const fb::MatmulCall &call, const fb::Program &program, const fb::Entry &entry) {
  auto sizes = [](uint64_t a, uint64_t b) { return std::to_string(a) + " x " + std::to_string(b); };
  std::string result = text(program.libraries()->Get(call.library())->name()) + " " + text(call.name()) + ": " +
                       sizes(call.m(), call.k()) + " by " + sizes(call.k(), call.n()) + " in " +
                       fb::EnumNameDType(call.x_dtype()) + " to " + fb::EnumNameDType(call.result_dtype());
  if (call.activation() != fb::Activation::none)
    result += std::string(", ") + fb::EnumNameActivation(call.activation());
  const char *separator = " (";
  for (auto [role, operand] : {std::pair("x", call.x()),
                               {"weight", call.weight()},
                               {"result", call.result()},
                               {"weight scale", call.weight_scale()},
                               {"bias", call.bias()},
                               {"residual", call.residual()},
                               {"workspace", call.workspace()}}) {
    if (!operand)
      continue;
    result += separator + std::string(role) + " = " + operandText(*operand, program, entry);
    separator = ", ";
  }
  return result + ")";
}

void printSteps(const fb::Program &program, const fb::Entry &entry, std::ostream &out) {
  for (uint32_t i = 0; i < entry.steps()->size(); ++i) {
    const fb::Step *step = entry.steps()->Get(i);
    out << "    " << i << ": ";
    if (const fb::Copy *copy = step->kind_as_Copy()) {
      out << "copy " << operandText(*copy->source(), program, entry) << " -> "
          << operandText(*copy->destination(), program, entry) << orderText(*step) << '\n';
      continue;
    }
    if (const fb::MatmulCall *call = step->kind_as_MatmulCall()) {
      out << callText(*call, program, entry) << orderText(*step) << '\n';
      continue;
    }
    const fb::Launch *launch = step->kind_as_Launch();
    out << text(program.kernels()->Get(launch->kernel())->name()) << " x " << launch->tiles() << " (";
    for (uint32_t k = 0; k < launch->operands()->size(); ++k)
      out << (k ? ", " : "") << operandText(*launch->operands()->Get(k), program, entry);
    out << ")" << orderText(*step) << '\n';
  }
}

void printEntries(const fb::Program &program, const std::string &stepsOf, std::ostream &out) {
  for (const fb::Entry *entry : *program.entries()) {
    out << "\nentry " << text(entry->name());
    if (entry->kind() == fb::EntryKind::ragged)
      out << ": ragged, up to " << entry->tokens() << " tokens of " << entry->sequences() << " sequences, "
          << entry->pages_per_sequence() << " pages a sequence";
    out << "\n  " << countText(entry->steps()->size(), "step") << ", arena " << bytesText(entry->arena_bytes()) << '\n';
    Table table;
    for (const fb::Binding *input : *entry->inputs())
      table.row({"input", text(input->name()), typeText(input->dtype(), *input->shape())});
    for (const fb::Binding *output : *entry->outputs())
      table.row({"output", text(output->name()), typeText(output->dtype(), *output->shape())});
    table.print(out);
    if (stepsOf == "*" || stepsOf == text(entry->name()))
      printSteps(program, *entry, out);
  }
}

void printKernels(const fb::Program &program, std::ostream &out) {
  std::map<uint32_t, uint64_t> launches;
  for (const fb::Entry *entry : *program.entries())
    for (const fb::Step *step : *entry->steps())
      if (const fb::Launch *launch = step->kind_as_Launch())
        ++launches[launch->kernel()];
  out << "\nkernels (" << program.kernels()->size() << ")\n";
  Table table;
  for (uint32_t i = 0; i < program.kernels()->size(); ++i) {
    const fb::Kernel *kernel = program.kernels()->Get(i);
    std::string parameters = countText(kernel->operand_count(), "operand");
    if (kernel->tensor_maps() && kernel->tensor_maps()->size() != 0)
      parameters += ", " + countText(kernel->tensor_maps()->size(), "tensor map");
    table.row({text(kernel->name()), std::move(parameters), "launched " + countText(launches[i], "time"),
               text(kernel->ops()), text(kernel->schedule())});
  }
  table.print(out);
}

} // namespace

void printText(const runtime::PackageView &package, const std::string &stepsOf, std::ostream &out) {
  const fb::Program &program = package.program();
  out << "format " << program.version_major() << '.' << program.version_minor() << ", made by "
      << (text(program.producer()).empty() ? "an unnamed producer" : text(program.producer())) << '\n';
  out << "target " << text(program.target()->kind()) << ", " << text(program.target()->triple());
  if (program.target()->features() && program.target()->features()->size() != 0) {
    out << ", needs";
    for (const flatbuffers::String *feature : *program.target()->features())
      out << ' ' << feature->str();
  }
  if (program.libraries() && program.libraries()->size() != 0) {
    out << ", calls";
    for (const fb::Library *library : *program.libraries())
      out << ' ' << text(library->name());
  }
  out << '\n';
  if (const fb::LanguageModel *model = program.language_model())
    out << "language model " << text(model->architecture()) << ", vocabulary " << model->vocabulary()
        << ", context up to " << model->max_context() << ", activations " << text(model->activations()) << '\n';

  out << "\nmembers\n";
  Table members;
  for (const runtime::ZipMember &member : package.members())
    members.row({member.name, bytesText(member.size), "at " + std::to_string(member.offset)});
  members.print(out);

  printEntries(program, stepsOf, out);
  printKernels(program, out);

  if (program.kv_pools()->size() != 0) {
    out << "\nKV pools\n";
    Table pools;
    for (const fb::KvPool *pool : *program.kv_pools())
      pools.row({text(pool->name()),
                 std::string(fb::EnumNameDType(pool->dtype())) + "[" + std::to_string(pool->layers()) + " layers, 2, " +
                     std::to_string(pool->heads()) + " heads, " + std::to_string(pool->page_size()) + " tokens, " +
                     std::to_string(pool->head_dim()) + "]",
                 bytesText(pool->bytes_per_page()) + " a page",
                 bytesText(pool->bytes_per_page() / pool->page_size()) + " a token",
                 pool->window() ? "keeps the last " + std::to_string(pool->window()) + " tokens" : ""});
    pools.print(out);
  }

  if (program.states() && program.states()->size() != 0) {
    out << "\nstates of a session\n";
    Table states;
    for (const fb::Binding *state : *program.states())
      states.row({text(state->name()), typeText(state->dtype(), *state->shape())});
    states.print(out);
  }

  if (program.weights()->size() != 0) {
    out << "\nweights (" << program.weights()->size() << ", " << bytesText(program.weights_bytes()) << " in "
        << text(program.weights_member()) << ")\n";
    Table weights;
    for (const fb::Weight *weight : *program.weights())
      weights.row({text(weight->name()), typeText(weight->dtype(), *weight->shape()), bytesText(weight->bytes()),
                   "at " + std::to_string(weight->offset()), text(weight->encoding())});
    weights.print(out);
  }
}

} // namespace mjolnir::inspect
