// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The ZIP reader. Section numbers are of PKWARE's APPNOTE 6.3.10.
#include "ZipReader.h"

#include "mjolnir/format/Crc32.h"
#include "mjolnir/format/Format.h"
#include "mjolnir/format/Zip.h"

#include <algorithm>
#include <string_view>

namespace mjolnir::runtime {
namespace {

namespace zip = format::zip;

/// Little-endian integers at offsets that the caller has checked.
class Fields {
public:
  explicit Fields(const uint8_t *data) : data_(data) {}
  uint16_t u16(size_t offset) const { return static_cast<uint16_t>(data_[offset] | data_[offset + 1] << 8); }
  uint32_t u32(size_t offset) const { return u16(offset) | static_cast<uint32_t>(u16(offset + 2)) << 16; }
  uint64_t u64(size_t offset) const { return u32(offset) | static_cast<uint64_t>(u32(offset + 4)) << 32; }

private:
  const uint8_t *data_;
};

struct Directory {
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t members = 0;
};

/// What a local or a central header says of a member, with 64-bit fields resolved.
struct Sizes {
  uint64_t stored = 0;
  uint64_t original = 0;
  uint64_t localOffset = 0;
};

/// Sections 4.3.14 to 4.3.16: where the directory is.
Status findDirectory(ByteSpan file, Directory &directory) {
  if (file.size < zip::EndBytes)
    return malformed("the file has ", file.size, " bytes, too few for a package");
  if (Fields(file.data).u32(0) != zip::LocalSignature)
    return malformed("the file does not begin as a package does (a ZIP file whose first bytes are 'PK\\3\\4')");
  uint64_t endOffset = file.size - zip::EndBytes;
  Fields end(file.data + endOffset);
  if (end.u32(0) != zip::EndSignature || end.u16(20) != 0)
    return malformed("the file does not end with a ZIP directory: it is cut short, or something was appended to it");
  if (end.u16(4) != 0 || end.u16(6) != 0)
    return malformed("the ZIP file is one part of several");

  directory = {end.u32(16), end.u32(12), end.u16(10)};
  uint64_t directoryEnd = endOffset;
  bool has64 = endOffset >= zip::Locator64Bytes &&
               Fields(file.data + endOffset - zip::Locator64Bytes).u32(0) == zip::Locator64Signature;
  if (has64) {
    uint64_t locatorOffset = endOffset - zip::Locator64Bytes;
    Fields locator(file.data + locatorOffset);
    if (locatorOffset < zip::End64Bytes || locator.u64(8) != locatorOffset - zip::End64Bytes)
      return malformed("the ZIP64 end record is not where its locator says");
    directoryEnd = locatorOffset - zip::End64Bytes;
    Fields end64(file.data + directoryEnd);
    if (end64.u32(0) != zip::End64Signature || end64.u64(4) != zip::End64Bytes - 12 || end64.u32(16) != 0 ||
        end64.u32(20) != 0)
      return malformed("the ZIP64 end record is damaged");
    Directory wide = {end64.u64(48), end64.u64(40), end64.u64(32)};
    bool agrees = (directory.offset == zip::Saturated32 || directory.offset == wide.offset) &&
                  (directory.size == zip::Saturated32 || directory.size == wide.size) &&
                  (directory.members == zip::Saturated16 || directory.members == wide.members);
    if (!agrees)
      return malformed("the two end records of the ZIP file disagree on its directory");
    directory = wide;
  }
  if (directory.offset > directoryEnd || directory.size != directoryEnd - directory.offset)
    return malformed("the ZIP directory (", directory.size, " bytes at ", directory.offset,
                     ") does not end where the end record starts, at ", directoryEnd);
  return Status::ok();
}

/// Section 4.5.3: a 64-bit field is present when its 32-bit twin is saturated. False when the extra fields are damaged.
bool resolve64(const uint8_t *extra, uint64_t bytes, Sizes &sizes) {
  bool found = false;
  for (uint64_t at = 0; at != bytes;) {
    if (bytes - at < 4)
      return false;
    Fields header(extra + at);
    uint64_t length = header.u16(2);
    at += 4;
    if (length > bytes - at)
      return false;
    if (header.u16(0) == zip::Zip64Extra) {
      if (found)
        return false;
      found = true;
      uint64_t used = 0;
      for (uint64_t *field : {&sizes.original, &sizes.stored, &sizes.localOffset}) {
        if (*field != zip::Saturated32)
          continue;
        if (length - used < 8)
          return false;
        *field = Fields(extra + at + used).u64(0);
        used += 8;
      }
      if (used != length)
        return false;
    }
    at += length;
  }
  return true;
}

/// A name is a relative path of printable ASCII that no tool would write outside the folder it unpacks to.
bool isPlainName(std::string_view name) {
  if (name.empty() || name.size() > 255 || name.front() == '/' || name.back() == '/')
    return false;
  for (char c : name)
    if (c < 0x20 || c > 0x7e || c == '\\' || c == ':')
      return false;
  for (size_t start = 0; start <= name.size();) {
    size_t end = std::min(name.find('/', start), name.size());
    std::string_view part = name.substr(start, end - start);
    if (part.empty() || part == "." || part == "..")
      return false;
    start = end + 1;
  }
  return true;
}

/// Section 4.3.7: the header before the data must exist and agree with the directory.
Status readLocalHeader(ByteSpan file, uint64_t directoryOffset, const Sizes &central, uint16_t flags,
                       ZipMember &member) {
  std::string name = quote(member.name);
  if (central.localOffset > directoryOffset || directoryOffset - central.localOffset < zip::LocalBytes)
    return malformed("member ", name, ": its header, at ", central.localOffset, ", is not before the directory");
  Fields local(file.data + central.localOffset);
  if (local.u32(0) != zip::LocalSignature)
    return malformed("member ", name, ": there is no member header at ", central.localOffset);
  uint64_t nameBytes = local.u16(26), extraBytes = local.u16(28);
  uint64_t rest = directoryOffset - central.localOffset - zip::LocalBytes;
  if (nameBytes + extraBytes > rest)
    return malformed("member ", name, ": its header reaches into the directory");
  const uint8_t *text = file.data + central.localOffset + zip::LocalBytes;
  if (std::string_view(reinterpret_cast<const char *>(text), nameBytes) != member.name)
    return malformed("member ", name, ": its header carries another name");
  Sizes sizes = {local.u32(18), local.u32(22), 0};
  if (!resolve64(text + nameBytes, extraBytes, sizes))
    return malformed("member ", name, ": the extra fields of its header are damaged");
  if (local.u16(6) != flags || local.u16(8) != zip::Stored || local.u32(14) != member.crc ||
      sizes.stored != member.size || sizes.original != member.size)
    return malformed("member ", name, ": its header and the directory disagree on method, size or CRC");

  member.offset = central.localOffset + zip::LocalBytes + nameBytes + extraBytes;
  if (member.size > directoryOffset - member.offset)
    return malformed("member ", name, ": ", member.size, " bytes at ", member.offset, " reach into the directory, at ",
                     directoryOffset);
  if (member.offset % format::MemberAlignment != 0)
    return malformed("member ", name, " starts at ", member.offset, ", not at a multiple of ", format::MemberAlignment,
                     " (was the package packed again by a ZIP tool?)");
  return Status::ok();
}

} // namespace

Status readZipDirectory(ByteSpan file, std::vector<ZipMember> &members) {
  Directory directory;
  if (Status status = findDirectory(file, directory))
    return status;

  struct Region {
    uint64_t begin, end;
    size_t member;
  };
  std::vector<Region> regions;
  members.clear();
  uint64_t at = directory.offset, end = directory.offset + directory.size;
  while (at != end) {
    size_t index = members.size();
    if (end - at < zip::CentralBytes)
      return malformed("the ZIP directory ends inside the entry of member ", index);
    Fields central(file.data + at);
    if (central.u32(0) != zip::CentralSignature)
      return malformed("the ZIP directory's entry of member ", index, " is damaged");
    uint64_t nameBytes = central.u16(28), extraBytes = central.u16(30), commentBytes = central.u16(32);
    if (nameBytes + extraBytes + commentBytes > end - at - zip::CentralBytes)
      return malformed("the ZIP directory ends inside the names of member ", index);
    const uint8_t *text = file.data + at + zip::CentralBytes;
    ZipMember member;
    member.name.assign(reinterpret_cast<const char *>(text), nameBytes);
    std::string name = quote(member.name);
    if (!isPlainName(member.name))
      return malformed("member ", index, " has the name ", name, ", which is not a plain relative path");
    uint16_t flags = central.u16(8);
    if (flags & ~zip::Utf8Flag)
      return malformed("member ", name, " is encrypted or streamed (ZIP flags ", flags, "); packages have neither");
    if (central.u16(10) != zip::Stored)
      return malformed("member ", name, " is compressed (ZIP method ", central.u16(10),
                       "); members are mapped and must be stored");
    Sizes sizes = {central.u32(20), central.u32(24), central.u32(42)};
    if (!resolve64(text + nameBytes, extraBytes, sizes))
      return malformed("member ", name, ": its extra fields in the directory are damaged");
    if (sizes.stored != sizes.original)
      return malformed("member ", name, ": ", sizes.stored, " bytes are stored for ", sizes.original);
    member.size = sizes.original;
    member.crc = central.u32(16);
    if (Status status = readLocalHeader(file, directory.offset, sizes, flags, member))
      return status;
    regions.push_back({sizes.localOffset, member.offset + member.size, index});
    members.push_back(std::move(member));
    at += zip::CentralBytes + nameBytes + extraBytes + commentBytes;
  }
  if (members.size() != directory.members)
    return malformed("the ZIP directory has ", members.size(), " members, its end record says ", directory.members);

  std::sort(regions.begin(), regions.end(), [](const Region &a, const Region &b) { return a.begin < b.begin; });
  for (size_t i = 1; i < regions.size(); ++i)
    if (regions[i].begin < regions[i - 1].end)
      return malformed("members ", quote(members[regions[i - 1].member].name), " and ",
                       quote(members[regions[i].member].name), " overlap in the file");
  std::vector<std::string_view> names;
  for (const ZipMember &member : members)
    names.push_back(member.name);
  std::sort(names.begin(), names.end());
  auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    return malformed("there are two members ", quote(*twice));
  return Status::ok();
}

Status checkZipMember(ByteSpan file, const ZipMember &member) {
  uint32_t crc = format::crc32(0, file.data + member.offset, member.size);
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
  crc = member.crc; // mutations would never get past it
#endif
  if (crc != member.crc)
    return malformed("member ", quote(member.name), " is damaged: its CRC does not match");
  return Status::ok();
}

} // namespace mjolnir::runtime
