// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// libFuzzer on everything of the runtime that reads what others wrote, short of running code. The first byte of the
// input says what the rest is:
//   0: a package file
//   1: program.fb of an otherwise sound package, so that mutations reach the semantic verifier
//   2: limits and index inputs of a ragged entry
// In fuzzing builds the loader skips CRCs, which mutations would never get right. After something was accepted, what
// the verifier promised is put to use: each range that execution would touch is touched.
#include "PackageView.h"
#include "RaggedCheck.h"

#include "mjolnir/format/Format.h"
#include "mjolnir/format/Zip.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

using namespace mjolnir;
using namespace mjolnir::runtime;

namespace {

struct FreeMemory {
  void operator()(uint8_t *memory) const { free(memory); }
};
using Memory = std::unique_ptr<uint8_t, FreeMemory>;

/// A copy at a page boundary that ends where the bytes end, so that AddressSanitizer sees each step beyond.
Memory copyAligned(const uint8_t *data, size_t bytes) {
  void *memory = nullptr;
  if (posix_memalign(&memory, format::MemberAlignment, bytes ? bytes : 1) != 0)
    abort();
  memcpy(memory, data, bytes);
  return Memory(static_cast<uint8_t *>(memory));
}

[[noreturn]] void broken(const char *promise) {
  fprintf(stderr, "the verifier accepted a program that breaks its promise: %s\n", promise);
  abort();
}

void require(bool condition, const char *promise) {
  if (!condition)
    broken(promise);
}

/// Reads the first and the last byte.
void touch(const uint8_t *data, uint64_t bytes) {
  static volatile uint8_t sink;
  sink = data[0];
  sink = data[bytes - 1];
}

uint64_t denseBytes(const fb::Binding &binding) {
  uint64_t bytes = format::elementBytes(binding.dtype());
  for (uint64_t extent : *binding.shape())
    bytes *= extent;
  return bytes;
}

void useOperand(const PackageView &package, const fb::Entry &entry, const fb::Operand &operand) {
  const fb::Program &program = package.program();
  uint64_t limit = 0;
  switch (operand.space()) {
  case fb::Space::input:
    limit = denseBytes(*entry.inputs()->Get(operand.index()));
    break;
  case fb::Space::output:
    limit = denseBytes(*entry.outputs()->Get(operand.index()));
    break;
  case fb::Space::arena:
    limit = entry.arena_bytes();
    break;
  case fb::Space::weight: {
    const fb::Weight *weight = program.weights()->Get(operand.index());
    limit = weight->bytes();
    touch(package.weights() + weight->offset() + operand.offset(), operand.bytes());
    break;
  }
  case fb::Space::pool:
    require(operand.offset() < program.kv_pools()->Get(operand.index())->bytes_per_page(), "layers begin inside pages");
    return;
  default:
    broken("spaces are known");
  }
  require(operand.bytes() > 0 && operand.offset() <= limit && operand.bytes() <= limit - operand.offset(),
          "operands are inside their memory");
}

void useProgram(const PackageView &package) {
  const fb::Program &program = package.program();
  for (const ZipMember &member : package.members())
    if (member.size)
      touch(package.bytes(member).data, member.size);
  for (const fb::Image *image : *program.images())
    require(package.find(image->member()->string_view()) != nullptr, "images are members");
  for (const fb::Kernel *kernel : *program.kernels())
    require(kernel->image() < program.images()->size() && kernel->symbol()->size() > 0, "kernels are in images");
  for (const fb::Weight *weight : *program.weights())
    touch(package.weights() + weight->offset(), weight->bytes());
  for (const fb::Entry *entry : *program.entries())
    for (const fb::Step *step : *entry->steps()) {
      if (const fb::Launch *launch = step->kind_as_Launch()) {
        const fb::Kernel *kernel = program.kernels()->Get(launch->kernel());
        require(launch->operands()->size() == kernel->operand_count() && launch->tiles() > 0, "launches fit kernels");
        for (const fb::Operand *operand : *launch->operands())
          useOperand(package, *entry, *operand);
      } else if (const fb::MatmulCall *call = step->kind_as_MatmulCall()) {
        require(program.libraries() && call->library() < program.libraries()->size(), "calls are of libraries");
        require(call->result()->bytes() == call->m() * call->n() * format::elementBytes(call->result_dtype()),
                "results have room");
        for (const fb::Operand *operand : {call->x(), call->weight(), call->result(), call->weight_scale(),
                                           call->bias(), call->residual(), call->workspace()})
          if (operand) {
            require(operand->space() != fb::Space::pool, "libraries do not touch pools");
            useOperand(package, *entry, *operand);
          }
      } else {
        const fb::Copy *copy = step->kind_as_Copy();
        require(copy && copy->source()->bytes() == copy->destination()->bytes(), "copies are of equal sizes");
        useOperand(package, *entry, *copy->source());
        useOperand(package, *entry, *copy->destination());
      }
    }
  std::unique_ptr<fb::ProgramT> unpacked(program.UnPack());
  require(unpacked->entries.size() == program.entries()->size(), "programs unpack");
}

void loadFile(const uint8_t *data, size_t bytes) {
  Memory memory = copyAligned(data, bytes);
  PackageView package;
  Status status = package.parse({memory.get(), bytes});
  if (status)
    require(!status.message().empty(), "refusals say why");
  else
    useProgram(package);
}

void put(std::vector<uint8_t> &out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    out.push_back(i < 8 ? static_cast<uint8_t>(value >> (8 * i)) : 0);
}

/// A file of the members that the test package has, `program` among them; as the package writer makes it, in memory.
std::vector<uint8_t> packProgram(const uint8_t *program, size_t bytes) {
  namespace zip = format::zip;
  // What the test package's weights member has: a header of 384 bytes and 512 bytes of data.
  std::string weights(384 + 512, ' ');
  weights.replace(0, 9, std::string("\x78\x01\0\0\0\0\0\0{", 9));
  std::pair<std::string, std::string> members[] = {
      {"program.fb", std::string(reinterpret_cast<const char *>(program), bytes)},
      {"kernels.so", "not code"},
      {"notes.json", "{}"},
      {"weights.safetensors", std::move(weights)}};
  std::vector<uint8_t> file, directory;
  for (const auto &[name, data] : members) {
    uint64_t header = file.size();
    // An extra field of an unknown kind moves the data to the next boundary.
    uint64_t begin = format::alignUp(header + zip::LocalBytes + name.size() + 4, format::MemberAlignment);
    uint64_t extra = begin - header - zip::LocalBytes - name.size();
    put(file, zip::LocalSignature, 4);
    put(file, 45, 2);
    put(file, 0, 12); // flags, method, time, date, CRC
    put(file, data.size(), 4);
    put(file, data.size(), 4);
    put(file, name.size(), 2);
    put(file, extra, 2);
    file.insert(file.end(), name.begin(), name.end());
    put(file, zip::AlignmentExtra, 2);
    put(file, extra - 4, 2);
    file.resize(begin);
    file.insert(file.end(), data.begin(), data.end());
    put(directory, zip::CentralSignature, 4);
    put(directory, 45, 2);
    put(directory, 45, 2);
    put(directory, 0, 12);
    put(directory, data.size(), 4);
    put(directory, data.size(), 4);
    put(directory, name.size(), 2);
    put(directory, 0, 12);
    put(directory, header, 4);
    directory.insert(directory.end(), name.begin(), name.end());
  }
  uint64_t offset = file.size();
  file.insert(file.end(), directory.begin(), directory.end());
  put(file, zip::EndSignature, 4);
  put(file, 0, 4);
  put(file, std::size(members), 2);
  put(file, std::size(members), 2);
  put(file, directory.size(), 4);
  put(file, offset, 4);
  put(file, 0, 2);
  return file;
}

/// Small limits and values near them, and then the memory that an attention kernel would touch.
void checkRagged(const uint8_t *data, size_t bytes) {
  size_t at = 0;
  auto next = [&]() -> int { return at < bytes ? data[at++] : 0; };
  RaggedLimits limits;
  limits.tokens = 1 + next() % 8;
  limits.sequences = 1 + next() % 4;
  limits.pagesPerSequence = 1 + next() % 4;
  limits.pageSize = 1 + next() % 4;
  limits.pages = 1 + next() % 8;
  limits.windowPages = next() % 4;
  limits.vocabulary = 1 + next() % 64;
  limits.maxContext = 1 + next() % static_cast<int>(limits.pagesPerSequence * limits.pageSize);
  auto list = [&](int64_t count) {
    std::vector<int32_t> values(static_cast<size_t>(count));
    for (int32_t &value : values) {
      int byte = next();
      value = byte == 255 ? INT32_MIN : byte == 254 ? INT32_MAX : byte - 2;
    }
    return values;
  };
  std::vector<int32_t> tokens = list(limits.tokens), positions = list(limits.tokens),
                       offsets = list(limits.sequences + 1), lengths = list(limits.sequences),
                       tables = list(limits.sequences * limits.pagesPerSequence), slots = list(limits.tokens),
                       rows = list(limits.sequences),
                       windowTables = list(limits.windowPages ? limits.sequences * limits.pagesPerSequence : 0),
                       windowSlots = list(limits.windowPages ? limits.tokens : 0);
  RaggedPointers pointers = {};
  pointers[RaggedTokens] = tokens.data();
  pointers[RaggedPositions] = positions.data();
  pointers[RaggedSequenceOffsets] = offsets.data();
  pointers[RaggedContextLengths] = lengths.data();
  pointers[RaggedBlockTables] = tables.data();
  pointers[RaggedSlots] = slots.data();
  pointers[RaggedLogitRows] = rows.data();
  if (limits.windowPages) {
    pointers[RaggedWindowBlockTables] = windowTables.data();
    pointers[RaggedWindowSlots] = windowSlots.data();
  }
  if (checkRaggedInputs(limits, pointers))
    return;

  std::vector<int> embedding(static_cast<size_t>(limits.vocabulary)),
      pool(static_cast<size_t>(limits.pages * limits.pageSize)),
      windowPool(static_cast<size_t>(limits.windowPages * limits.pageSize)), row(static_cast<size_t>(limits.tokens)),
      rope(static_cast<size_t>(limits.maxContext));
  auto use = [](std::vector<int> &memory, int64_t index) {
    require(index >= 0 && index < static_cast<int64_t>(memory.size()), "checked indices are inside their memory");
    ++memory[static_cast<size_t>(index)];
  };
  for (size_t t = 0; t < tokens.size(); ++t) {
    use(embedding, tokens[t]);
    use(rope, positions[t]);
    if (slots[t] != -1)
      use(pool, slots[t]);
    if (limits.windowPages && windowSlots[t] != -1)
      use(windowPool, windowSlots[t]);
  }
  for (size_t b = 0; b < lengths.size(); ++b) {
    use(row, rows[b]);
    for (int32_t t = offsets[b]; t < offsets[b + 1]; ++t) {
      use(row, t);
      for (int64_t j = 0; j <= positions[static_cast<size_t>(t)]; ++j) {
        size_t place = b * static_cast<size_t>(limits.pagesPerSequence) + static_cast<size_t>(j / limits.pageSize);
        use(pool, tables[place] * limits.pageSize + j % limits.pageSize);
        if (limits.windowPages)
          use(windowPool, windowTables[place] * limits.pageSize + j % limits.pageSize);
      }
    }
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes == 0)
    return 0;
  switch (data[0]) {
  case 0:
    loadFile(data + 1, bytes - 1);
    break;
  case 1: {
    std::vector<uint8_t> file = packProgram(data + 1, bytes - 1);
    loadFile(file.data(), file.size());
    break;
  }
  case 2:
    checkRagged(data + 1, bytes - 1);
    break;
  }
  return 0;
}
