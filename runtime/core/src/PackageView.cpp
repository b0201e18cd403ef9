// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The order of verification: directory, CRC of the program, its format version, FlatBuffers' verifier, the semantic
// verifier, then the CRC of every other member but the weights.
#include "PackageView.h"
#include "VerifyProgram.h"

#include "mjolnir/format/Format.h"
#include "mjolnir/schema/program_version_generated.h"

namespace mjolnir::runtime {

const ZipMember *PackageView::find(std::string_view name) const {
  for (const ZipMember &member : members_)
    if (member.name == name)
      return &member;
  return nullptr;
}

Status PackageView::parseProgram(ByteSpan bytes) {
  // Launches are tables: programs of many buckets have more than FlatBuffers' default of a million. The file's size
  // bounds the work in any case.
  constexpr unsigned MaxDepth = 16, MaxTables = 1u << 26;
  if (bytes.size >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return malformed("'program.fb' has ", bytes.size, " bytes, more than FlatBuffers can address");
  if (bytes.size < 8 || !fb::ProgramBufferHasIdentifier(bytes.data))
    return malformed("'program.fb' is not a Mjolnir program: it lacks the identifier '", fb::ProgramIdentifier(), "'");

  flatbuffers::Verifier versionVerifier(bytes.data, bytes.size, MaxDepth, MaxTables);
  if (!fb::VerifyProgramVersionBuffer(versionVerifier))
    return malformed("'program.fb' is damaged: its format version cannot be read");
  const fb::ProgramVersion *version = fb::GetProgramVersion(bytes.data);
  uint32_t major = version->version_major(), minor = version->version_minor();
  if (major != format::VersionMajor || minor > format::VersionMinor)
    return failure(MJ_ERROR_VERSION, "the package has format ", major, ".", minor, "; this runtime reads ",
                   format::VersionMajor, ".0 to ", format::VersionMajor, ".", format::VersionMinor,
                   major > format::VersionMajor || major == format::VersionMajor ? ": it needs a newer runtime"
                                                                                 : ": compile it again");

  flatbuffers::Verifier verifier(bytes.data, bytes.size, MaxDepth, MaxTables);
  if (!fb::VerifyProgramBuffer(verifier))
    return malformed("'program.fb' is damaged: FlatBuffers' verifier refuses it");
  program_ = fb::GetProgram(bytes.data);
  return Status::ok();
}

Status PackageView::parse(ByteSpan file) {
  file_ = file;
  if (Status status = readZipDirectory(file, members_))
    return status;
  const ZipMember *programMember = find(format::ProgramMember);
  if (!programMember)
    return malformed("the file has no member 'program.fb': it is a ZIP file, but not a Mjolnir package");
  if (Status status = checkZipMember(file, *programMember))
    return status;
  if (Status status = parseProgram(bytes(*programMember)))
    return status;
  if (Status status = verifyProgram(*program_, *this))
    return status;

  std::string_view weightsName = program_->weights_member() ? program_->weights_member()->string_view() : "";
  for (const ZipMember &member : members_) {
    if (member.name == weightsName) {
      weights_ = file.data + member.offset + program_->weights_data_offset();
      continue;
    }
    if (&member != programMember)
      if (Status status = checkZipMember(file, member))
        return status;
  }
  return Status::ok();
}

} // namespace mjolnir::runtime
