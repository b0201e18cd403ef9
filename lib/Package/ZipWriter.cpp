// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The ZIP writer. Section numbers are of PKWARE's APPNOTE 6.3.10. Every member has ZIP64 fields, needed or not: one
// layout.
#include "mjolnir/Package/ZipWriter.h"

#include "mjolnir/format/Crc32.h"
#include "mjolnir/format/Format.h"
#include "mjolnir/format/Zip.h"

#include <algorithm>

namespace mjolnir::package {
namespace {

namespace zip = format::zip;

constexpr uint16_t Version45 = 45;                  // 4.4.3.2: the first with ZIP64
constexpr uint16_t MadeByUnix = 3 << 8;             // 4.4.2.2
constexpr uint32_t RegularFile644 = 0100644u << 16; // Unix mode in the external attributes
constexpr uint16_t NoTime = 0;
constexpr uint16_t FirstDay = 1 << 5 | 1; // 1980-01-01, the first date that ZIP knows
constexpr uint64_t Zip64LocalBytes = 4 + 16;
constexpr uint64_t AlignmentHeaderBytes = 4 + 2;

/// Little-endian fields one after the other.
class Record {
public:
  Record &u16(uint64_t value) { return put(value, 2); }
  Record &u32(uint64_t value) { return put(value, 4); }
  Record &u64(uint64_t value) { return put(value, 8); }
  Record &text(std::string_view value) {
    bytes += value;
    return *this;
  }
  Record &zeros(uint64_t count) {
    bytes.append(count, '\0');
    return *this;
  }
  std::string bytes;

private:
  Record &put(uint64_t value, int count) {
    for (int i = 0; i < count; ++i)
      bytes += static_cast<char>(value >> (8 * i));
    return *this;
  }
};

} // namespace

Error ZipWriter::beginMember(std::string_view name) {
  bool plain = !name.empty() && name.size() <= 255 && name.front() != '/' && name.back() != '/';
  for (char c : name)
    plain &= c >= 0x20 && c <= 0x7e && c != '\\' && c != ':';
  if (!plain)
    return Error("'" + std::string(name) +
                 "' cannot be a member of a package: names are relative paths of printable ASCII");
  for (const Member &member : members)
    if (member.name == name)
      return Error("the package would have two members '" + std::string(name) + "'");

  Member member;
  member.name = name;
  member.headerOffset = file.offset();
  uint64_t unpadded = member.headerOffset + zip::LocalBytes + name.size() + Zip64LocalBytes + AlignmentHeaderBytes;
  uint64_t padding = format::alignUp(unpadded, format::MemberAlignment) - unpadded;
  Record header; // 4.3.7; endMember() fills the CRC and the sizes
  header.u32(zip::LocalSignature).u16(Version45).u16(0).u16(zip::Stored).u16(NoTime).u16(FirstDay).u32(0);
  header.u32(zip::Saturated32).u32(zip::Saturated32).u16(name.size());
  header.u16(Zip64LocalBytes + AlignmentHeaderBytes + padding).text(name);
  header.u16(zip::Zip64Extra).u16(16).u64(0).u64(0);
  header.u16(zip::AlignmentExtra).u16(2 + padding).u16(format::MemberAlignment).zeros(padding);
  members.push_back(std::move(member));
  return file.append(header.bytes);
}

Error ZipWriter::append(std::string_view bytes) {
  Member &member = members.back();
  member.crc = format::crc32(member.crc, bytes.data(), bytes.size());
  member.bytes += bytes.size();
  return file.append(bytes);
}

Error ZipWriter::endMember() {
  const Member &member = members.back();
  if (Error error = file.patch(member.headerOffset + 14, Record().u32(member.crc).bytes))
    return error;
  uint64_t sizes = member.headerOffset + zip::LocalBytes + member.name.size() + 4;
  return file.patch(sizes, Record().u64(member.bytes).u64(member.bytes).bytes);
}

Error ZipWriter::addMember(std::string_view name, std::string_view bytes) {
  if (Error error = beginMember(name))
    return error;
  if (Error error = append(bytes))
    return error;
  return endMember();
}

Error ZipWriter::finish() {
  Record directory;
  for (const Member &member : members) { // 4.3.12
    directory.u32(zip::CentralSignature).u16(MadeByUnix | Version45).u16(Version45).u16(0).u16(zip::Stored);
    directory.u16(NoTime).u16(FirstDay).u32(member.crc).u32(zip::Saturated32).u32(zip::Saturated32);
    directory.u16(member.name.size()).u16(4 + 24).u16(0).u16(0).u16(0).u32(RegularFile644).u32(zip::Saturated32);
    directory.text(member.name);
    directory.u16(zip::Zip64Extra).u16(24).u64(member.bytes).u64(member.bytes).u64(member.headerOffset);
  }
  uint64_t offset = file.offset(), bytes = directory.bytes.size(), count = members.size();
  // 4.3.14, 4.3.15, 4.3.16
  directory.u32(zip::End64Signature).u64(zip::End64Bytes - 12).u16(MadeByUnix | Version45).u16(Version45).u32(0).u32(0);
  directory.u64(count).u64(count).u64(bytes).u64(offset);
  directory.u32(zip::Locator64Signature).u32(0).u64(offset + bytes).u32(1);
  uint64_t count16 = std::min<uint64_t>(count, zip::Saturated16);
  directory.u32(zip::EndSignature).u16(0).u16(0).u16(count16).u16(count16);
  directory.u32(zip::Saturated32).u32(zip::Saturated32).u16(0);
  return file.append(directory.bytes);
}

} // namespace mjolnir::package
