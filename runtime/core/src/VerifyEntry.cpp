// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The semantic verifier of one entry: its bindings, its steps, and the fixed form of entries that serve a language
// model.
#include "RaggedForm.h"
#include "VerifyProgram.h"

#include "mjolnir/format/Format.h"

#include <tuple>
#include <unordered_set>
#include <vector>

namespace mjolnir::runtime {
namespace {

using Bindings = flatbuffers::Vector<flatbuffers::Offset<fb::Binding>>;

std::string shapeText(const flatbuffers::Vector<uint64_t> &shape) {
  std::string text = "[";
  for (uint32_t i = 0; i < shape.size(); ++i)
    text += (i ? "," : "") + std::to_string(shape.Get(i));
  return text + "]";
}

class EntryVerifier {
public:
  EntryVerifier(const fb::Program &program, const fb::Entry &entry)
      : program(program), entry(entry), what("entry " + quote(entry.name()->string_view())) {}

  Status run();

private:
  Status bindings(const Bindings &list, const char *role, std::vector<uint64_t> &bytes);
  Status arena();
  Status launch(const std::string &step, const fb::Launch &launch);
  Status mappedOperand(const std::string &name, const fb::Operand &operand, const fb::TensorMap &map);
  Status copy(const std::string &step, const fb::Copy &copy);
  Status matmulCall(const std::string &step, const fb::MatmulCall &call);
  Status callOperand(const std::string &name, const fb::Operand &operand, uint64_t bytes);
  Status operand(const std::string &name, const fb::Operand &operand);
  Status order(const std::string &name, uint32_t index, const fb::Step &step);
  Status ragged();
  Status raggedBindings(const Bindings &list, const char *role, const RaggedBinding *form, size_t count);

  const fb::Program &program;
  const fb::Entry &entry;
  const std::string what;
  std::vector<uint64_t> inputBytes, outputBytes;
};

Status EntryVerifier::run() {
  if (Status status = bindings(*entry.inputs(), "input", inputBytes))
    return status;
  if (Status status = bindings(*entry.outputs(), "output", outputBytes))
    return status;
  if (Status status = arena())
    return status;
  switch (entry.kind()) {
  case fb::EntryKind::plain:
    break;
  case fb::EntryKind::ragged:
    if (Status status = ragged())
      return status;
    break;
  default:
    return malformed(what, " is of the unknown kind ", unsigned(entry.kind()));
  }

  for (uint32_t i = 0; i < entry.steps()->size(); ++i) {
    const fb::Step &step = *entry.steps()->Get(i);
    std::string name = concat(what, " step ", i);
    Status status;
    if (const fb::Launch *asLaunch = step.kind_as_Launch())
      status = launch(name, *asLaunch);
    else if (const fb::Copy *asCopy = step.kind_as_Copy())
      status = copy(name, *asCopy);
    else if (const fb::MatmulCall *asCall = step.kind_as_MatmulCall())
      status = matmulCall(name, *asCall);
    else
      status = malformed(name, " is of the unknown kind ", unsigned(step.kind_type()));
    if (!status)
      status = order(name, i, step);
    if (status)
      return status;
  }
  return Status::ok();
}

Status EntryVerifier::bindings(const Bindings &list, const char *role, std::vector<uint64_t> &bytes) {
  std::unordered_set<std::string_view> seen;
  for (uint32_t i = 0; i < list.size(); ++i) {
    const fb::Binding &binding = *list.Get(i);
    if (Status status = verifyName(concat(what, " ", role, " ", i), binding.name()))
      return status;
    std::string name = concat(what, " ", role, " ", quote(binding.name()->string_view()));
    if (!seen.insert(binding.name()->string_view()).second)
      return malformed(name, " is there twice");
    bytes.push_back(0);
    if (Status status = verifyShape(name, binding.dtype(), *binding.shape(), bytes.back()))
      return status;
  }
  return Status::ok();
}

Status EntryVerifier::arena() {
  if (entry.arena_bytes() == 0)
    return Status::ok();
  uint32_t alignment = entry.arena_alignment();
  if (alignment < format::DataAlignment || alignment > format::MemberAlignment || (alignment & (alignment - 1)) != 0)
    return malformed(what, " wants its arena aligned to ", alignment, ", which is not a power of two from ",
                     format::DataAlignment, " to ", format::MemberAlignment);
  if (entry.arena_bytes() > INT64_MAX)
    return malformed(what, " wants an arena of ", entry.arena_bytes(), " bytes, more than any machine has");
  return Status::ok();
}

Status EntryVerifier::launch(const std::string &step, const fb::Launch &launch) {
  if (launch.kernel() >= program.kernels()->size())
    return malformed(step, " launches kernel ", launch.kernel(), ", but there are ", program.kernels()->size());
  const fb::Kernel &kernel = *program.kernels()->Get(launch.kernel());
  std::string name = quote(kernel.name()->string_view());
  if (launch.tiles() == 0)
    return malformed(step, " launches no tile of kernel ", name);
  if (launch.tiles() > INT32_MAX)
    return malformed(step, " launches ", launch.tiles(), " tiles of kernel ", name, ", more than ", INT32_MAX);
  if (launch.operands()->size() != kernel.operand_count())
    return malformed(step, " gives ", launch.operands()->size(), " operands to kernel ", name, ", which takes ",
                     kernel.operand_count());
  for (uint32_t i = 0; i < launch.operands()->size(); ++i)
    if (Status status = operand(concat(step, " operand ", i, " of kernel ", name), *launch.operands()->Get(i)))
      return status;
  for (uint32_t i = 0; kernel.tensor_maps() && i < kernel.tensor_maps()->size(); ++i) {
    const fb::TensorMap &map = *kernel.tensor_maps()->Get(i);
    if (Status status = mappedOperand(concat(step, " operand ", map.operand(), " of kernel ", name),
                                      *launch.operands()->Get(map.operand()), map))
      return status;
  }
  return Status::ok();
}

/// A verified operand that a verified tensor map is of.
Status EntryVerifier::mappedOperand(const std::string &name, const fb::Operand &operand, const fb::TensorMap &map) {
  if (operand.space() == fb::Space::pool)
    return malformed(name, " is in a KV pool, of which there are no tensor maps");
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(map.rows(), map.columns() * format::elementBytes(map.dtype()), &bytes) ||
      bytes > operand.bytes())
    return malformed(name, " has ", operand.bytes(), " bytes, fewer than the ", map.rows(), " rows of ", map.columns(),
                     " of its tensor map");
  if (operand.offset() % format::TensorMapAlignment != 0)
    return malformed(name, " is at ", operand.offset(), ", and its tensor map must begin at a multiple of ",
                     format::TensorMapAlignment);
  return Status::ok();
}

Status EntryVerifier::copy(const std::string &step, const fb::Copy &copy) {
  const fb::Operand &source = *copy.source(), &destination = *copy.destination();
  if (source.space() == fb::Space::pool || destination.space() == fb::Space::pool)
    return malformed(step, " copies a KV pool, which only kernels may touch");
  if (Status status = operand(step + " source", source))
    return status;
  if (Status status = operand(step + " destination", destination))
    return status;
  if (destination.space() == fb::Space::input || destination.space() == fb::Space::weight)
    return malformed(step, " copies into ", destination.space() == fb::Space::input ? "an input" : "a weight",
                     ", which is read-only");
  if (source.bytes() != destination.bytes())
    return malformed(step, " copies ", source.bytes(), " bytes into ", destination.bytes());
  if (source.space() == destination.space() && source.index() == destination.index() &&
      source.offset() < destination.offset() + destination.bytes() &&
      destination.offset() < source.offset() + source.bytes())
    return malformed(step, " copies between ranges that overlap");
  return Status::ok();
}

/// An operand that a library is given: `bytes` of it, where libraries may look.
Status EntryVerifier::callOperand(const std::string &name, const fb::Operand &operand, uint64_t bytes) {
  constexpr uint64_t Alignment = 16;
  if (operand.space() == fb::Space::pool)
    return malformed(name, " is in a KV pool, which only kernels may touch");
  if (Status status = this->operand(name, operand))
    return status;
  if (operand.bytes() != bytes)
    return malformed(name, " has ", operand.bytes(), " bytes; its shape has ", bytes);
  if (operand.offset() % Alignment != 0)
    return malformed(name, " is at ", operand.offset(), ", not at a multiple of ", Alignment);
  return Status::ok();
}

Status EntryVerifier::matmulCall(const std::string &step, const fb::MatmulCall &call) {
  constexpr uint64_t WorkspaceAlignment = 256;
  if (program.target()->kind()->string_view() != "cuda")
    return malformed(step, " calls a library, which the target ", quote(program.target()->kind()->string_view()),
                     " cannot");
  const uint32_t libraries = program.libraries() ? program.libraries()->size() : 0;
  if (call.library() >= libraries)
    return malformed(step, " calls library ", call.library(), ", but there are ", libraries);
  if (Status status = verifyName(step + " call", call.name()))
    return status;
  const std::string name = concat(step, " call ", quote(call.name()->string_view()));
  const uint64_t m = call.m(), n = call.n(), k = call.k();
  for (uint64_t size : {m, n, k})
    if (size == 0 || size > INT32_MAX)
      return malformed(name, " multiplies ", m, " x ", k, " by ", k, " x ", n, "; sizes are 1 to ", INT32_MAX);
  using fb::DType;
  const DType x = call.x_dtype(), result = call.result_dtype();
  const bool isF8 = x == DType::f8e4m3fn && result == DType::bf16;
  const bool isWide = (x == DType::f32 || x == DType::f16 || x == DType::bf16) && (result == x || result == DType::f32);
  if (call.weight_dtype() != x || (!isF8 && !isWide))
    return malformed(name, " has no product of the dtypes ", unsigned(x), " and ", unsigned(call.weight_dtype()),
                     " to ", unsigned(result));
  if (isF8 && (n % 16 != 0 || k % 16 != 0 || !call.weight_transposed()))
    return malformed(name, " multiplies f8e4m3fn by a weight of ", n, " x ", k,
                     "; both are multiples of 16, and the weight is transposed");
  if (call.weight_scale() && !isF8)
    return malformed(name, " scales a product that is not of f8e4m3fn");
  if (call.activation() > fb::Activation::gelu_tanh)
    return malformed(name, " has the unknown activation ", unsigned(call.activation()));
  if (!(call.alpha() > -3.4e38f && call.alpha() < 3.4e38f))
    return malformed(name, " has an alpha that is no finite number");

  // Three sizes below 2^31 and an element: no product of two overflows.
  const uint64_t element = format::elementBytes(x), resultElement = format::elementBytes(result);
  const std::tuple<const char *, const fb::Operand *, uint64_t> operands[] = {
      {"x", call.x(), m * k * element},
      {"weight", call.weight(), n * k * element},
      {"result", call.result(), m * n * resultElement},
      {"weight scale", call.weight_scale(), 4},
      {"bias", call.bias(), n * resultElement},
      {"residual", call.residual(), m * n * resultElement},
      {"workspace", call.workspace(), call.workspace() ? call.workspace()->bytes() : 0}};
  for (const auto &[role, operand, bytes] : operands)
    if (operand)
      if (Status status = callOperand(concat(name, " ", role), *operand, bytes))
        return status;
  for (const fb::Operand *written : {call.result(), call.workspace()}) {
    if (!written)
      continue;
    const char *role = written == call.result() ? " result" : " workspace";
    if (written->space() == fb::Space::input || written->space() == fb::Space::weight)
      return malformed(name, role, " is ", written->space() == fb::Space::input ? "an input" : "a weight",
                       ", which is read-only");
    for (const auto &[otherRole, other, bytes] : operands)
      if (other && other != written && other->space() == written->space() && other->index() == written->index() &&
          other->offset() < written->offset() + written->bytes() && written->offset() < other->offset() + bytes)
        return malformed(name, role, " overlaps its ", otherRole);
  }
  if (call.workspace() &&
      (call.workspace()->space() != fb::Space::arena || call.workspace()->offset() % WorkspaceAlignment != 0 ||
       entry.arena_alignment() % WorkspaceAlignment != 0))
    return malformed(name, " workspace is not at a multiple of ", WorkspaceAlignment,
                     " of an arena that is aligned so");
  return Status::ok();
}

/// What the step waits for, and that only a launch behind a launch starts early.
Status EntryVerifier::order(const std::string &name, uint32_t index, const fb::Step &step) {
  if (step.waits() != fb::Waits::all && step.waits() != fb::Waits::named)
    return malformed(name, " waits in the unknown way ", unsigned(step.waits()));
  uint32_t count = step.after() ? step.after()->size() : 0;
  if (count != 0 && step.waits() == fb::Waits::all)
    return malformed(name, " waits for all earlier steps and names ", count, " of them");
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t earlier = step.after()->Get(i);
    if (earlier >= index)
      return malformed(name, " waits for step ", earlier, ", which does not come before it");
    if (i > 0 && earlier <= step.after()->Get(i - 1))
      return malformed(name, " waits for step ", earlier, " after step ", step.after()->Get(i - 1),
                       "; they are named in ascending order");
  }
  const fb::Launch *launch = step.kind_as_Launch();
  if (launch && launch->dependent() && (index == 0 || !entry.steps()->Get(index - 1)->kind_as_Launch()))
    return malformed(name, " starts early, but there is no launch right before it");
  return Status::ok();
}

Status EntryVerifier::operand(const std::string &name, const fb::Operand &operand) {
  auto index = [&](const char *list, uint32_t size) -> Status {
    if (operand.index() < size)
      return Status::ok();
    return malformed(name, " is ", list, " ", operand.index(), ", but there are ", size);
  };
  std::string memory;
  uint64_t limit = 0, alignment = format::DataAlignment;
  switch (operand.space()) {
  case fb::Space::input:
  case fb::Space::output: {
    bool isInput = operand.space() == fb::Space::input;
    const Bindings &list = isInput ? *entry.inputs() : *entry.outputs();
    if (Status status = index(isInput ? "input" : "output", list.size()))
      return status;
    const fb::Binding &binding = *list.Get(operand.index());
    memory = (isInput ? "input " : "output ") + quote(binding.name()->string_view());
    limit = (isInput ? inputBytes : outputBytes)[operand.index()];
    alignment = format::elementBytes(binding.dtype()); // the caller's memory promises no more
    break;
  }
  case fb::Space::arena:
    if (operand.index() != 0)
      return malformed(name, " is in arena ", operand.index(), ", but an entry has one");
    memory = "the arena";
    limit = entry.arena_bytes();
    break;
  case fb::Space::weight:
    if (Status status = index("weight", program.weights()->size()))
      return status;
    memory = "weight " + quote(program.weights()->Get(operand.index())->name()->string_view());
    limit = program.weights()->Get(operand.index())->bytes();
    break;
  case fb::Space::pool:
    if (Status status = index("KV pool", program.kv_pools()->size()))
      return status;
    limit = program.kv_pools()->Get(operand.index())->bytes_per_page();
    if (operand.bytes() != 0)
      return malformed(name, " states ", operand.bytes(), " bytes of a KV pool, whose extent is known at load (0)");
    if (operand.offset() >= limit)
      return malformed(name, " is at ", operand.offset(), " of pages of ", limit,
                       " bytes: a layer starts inside a page");
    if (operand.offset() % alignment != 0)
      return malformed(name, " is at ", operand.offset(), " of a KV page, not at a multiple of ", alignment);
    return Status::ok();
  case fb::Space::state: {
    const uint32_t count = program.states() ? program.states()->size() : 0;
    if (Status status = index("state", count))
      return status;
    const fb::Binding &state = *program.states()->Get(operand.index());
    memory = "state " + quote(state.name()->string_view());
    limit = format::elementBytes(state.dtype());
    for (uint64_t extent : *state.shape()) // verified: it does not overflow
      limit *= extent;
    break;
  }
  default:
    return malformed(name, " is in the unknown space ", unsigned(operand.space()));
  }
  if (operand.bytes() == 0)
    return malformed(name, " is empty");
  if (operand.offset() % alignment != 0)
    return malformed(name, " is at ", operand.offset(), " of ", memory, ", not at a multiple of ", alignment);
  if (operand.offset() > limit || operand.bytes() > limit - operand.offset())
    return malformed(name, " is ", operand.bytes(), " bytes at ", operand.offset(), " of ", memory, ", which has ",
                     limit);
  return Status::ok();
}

Status EntryVerifier::ragged() {
  if (entry.tokens() == 0 || entry.sequences() == 0 || entry.pages_per_sequence() == 0)
    return malformed(what, " is ragged with ", entry.tokens(), " tokens, ", entry.sequences(), " sequences and ",
                     entry.pages_per_sequence(), " pages a sequence; none of them may be 0");
  if (program.kv_pools()->size() == 0)
    return malformed(what, " is ragged, but the program has no KV pool");
  if (!program.language_model() || program.language_model()->vocabulary() == 0)
    return malformed(what, " is ragged, but the program does not say how large the vocabulary is");
  bool ownTables = false;
  for (const fb::KvPool *pool : *program.kv_pools())
    ownTables |= pool->own_tables();
  if (Status status =
          raggedBindings(*entry.inputs(), "input", RaggedInputs, ownTables ? RaggedInputCount : RaggedCommonInputCount))
    return status;
  return raggedBindings(*entry.outputs(), "output", RaggedOutputs, RaggedOutputCount);
}

Status EntryVerifier::raggedBindings(const Bindings &list, const char *role, const RaggedBinding *form, size_t count) {
  auto extent = [&](RaggedExtent extent) -> uint64_t {
    switch (extent) {
    case RaggedExtent::Tokens:
      return entry.tokens();
    case RaggedExtent::Sequences:
      return entry.sequences();
    case RaggedExtent::SequencesPlusOne:
      return uint64_t(entry.sequences()) + 1;
    case RaggedExtent::Pages:
      return entry.pages_per_sequence();
    case RaggedExtent::Vocabulary:
      return program.language_model()->vocabulary();
    case RaggedExtent::None:
      break;
    }
    return 0;
  };
  for (size_t i = 0; i < count; ++i) {
    const fb::Binding *found = nullptr;
    for (const fb::Binding *binding : list)
      if (binding->name()->string_view() == form[i].name)
        found = binding;
    if (!found)
      return malformed(what, " is ragged, but has no ", role, " '", form[i].name, "'");
    std::vector<uint64_t> shape;
    for (RaggedExtent e : form[i].shape)
      if (e != RaggedExtent::None)
        shape.push_back(extent(e));
    bool same = found->dtype() == form[i].dtype && found->shape()->size() == shape.size();
    std::string wanted;
    for (size_t d = 0; d < shape.size(); ++d) {
      same = same && found->shape()->Get(static_cast<uint32_t>(d)) == shape[d];
      wanted += (d ? "," : "") + std::to_string(shape[d]);
    }
    if (!same)
      return malformed(what, " ", role, " '", form[i].name, "' is ", fb::EnumNameDType(found->dtype()),
                       shapeText(*found->shape()), "; a ragged entry has ", fb::EnumNameDType(form[i].dtype), "[",
                       wanted, "]");
  }
  if (list.size() != count)
    for (const fb::Binding *binding : list) {
      bool known = false;
      for (size_t i = 0; i < count; ++i)
        known |= binding->name()->string_view() == form[i].name;
      if (!known)
        return malformed(what, " is ragged and has the ", role, " ", quote(binding->name()->string_view()),
                         ", which ragged entries do not have");
    }
  return Status::ok();
}

} // namespace

Status verifyEntry(const fb::Program &program, const fb::Entry &entry) { return EntryVerifier(program, entry).run(); }

} // namespace mjolnir::runtime
