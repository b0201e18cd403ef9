// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The safetensors format: eight bytes of header length, little-endian; a JSON object of that length; the tensors'
// bytes. https://github.com/huggingface/safetensors#format
#include "mjolnir/Import/Safetensors.h"

#include "Json.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/Process.h"

#include <sys/mman.h>

using namespace llvm;
using namespace mjolnir;

namespace {
struct DTypeInfo {
  DType dtype;
  StringLiteral name;
  unsigned bits;
};

// In the order of the enumeration.
constexpr DTypeInfo kDTypes[] = {
    {DType::Bool, "BOOL", 8},      {DType::U8, "U8", 8},          {DType::I8, "I8", 8},
    {DType::F8E5M2, "F8_E5M2", 8}, {DType::F8E4M3, "F8_E4M3", 8}, {DType::F8E8M0, "F8_E8M0", 8},
    {DType::F6E2M3, "F6_E2M3", 6}, {DType::F6E3M2, "F6_E3M2", 6}, {DType::F4, "F4", 4},
    {DType::I16, "I16", 16},       {DType::U16, "U16", 16},       {DType::F16, "F16", 16},
    {DType::BF16, "BF16", 16},     {DType::I32, "I32", 32},       {DType::U32, "U32", 32},
    {DType::F32, "F32", 32},       {DType::I64, "I64", 64},       {DType::U64, "U64", 64},
    {DType::F64, "F64", 64},       {DType::C64, "C64", 64},
};

// The limit of the format's own implementation.
constexpr uint64_t kMaxHeader = 100'000'000;
constexpr uint64_t kLengthBytes = 8;

/// A tensor's entry in the header, with offsets that are not yet checked against the file.
struct Entry {
  TensorInfo tensor;
  uint64_t begin, end;
};
} // namespace

StringRef mjolnir::getName(DType dtype) { return kDTypes[static_cast<int>(dtype)].name; }
unsigned mjolnir::getBits(DType dtype) { return kDTypes[static_cast<int>(dtype)].bits; }

std::optional<DType> mjolnir::parseDType(StringRef name) {
  for (const DTypeInfo &info : kDTypes)
    if (info.name == name)
      return info.dtype;
  return std::nullopt;
}

static std::string toText(ArrayRef<int64_t> shape) {
  return "[" + llvm::join(map_range(shape, [](int64_t size) { return std::to_string(size); }), ", ") + "]";
}

/// Reads the entry `value` of the tensor `name`; checks all that needs no other tensor and no file.
static Expected<Entry> parseEntry(StringRef path, StringRef name, const json::Value &value) {
  auto fail = [&](const Twine &message) { return fileError(path, "tensor '" + name + "' " + message); };
  const json::Object *object = value.getAsObject();
  if (!object)
    return fail("is described by something that is not a JSON object; the file is damaged");
  Entry entry;
  entry.tensor.name = name.str();
  entry.tensor.file = path;

  std::optional<StringRef> dtypeName = object->getString("dtype");
  if (!dtypeName)
    return fail("has no dtype; the file is damaged");
  std::optional<DType> dtype = parseDType(*dtypeName);
  if (!dtype)
    return fail("has the dtype '" + *dtypeName + "', which is not one of the format's; save it as BF16, F16 or F32");
  entry.tensor.dtype = *dtype;

  const json::Array *shape = object->getArray("shape");
  if (!shape)
    return fail("has no shape; the file is damaged");
  std::optional<int64_t> bits = getBits(*dtype);
  for (const json::Value &item : *shape) {
    std::optional<int64_t> size = item.getAsInteger();
    if (!size || *size < 0)
      return fail("has a shape with something other than sizes; the file is damaged");
    entry.tensor.shape.push_back(*size);
    bits = bits ? checkedMul(*bits, *size) : std::nullopt;
  }
  // A zero after an overflow would make the product zero; such a shape is as wrong.
  if (!bits)
    return fail("has the shape " + toText(entry.tensor.shape) + ", which is larger than any file; the file is damaged");
  if (*bits % 8)
    return fail("of dtype " + *dtypeName + " and shape " + toText(entry.tensor.shape) + " ends within a byte");

  const json::Array *offsets = object->getArray("data_offsets");
  if (!offsets || offsets->size() != 2 || !(*offsets)[0].getAsUINT64() || !(*offsets)[1].getAsUINT64())
    return fail("has no data_offsets of two positions; the file is damaged");
  entry.begin = *(*offsets)[0].getAsUINT64();
  entry.end = *(*offsets)[1].getAsUINT64();
  if (entry.begin > entry.end)
    return fail("begins at byte " + Twine(entry.begin) + " and ends before, at " + Twine(entry.end) +
                "; the file is damaged");
  uint64_t bytes = static_cast<uint64_t>(*bits) / 8;
  if (entry.end - entry.begin != bytes)
    return fail("of dtype " + *dtypeName + " and shape " + toText(entry.tensor.shape) + " needs " + Twine(bytes) +
                " bytes but has " + Twine(entry.end - entry.begin) + "; the file is damaged");
  return entry;
}

static Error checkMetadata(StringRef path, const json::Value &value) {
  const json::Object *metadata = value.getAsObject();
  if (!metadata)
    return fileError(path, "has a __metadata__ that is not a JSON object; the file is damaged");
  for (const auto &[key, text] : *metadata)
    if (!text.getAsString())
      return fileError(path, "has a __metadata__ entry '" + key.str() + "' that is not a string; the file is damaged");
  return Error::success();
}

/// Checks that the entries tile the `size` bytes behind the header and sorts them by place.
static Error checkLayout(StringRef path, std::vector<Entry> &entries, uint64_t size) {
  llvm::sort(entries, [](const Entry &a, const Entry &b) {
    return std::tie(a.begin, a.end, a.tensor.name) < std::tie(b.begin, b.end, b.tensor.name);
  });
  uint64_t place = 0;
  StringRef previous;
  for (const Entry &entry : entries) {
    if (entry.end > size)
      return fileError(path, "tensor '" + entry.tensor.name + "' ends at byte " + Twine(entry.end) +
                                 " of the data but the file has only " + Twine(size) +
                                 "; it is truncated, download it again");
    if (entry.begin < place)
      return fileError(path,
                       "tensor '" + entry.tensor.name + "' overlaps tensor '" + previous + "'; the file is damaged");
    if (entry.begin > place)
      return fileError(path, "has " + Twine(entry.begin - place) + " bytes before tensor '" + entry.tensor.name +
                                 "' that belong to no tensor; the file is damaged");
    place = entry.end;
    previous = entry.tensor.name;
  }
  if (place != size)
    return fileError(path, "has " + Twine(size - place) +
                               " bytes after the last tensor that belong to no tensor; the file is damaged");
  return Error::success();
}

Expected<std::vector<TensorInfo>> mjolnir::parseSafetensors(ArrayRef<char> contents, StringRef path) {
  StringRef bytes(contents.data(), contents.size());
  if (bytes.starts_with("version https://git-lfs"))
    return fileError(path, "is a Git LFS pointer, not the tensors; run 'git lfs pull' in its folder");
  if (bytes.size() < kLengthBytes)
    return fileError(path, "has " + Twine(bytes.size()) +
                               " bytes, too few for a safetensors file; it is truncated, download it again");
  uint64_t length = support::endian::read64le(bytes.data());
  bytes = bytes.drop_front(kLengthBytes);
  if (length > bytes.size())
    return fileError(path, "states a header of " + Twine(length) + " bytes but only " + Twine(bytes.size()) +
                               " follow; it is truncated or no safetensors file, download it again");
  if (length > kMaxHeader)
    return fileError(path, "states a header of " + Twine(length) + " bytes; the format allows " + Twine(kMaxHeader));
  StringRef header = bytes.take_front(length);
  bytes = bytes.drop_front(length);
  if (!header.starts_with("{"))
    return fileError(path, "has a header that does not begin with '{'; it is no safetensors file");

  Expected<json::Value> value = parseJson(header, path);
  if (!value)
    return value.takeError();
  if (std::optional<std::string> duplicate = findDuplicateKey(header))
    return fileError(path, "tensor '" + *duplicate + "' is there twice; the file is damaged");

  std::vector<Entry> entries;
  for (const auto &[key, description] : *value->getAsObject()) {
    StringRef name = key;
    if (name == "__metadata__") {
      if (Error error = checkMetadata(path, description))
        return error;
      continue;
    }
    Expected<Entry> entry = parseEntry(path, name, description);
    if (!entry)
      return entry.takeError();
    entries.push_back(std::move(*entry));
  }
  if (Error error = checkLayout(path, entries, bytes.size()))
    return error;

  std::vector<TensorInfo> tensors;
  tensors.reserve(entries.size());
  for (Entry &entry : entries) {
    entry.tensor.bytes = ArrayRef(bytes.data() + entry.begin, entry.end - entry.begin);
    tensors.push_back(std::move(entry.tensor));
  }
  return tensors;
}

Expected<std::unique_ptr<SafetensorsFile>> SafetensorsFile::open(StringRef path) {
  auto fail = [&](std::error_code code) { return fileError(path, "cannot be read: " + code.message()); };
  Expected<sys::fs::file_t> handle = sys::fs::openNativeFileForRead(path);
  if (!handle)
    return fail(errorToErrorCode(handle.takeError()));
  sys::fs::file_status status;
  std::error_code code = sys::fs::status(*handle, status);
  if (!code && sys::fs::is_directory(status))
    code = std::make_error_code(std::errc::is_a_directory);
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->path = path.str();
  // An empty file cannot be mapped; its error is the parser's.
  if (!code && status.getSize() > 0)
    file->mapping =
        sys::fs::mapped_file_region(*handle, sys::fs::mapped_file_region::readonly, status.getSize(), 0, code);
  sys::fs::closeFile(*handle);
  if (code)
    return fail(code);
  ArrayRef<char> contents;
  if (file->mapping)
    contents = ArrayRef(file->mapping.const_data(), file->mapping.size());
  Expected<std::vector<TensorInfo>> tensors = parseSafetensors(contents, file->path);
  if (!tensors)
    return tensors.takeError();
  file->tensors = std::move(*tensors);
  return file;
}

void SafetensorsFile::release(const TensorInfo &tensor) const {
  if (tensor.bytes.empty())
    return;
  // Pages shared with a neighbour go too: the mapping is read-only, so they come back as they were.
  uintptr_t page = sys::Process::getPageSizeEstimate();
  uintptr_t first = reinterpret_cast<uintptr_t>(tensor.bytes.begin()) / page * page;
  uintptr_t last = reinterpret_cast<uintptr_t>(tensor.bytes.end());
  ::madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
}
