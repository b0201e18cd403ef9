// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A package as verified bytes: its members and its program. Nothing is run and no device is needed, so that tools can
// look into packages for other machines.
#ifndef MJOLNIR_RUNTIME_PACKAGEVIEW_H
#define MJOLNIR_RUNTIME_PACKAGEVIEW_H

#include "MappedFile.h"
#include "ZipReader.h"

#include "mjolnir/schema/program_generated.h"

#include <string_view>
#include <vector>

namespace mjolnir::runtime {

class PackageView {
public:
  /// Reads `file` (page-aligned memory that outlives the view) and verifies all but the bytes of the weights, which are
  /// not touched. After success, every index, offset and size in program() is sound.
  Status parse(ByteSpan file);

  const std::vector<ZipMember> &members() const { return members_; }
  /// Null if there is none of that name.
  const ZipMember *find(std::string_view name) const;
  ByteSpan bytes(const ZipMember &member) const { return file_.slice(member.offset, member.size); }
  ByteSpan file() const { return file_; }

  const fb::Program &program() const { return *program_; }
  /// Where tensor data starts; null when the program has no weights.
  const uint8_t *weights() const { return weights_; }

private:
  Status parseProgram(ByteSpan bytes);

  ByteSpan file_;
  std::vector<ZipMember> members_;
  const fb::Program *program_ = nullptr;
  const uint8_t *weights_ = nullptr;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_PACKAGEVIEW_H
