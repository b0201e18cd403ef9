// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Npy.h. The format: numpy.lib.format. A header is a Python dictionary with the keys descr, fortran_order
// and shape.

#include "Npy.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>

namespace mjolnir::run {

namespace {

struct ElementType {
  uint8_t code, bits;
  const char *name;
  const char *descr;      // what is written
  const char *alternates; // what is read besides, space-separated
};

// Codes that Debian 12's DLPack does not name yet: bool of DLPack 0.8, float8_e4m3fn of 1.1.
constexpr uint8_t codeBool = 6, codeFloat8E4M3FN = 10;

constexpr ElementType elementTypes[] = {
    {kDLFloat, 32, "f32", "<f4", ""},
    {kDLFloat, 16, "f16", "<f2", ""},
    {kDLBfloat, 16, "bf16", "|V2", "<V2 <u2"},
    {codeFloat8E4M3FN, 8, "f8e4m3fn", "|V1", "<V1 |u1"},
    {kDLInt, 8, "i8", "|i1", "<i1"},
    {kDLUInt, 8, "u8", "|u1", "<u1"},
    {kDLInt, 32, "i32", "<i4", ""},
    {kDLInt, 64, "i64", "<i8", ""},
    {kDLUInt, 32, "u32", "<u4", ""},
    {kDLUInt, 64, "u64", "<u8", ""},
    {codeBool, 8, "bool", "|b1", "<b1"},
};

const ElementType *elementType(DLDataType type) {
  for (const ElementType &element : elementTypes)
    if (element.code == type.code && element.bits == type.bits && type.lanes == 1)
      return &element;
  return nullptr;
}

constexpr std::string_view magic = "\x93NUMPY";

/// Reads the header's dictionary.
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : text(text) {}

  void parse(NpyArray &array) {
    expect('{');
    bool seenDescr = false, seenOrder = false, seenShape = false;
    while (!accept('}')) {
      std::string key = string("a key");
      expect(':');
      if (key == "descr") {
        once(seenDescr, key);
        skipSpace();
        if (at < text.size() && text[at] == '[')
          throw NpyError("its elements are structures, which is not supported");
        array.descr = string("descr");
      } else if (key == "fortran_order") {
        once(seenOrder, key);
        if (word() == "True")
          throw NpyError("it is in Fortran order; save it with numpy.ascontiguousarray");
      } else if (key == "shape") {
        once(seenShape, key);
        shape(array.shape);
      } else {
        throw NpyError("its header has the unknown key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!seenDescr || !seenOrder || !seenShape)
      throw NpyError("its header lacks descr, fortran_order or shape");
    skipSpace();
    if (at != text.size())
      throw NpyError("its header goes on after the dictionary");
  }

private:
  void skipSpace() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t'))
      ++at;
  }
  bool accept(char c) {
    skipSpace();
    if (at >= text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      throw NpyError("its header has no '" + std::string(1, c) + "' at byte " + std::to_string(at));
  }
  static void once(bool &seen, const std::string &key) {
    if (seen)
      throw NpyError("its header has '" + key + "' twice");
    seen = true;
  }
  std::string string(const char *what) {
    skipSpace();
    char quote = at < text.size() ? text[at] : '\0';
    size_t end = quote == '\'' || quote == '"' ? text.find(quote, at + 1) : std::string_view::npos;
    if (end == std::string_view::npos)
      throw NpyError(std::string("its header has no string for ") + what + " at byte " + std::to_string(at));
    std::string value(text.substr(at + 1, end - at - 1));
    at = end + 1;
    return value;
  }
  std::string word() {
    skipSpace();
    size_t begin = at;
    while (at < text.size() && ((text[at] | 0x20) >= 'a' && (text[at] | 0x20) <= 'z'))
      ++at;
    std::string value(text.substr(begin, at - begin));
    if (value != "True" && value != "False")
      throw NpyError("its header's fortran_order is neither True nor False");
    return value;
  }
  void shape(std::vector<int64_t> &extents) {
    expect('(');
    while (!accept(')')) {
      skipSpace();
      size_t begin = at;
      int64_t extent = 0;
      for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        if (extent > (INT64_MAX - 9) / 10)
          throw NpyError("its shape has an extent that is too large");
        extent = extent * 10 + (text[at] - '0');
      }
      if (at == begin)
        throw NpyError("its header's shape is not a tuple of numbers");
      extents.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
  }

  std::string_view text;
  size_t at = 0;
};

/// Bytes of an element of this type, if it is one that is supported.
std::optional<size_t> elementBytes(const std::string &descr) {
  for (const ElementType &element : elementTypes)
    if (npyHolds(descr, {element.code, element.bits, 1}))
      return element.bits / 8;
  return std::nullopt;
}

} // namespace

std::string npyDescr(DLDataType type) {
  const ElementType *element = elementType(type);
  return element ? element->descr : "";
}

bool npyHolds(const std::string &descr, DLDataType type) {
  const ElementType *element = elementType(type);
  if (!element || descr.empty())
    return false;
  return descr == element->descr ||
         (" " + std::string(element->alternates) + " ").find(" " + descr + " ") != std::string::npos;
}

std::string typeName(DLDataType type) {
  const ElementType *element = elementType(type);
  return element ? element->name : "an unknown type";
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

NpyArray parseNpy(std::string_view bytes) {
  if (bytes.substr(0, magic.size()) != magic)
    throw NpyError("it does not start as a .npy file does");
  if (bytes.size() < 10)
    throw NpyError("it ends within its header");
  auto byteAt = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  unsigned major = byteAt(6), minor = byteAt(7);
  if (major < 1 || major > 3 || minor != 0)
    throw NpyError("it has version " + std::to_string(major) + "." + std::to_string(minor) +
                   "; supported are 1.0, 2.0 and 3.0");
  size_t lengthBytes = major == 1 ? 2 : 4, length = 0, start = 8 + lengthBytes;
  for (size_t i = 0; i < lengthBytes && 8 + i < bytes.size(); ++i)
    length |= size_t(byteAt(8 + i)) << (8 * i);
  if (bytes.size() < start || bytes.size() - start < length)
    throw NpyError("it ends within its header");

  NpyArray array;
  HeaderParser(bytes.substr(start, length)).parse(array);
  if (array.descr.size() > 1 && array.descr[0] == '>')
    throw NpyError("its elements are big endian (" + array.descr + "); save it with .astype('<" +
                   array.descr.substr(1) + "')");
  auto element = elementBytes(array.descr);
  if (!element)
    throw NpyError("its elements are of the type '" + array.descr + "', which is not supported");
  uint64_t wanted = *element;
  for (int64_t extent : array.shape)
    if (__builtin_mul_overflow(wanted, static_cast<uint64_t>(extent), &wanted))
      throw NpyError("its shape " + shapeText(array.shape) + " is too large");
  std::string_view data = bytes.substr(start + length);
  if (data.size() != wanted)
    throw NpyError("it has " + std::to_string(data.size()) + " bytes of data, but " + array.descr +
                   shapeText(array.shape) + " makes " + std::to_string(wanted));
  array.data.assign(data.begin(), data.end());
  return array;
}

std::string formatNpy(const NpyArray &array) {
  std::string header = "{'descr': '" + array.descr + "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < array.shape.size(); ++i)
    header += std::to_string(array.shape[i]) + (array.shape.size() == 1 ? "," : i + 1 < array.shape.size() ? ", " : "");
  header += "), }";
  // The data starts at a multiple of 64, behind a newline.
  while ((magic.size() + 4 + header.size() + 1) % 64 != 0)
    header += ' ';
  header += '\n';
  std::string bytes(magic);
  bytes += {'\1', '\0', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes.append(array.data.data(), array.data.size());
  return bytes;
}

std::string readWholeFile(const std::string &path) {
  std::unique_ptr<FILE, int (*)(FILE *)> opened(path == "-" ? nullptr : std::fopen(path.c_str(), "rb"),
                                                [](FILE *file) { return file ? std::fclose(file) : 0; });
  FILE *file = path == "-" ? stdin : opened.get();
  if (!file)
    throw NpyError("cannot open '" + path + "': " + std::strerror(errno));
  std::string bytes;
  char buffer[1 << 16];
  while (size_t read = std::fread(buffer, 1, sizeof(buffer), file))
    bytes.append(buffer, read);
  if (std::ferror(file))
    throw NpyError("cannot read '" + path + "': " + std::strerror(errno));
  return bytes;
}

NpyArray readNpy(const std::string &path) {
  std::string bytes = readWholeFile(path);
  try {
    return parseNpy(bytes);
  } catch (const NpyError &e) {
    throw NpyError("cannot use '" + path + "': " + e.what());
  }
}

void writeNpy(const std::string &path, const NpyArray &array) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  std::string bytes = formatNpy(array);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file)
    throw NpyError("cannot write '" + path + "': " + std::strerror(errno));
}

} // namespace mjolnir::run
