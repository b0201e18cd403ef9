// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Arrays.h. An .npz file is a ZIP file of .npy files: https://numpy.org/doc/stable/reference/generated/
// numpy.lib.format.html; the records of ZIP: PKWARE's APPNOTE.TXT 4.3.
#include "Arrays.h"

#include "Npy.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Endian.h"

#include <cmath>
#include <cstring>

using namespace mjolnir;
using namespace mjolnir::verify;
using llvm::StringRef;

static llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// What `read` returns, or the error that it throws.
template <typename T, typename Read> static llvm::Expected<T> guard(const llvm::Twine &what, Read read) {
  std::string message;
  try {
    return read();
  } catch (const std::exception &error) {
    message = error.what();
  }
  return failure(what + message);
}

static FileArray take(run::NpyArray array) {
  return {std::move(array.descr), std::move(array.shape), std::move(array.data)};
}

llvm::Expected<FileArray> verify::readNpyFile(const std::string &path) {
  return guard<FileArray>("", [&] { return take(run::readNpy(path)); });
}

static uint32_t read16(StringRef bytes, size_t at) { return llvm::support::endian::read16le(bytes.data() + at); }
static uint32_t read32(StringRef bytes, size_t at) { return llvm::support::endian::read32le(bytes.data() + at); }

llvm::Expected<std::map<std::string, FileArray>> verify::readNpzFile(const std::string &path) {
  auto contents = guard<std::string>("", [&] { return run::readWholeFile(path); });
  if (!contents)
    return contents.takeError();
  StringRef file = *contents;
  auto bad = [&](const llvm::Twine &what) { return failure("cannot use '" + path + "': " + what); };
  // The end record: the last one of its signature, before a comment of 65535 bytes at most.
  constexpr size_t endBytes = 22, entryBytes = 46, localBytes = 30;
  size_t end = file.size() < endBytes ? StringRef::npos : file.rfind(StringRef("PK\5\6", 4));
  if (end == StringRef::npos || end + endBytes > file.size())
    return bad("it does not end as an .npz file does");
  size_t count = read16(file, end + 10), at = read32(file, end + 16);
  if (count == 0xffff || at == 0xffffffff)
    return bad("it needs the 64-bit form of ZIP, which is not read here: give fewer or smaller arrays");
  std::map<std::string, FileArray> arrays;
  for (size_t i = 0; i < count; ++i) {
    if (at + entryBytes > file.size() || !file.substr(at).starts_with("PK\1\2"))
      return bad("its directory is damaged");
    size_t method = read16(file, at + 10), size = read32(file, at + 24), nameBytes = read16(file, at + 28);
    size_t extra = read16(file, at + 30), comment = read16(file, at + 32), local = read32(file, at + 42);
    StringRef name = file.substr(at + entryBytes, nameBytes);
    at += entryBytes + nameBytes + extra + comment;
    if (!name.consume_back(".npy"))
      return bad("its member '" + name + "' is no .npy file");
    if (method != 0)
      return bad("its member '" + name + "' is compressed: write it with numpy.savez, not numpy.savez_compressed");
    if (local + localBytes > file.size() || !file.substr(local).starts_with("PK\3\4"))
      return bad("its member '" + name + "' is not where the directory says");
    size_t data = local + localBytes + read16(file, local + 26) + read16(file, local + 28);
    if (data > file.size() || size > file.size() - data)
      return bad("its member '" + name + "' reaches past the end of the file");
    auto array = guard<FileArray>("cannot use '" + path + "': '" + name + "': ",
                                  [&] { return take(run::parseNpy({file.data() + data, size})); });
    if (!array)
      return array.takeError();
    arrays[name.str()] = std::move(*array);
  }
  return arrays;
}

bool verify::holds(const FileArray &array, DLDataType type) { return run::npyHolds(array.descr, type); }

static float halfToFloat(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float size = exponent == 31 ? (fraction ? NAN : INFINITY)
               : exponent     ? std::ldexp(float(1024 + fraction), exponent - 25)
                              : std::ldexp(float(fraction), -24);
  return bits >> 15 ? -size : size;
}

static float f8ToFloat(uint8_t bits) {
  int exponent = bits >> 3 & 15, fraction = bits & 7;
  float size = (bits & 127) == 127 ? NAN
               : exponent          ? std::ldexp(float(8 + fraction), exponent - 10)
                                   : std::ldexp(float(fraction), -9);
  return bits >> 7 ? -size : size;
}

std::vector<float> verify::toFloats(const void *data, DLDataType type, size_t count) {
  std::vector<float> result(count);
  const char *bytes = static_cast<const char *>(data);
  for (size_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, bytes + i * (type.bits / 8), type.bits / 8);
    auto signedBits = int64_t(bits << (64 - type.bits)) >> (64 - type.bits);
    if (type.code == kDLFloat && type.bits == 32)
      std::memcpy(&result[i], &bits, sizeof(float));
    else if (type.code == kDLFloat)
      result[i] = halfToFloat(uint16_t(bits));
    else if (type.code == kDLBfloat)
      bits <<= 16, std::memcpy(&result[i], &bits, sizeof(float));
    else if (type.code == kDLInt)
      result[i] = float(signedBits);
    else if (type.code == kDLUInt)
      result[i] = float(bits);
    else
      result[i] = f8ToFloat(uint8_t(bits));
  }
  return result;
}

std::string verify::describe(DLDataType type, const std::vector<int64_t> &shape) {
  return run::typeName(type) + run::shapeText(shape);
}
