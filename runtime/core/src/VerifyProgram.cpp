// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The semantic verifier of what entries share: target, images, kernels, weights, KV pools.
#include "VerifyProgram.h"
#include "PackageView.h"

#include "mjolnir/format/Format.h"

#include <unordered_set>

namespace mjolnir::runtime {
namespace {

using Names = std::unordered_set<std::string_view>;

bool isUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    unsigned char lead = static_cast<unsigned char>(text[i]);
    size_t length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (lead >= 0x80 && lead < 0xc2)
      return false;
    if (length == 0 || length > text.size() - i)
      return false;
    for (size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80)
        return false;
    i += length;
  }
  return true;
}

std::string_view view(const flatbuffers::String *text) { return text ? text->string_view() : std::string_view(); }

/// a * b, or false when it does not fit 63 bits.
bool multiply(uint64_t a, uint64_t b, uint64_t &product) {
  return !__builtin_mul_overflow(a, b, &product) && product <= INT64_MAX;
}

class ProgramVerifier {
public:
  ProgramVerifier(const fb::Program &program, const PackageView &package) : program(program), package(package) {}

  Status run() {
    for (auto step : {&ProgramVerifier::target, &ProgramVerifier::images, &ProgramVerifier::kernels,
                      &ProgramVerifier::weightsMember, &ProgramVerifier::weights, &ProgramVerifier::pools,
                      &ProgramVerifier::libraries, &ProgramVerifier::states, &ProgramVerifier::entries})
      if (Status status = (this->*step)())
        return status;
    return Status::ok();
  }

private:
  Status target();
  Status cudaTarget(const fb::Target &target);
  Status images();
  Status kernels();
  Status tensorMaps(const std::string &name, const fb::Kernel &kernel);
  Status weightsMember();
  Status weights();
  Status pools();
  Status libraries();
  Status states();
  Status entries();

  const fb::Program &program;
  const PackageView &package;
};

Status ProgramVerifier::target() {
  const fb::Target &target = *program.target();
  if (Status status = verifyName("the target's kind", target.kind()))
    return status;
  if (view(target.kind()) == "cuda")
    return cudaTarget(target);
  if (view(target.kind()) != "host")
    return failure(MJ_ERROR_UNSUPPORTED, "the package is for target ", quote(view(target.kind())),
                   "; this runtime has the devices 'host' and 'cuda'");
  if (view(target.triple()).empty())
    return malformed("the target 'host' has no triple: the machine that the code is for is unknown");
  return Status::ok();
}

Status ProgramVerifier::cudaTarget(const fb::Target &target) {
  if (!target.features() || target.features()->size() == 0)
    return malformed("the target 'cuda' names no architecture: the device that the code is for is unknown");
  for (const flatbuffers::String *feature : *target.features()) {
    std::string_view text = view(feature);
    size_t prefix = text.substr(0, 3) == "sm_" ? 3 : text.substr(0, 8) == "compute_" ? 8 : 0;
    size_t digits = prefix;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9')
      ++digits;
    std::string_view suffix = text.substr(digits);
    if (prefix == 0 || digits - prefix < 2 || digits - prefix > 4 || (suffix != "" && suffix != "a" && suffix != "f"))
      return malformed("the target 'cuda' has the architecture ", quote(text), ", which is none: sm_90a, compute_75");
  }
  return Status::ok();
}

Status ProgramVerifier::images() {
  Names seen;
  for (uint32_t i = 0; i < program.images()->size(); ++i) {
    std::string_view member = view(program.images()->Get(i)->member());
    if (!package.find(member))
      return malformed("image ", i, " is the member ", quote(member), ", which the file does not have");
    if (member == format::ProgramMember)
      return malformed("image ", i, " is the program itself");
    if (!seen.insert(member).second)
      return malformed("image ", i, ": the member ", quote(member), " is an image twice");
  }
  return Status::ok();
}

Status ProgramVerifier::kernels() {
  const bool isPortable = hasMachineCodeAndPtx(*program.target());
  Names seen;
  for (uint32_t i = 0; i < program.kernels()->size(); ++i) {
    const fb::Kernel &kernel = *program.kernels()->Get(i);
    if (Status status = verifyName(concat("kernel ", i), kernel.name()))
      return status;
    std::string name = quote(view(kernel.name()));
    if (!seen.insert(view(kernel.name())).second)
      return malformed("two kernels are called ", name);
    if (view(kernel.symbol()).empty() || view(kernel.symbol()).find('\0') != std::string_view::npos)
      return malformed("kernel ", name, " has no symbol");
    if (kernel.image() >= program.images()->size())
      return malformed("kernel ", name, " is in image ", kernel.image(), ", but there are ", program.images()->size());
    if (kernel.portable_image() != NoImage && kernel.portable_image() >= program.images()->size())
      return malformed("kernel ", name, " is as PTX in image ", kernel.portable_image(), ", but there are ",
                       program.images()->size());
    if (isPortable && kernel.portable_image() == NoImage)
      return malformed("kernel ", name,
                       " is in no PTX image, though the target names an architecture for machine code "
                       "and one for PTX");
    if (view(program.target()->kind()) == "cuda") {
      constexpr uint32_t MaxThreads = 1024, MaxSharedBytes = 227 * 1024; // the most that any architecture has
      if (kernel.threads() == 0 || kernel.threads() > MaxThreads)
        return malformed("kernel ", name, " has blocks of ", kernel.threads(), " threads; 1 to ", MaxThreads,
                         " are possible");
      if (kernel.shared_bytes() > MaxSharedBytes)
        return malformed("kernel ", name, " wants ", kernel.shared_bytes(), " bytes of shared memory; at most ",
                         MaxSharedBytes, " are possible");
    }
    if (kernel.operand_count() == 0)
      return malformed("kernel ", name, " has no operands, so it could not do anything");
    if (Status status = tensorMaps(name, kernel))
      return status;
  }
  return Status::ok();
}

/// What holds for every launch; where operands lie is the entries' business.
Status ProgramVerifier::tensorMaps(const std::string &name, const fb::Kernel &kernel) {
  constexpr uint64_t MaxSize = uint64_t(1) << 32, MaxBox = 256, SwizzledBytes = 128;
  const uint32_t count = kernel.tensor_maps() ? kernel.tensor_maps()->size() : 0;
  if (count != 0 && view(program.target()->kind()) != "cuda")
    return malformed("kernel ", name, " takes tensor maps, which the target ", quote(view(program.target()->kind())),
                     " does not have");
  for (uint32_t i = 0; i < count; ++i) {
    const fb::TensorMap &map = *kernel.tensor_maps()->Get(i);
    const std::string what = concat("kernel ", name, " tensor map ", i);
    if (map.operand() >= kernel.operand_count())
      return malformed(what, " is of operand ", map.operand(), ", but there are ", kernel.operand_count());
    switch (map.dtype()) {
    case fb::DType::f32:
    case fb::DType::f16:
    case fb::DType::bf16:
    case fb::DType::f8e4m3fn:
    case fb::DType::i8:
      break;
    default:
      return malformed(what, " has the dtype ", unsigned(map.dtype()), "; it may be f32, f16, bf16, f8e4m3fn or i8");
    }
    for (uint64_t size : {map.rows(), map.columns()})
      if (size == 0 || size > MaxSize)
        return malformed(what, " has ", map.rows(), " rows of ", map.columns(), "; there are 1 to 2^32 of each");
    for (uint64_t size : {map.box_rows(), map.box_columns()})
      if (size == 0 || size > MaxBox)
        return malformed(what, " has boxes of ", map.box_rows(), " rows of ", map.box_columns(), "; there are 1 to ",
                         MaxBox, " of each");
    const uint64_t element = format::elementBytes(map.dtype()), pitch = map.columns() * element;
    const uint64_t boxBytes = map.box_columns() * element;
    if (pitch % format::TensorMapAlignment != 0)
      return malformed(what, " has rows of ", pitch, " bytes, not a multiple of ", format::TensorMapAlignment);
    if (boxBytes % format::TensorMapAlignment != 0 || boxBytes > SwizzledBytes)
      return malformed(what, " has boxes with rows of ", boxBytes, " bytes; these are multiples of ",
                       format::TensorMapAlignment, " up to ", SwizzledBytes);
  }
  return Status::ok();
}

/// The member's place and size, and that its safetensors header ends where the program says; of the file this reads 9
/// bytes.
Status ProgramVerifier::weightsMember() {
  std::string_view name = view(program.weights_member());
  if (name.empty()) {
    if (program.weights()->size() != 0)
      return malformed("the program has ", program.weights()->size(), " weights but names no member that holds them");
    return Status::ok();
  }
  const ZipMember *member = package.find(name);
  if (!member)
    return malformed("the weights are in the member ", quote(name), ", which the file does not have");
  if (name == format::ProgramMember)
    return malformed("the weights' member is the program itself");
  for (const fb::Image *image : *program.images())
    if (view(image->member()) == name)
      return malformed("the member ", quote(name), " is named as weights and as an image");

  uint64_t start = program.weights_data_offset(), bytes = program.weights_bytes();
  if (start % format::DataAlignment != 0)
    return malformed("tensor data starts at ", start, " of ", quote(name), ", not at a multiple of ",
                     format::DataAlignment);
  if (start > member->size || bytes != member->size - start)
    return malformed("the program wants ", bytes, " bytes of tensor data from offset ", start, " of ", quote(name),
                     ", which has ", member->size, " bytes");
  ByteSpan data = package.bytes(*member);
  uint64_t headerBytes = 0;
  if (start >= 10)
    for (int byte = 7; byte >= 0; --byte)
      headerBytes = headerBytes << 8 | data.data[byte];
  if (start < 10 || headerBytes != start - 8 || data.data[8] != '{')
    return malformed("the member ", quote(name), " has no safetensors header that ends at ", start);
  return Status::ok();
}

Status ProgramVerifier::weights() {
  Names seen;
  for (uint32_t i = 0; i < program.weights()->size(); ++i) {
    const fb::Weight &weight = *program.weights()->Get(i);
    if (Status status = verifyName(concat("weight ", i), weight.name()))
      return status;
    std::string what = "weight " + quote(view(weight.name()));
    if (!seen.insert(view(weight.name())).second)
      return malformed("two weights are called ", quote(view(weight.name())));
    uint64_t dense = 0;
    if (Status status = verifyShape(what, weight.dtype(), *weight.shape(), dense))
      return status;
    if (weight.bytes() == 0)
      return malformed(what, " has no bytes");
    if (view(weight.encoding()).empty() && weight.bytes() != dense)
      return malformed(what, " is row-major and has ", weight.bytes(), " bytes, but its shape needs ", dense);
    if (weight.offset() % format::DataAlignment != 0)
      return malformed(what, " starts at ", weight.offset(), ", not at a multiple of ", format::DataAlignment);
    uint64_t limit = program.weights_bytes();
    if (weight.offset() > limit || weight.bytes() > limit - weight.offset())
      return malformed(what, " (", weight.bytes(), " bytes at ", weight.offset(), ") does not fit the ", limit,
                       " bytes of tensor data");
  }
  return Status::ok();
}

Status ProgramVerifier::pools() {
  Names seen;
  uint64_t allPages = 0;
  bool ownTables = false;
  for (uint32_t i = 0; i < program.kv_pools()->size(); ++i) {
    const fb::KvPool &pool = *program.kv_pools()->Get(i);
    if (Status status = verifyName(concat("KV pool ", i), pool.name()))
      return status;
    std::string what = "KV pool " + quote(view(pool.name()));
    if (!seen.insert(view(pool.name())).second)
      return malformed("two KV pools are called ", quote(view(pool.name())));
    uint64_t element = format::elementBytes(pool.dtype());
    if (element == 0)
      return malformed(what, " has the unknown dtype ", unsigned(pool.dtype()));
    if (pool.layers() == 0 || pool.heads() == 0 || pool.head_dim() == 0 || pool.page_size() == 0)
      return malformed(what, " has an empty page: layers ", pool.layers(), ", heads ", pool.heads(), ", head_dim ",
                       pool.head_dim(), ", page_size ", pool.page_size());
    uint64_t bytes = 2; // K and V
    for (uint64_t factor : {uint64_t(pool.layers()), uint64_t(pool.heads()), uint64_t(pool.page_size()),
                            uint64_t(pool.head_dim()), element})
      if (!multiply(bytes, factor, bytes))
        return malformed(what, ": the size of a page overflows");
    if (pool.bytes_per_page() != bytes)
      return malformed(what, " says ", pool.bytes_per_page(), " bytes a page; its layout makes ", bytes);
    if (bytes % format::DataAlignment != 0)
      return malformed(what, ": a page of ", bytes, " bytes is not a multiple of ", format::DataAlignment,
                       " bytes, so later pages would not be aligned");
    if (pool.page_size() != program.kv_pools()->Get(0)->page_size())
      return malformed(what, " has pages of ", pool.page_size(), " tokens, the first pool ",
                       program.kv_pools()->Get(0)->page_size(), "; block tables serve all pools, so they must agree");
    if (pool.own_tables()) {
      if (i == 0 || pool.window() == 0)
        return malformed(what, " has tables of its own, but ",
                         i == 0 ? "is the first, whose tables are block_tables" : "no window");
      if (ownTables)
        return malformed(what, " has tables of its own, as another pool has; there is one window_block_tables");
      ownTables = true;
    }
    if (__builtin_add_overflow(allPages, bytes, &allPages) || allPages > INT64_MAX)
      return malformed("a page of all KV pools together has too many bytes");
  }
  return Status::ok();
}

Status ProgramVerifier::libraries() {
  Names seen;
  for (uint32_t i = 0; program.libraries() && i < program.libraries()->size(); ++i) {
    const fb::Library &library = *program.libraries()->Get(i);
    if (Status status = verifyName(concat("library ", i), library.name()))
      return status;
    if (!seen.insert(view(library.name())).second)
      return malformed("two libraries are called ", quote(view(library.name())));
    if (view(library.name()) != CublasLtName)
      return failure(MJ_ERROR_UNSUPPORTED, "the package calls the library ", quote(view(library.name())),
                     ", which this runtime does not know; it knows '", CublasLtName, "'");
  }
  return Status::ok();
}

Status ProgramVerifier::states() {
  Names seen;
  for (uint32_t i = 0; program.states() && i < program.states()->size(); ++i) {
    const fb::Binding &state = *program.states()->Get(i);
    if (Status status = verifyName(concat("state ", i), state.name()))
      return status;
    if (!seen.insert(view(state.name())).second)
      return malformed("two states are called ", quote(view(state.name())));
    uint64_t bytes = 0;
    if (Status status = verifyShape("state " + quote(view(state.name())), state.dtype(), *state.shape(), bytes))
      return status;
  }
  return Status::ok();
}

Status ProgramVerifier::entries() {
  if (program.entries()->size() == 0)
    return malformed("the program has no entry, so there is nothing to run");
  Names seen;
  for (uint32_t i = 0; i < program.entries()->size(); ++i) {
    const fb::Entry &entry = *program.entries()->Get(i);
    if (Status status = verifyName(concat("entry ", i), entry.name()))
      return status;
    if (!seen.insert(view(entry.name())).second)
      return malformed("two entries are called ", quote(view(entry.name())));
    if (Status status = verifyEntry(program, entry))
      return status;
  }
  return Status::ok();
}

} // namespace

Status verifyName(std::string_view what, const flatbuffers::String *name) {
  constexpr size_t MaxBytes = 1024;
  std::string_view text = view(name);
  if (text.empty())
    return malformed(what, " has no name");
  bool plain = text.size() <= MaxBytes && isUtf8(text);
  for (char c : text)
    plain &= static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  if (!plain)
    return malformed(what, ": the name ", quote(text), " is not plain UTF-8 of at most ", MaxBytes, " bytes");
  return Status::ok();
}

Status verifyShape(std::string_view what, fb::DType type, const flatbuffers::Vector<uint64_t> &shape, uint64_t &bytes) {
  constexpr uint32_t MaxRank = 16;
  bytes = format::elementBytes(type);
  if (bytes == 0)
    return malformed(what, " has the unknown dtype ", unsigned(type));
  if (shape.size() > MaxRank)
    return malformed(what, " has ", shape.size(), " dimensions, more than ", MaxRank);
  for (uint32_t i = 0; i < shape.size(); ++i) {
    if (shape.Get(i) == 0)
      return malformed(what, ": dimension ", i, " is 0");
    if (!multiply(bytes, shape.Get(i), bytes))
      return malformed(what, ": the size of its shape overflows at dimension ", i);
  }
  return Status::ok();
}

Status verifyProgram(const fb::Program &program, const PackageView &package) {
  return ProgramVerifier(program, package).run();
}

bool hasMachineCodeAndPtx(const fb::Target &target) {
  bool hasCode = false, hasPtx = false;
  if (target.kind()->string_view() == "cuda" && target.features())
    for (const flatbuffers::String *feature : *target.features())
      (feature->string_view().substr(0, 8) == "compute_" ? hasPtx : hasCode) = true;
  return hasCode && hasPtx;
}

} // namespace mjolnir::runtime
