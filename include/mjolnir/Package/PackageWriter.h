// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes a package: one .mjp file. What is written is read back and verified by the runtime's own loader before it gets
// its name; a failure leaves no file, and an existing one as it was. Equal contents give equal bytes.
#ifndef MJOLNIR_PACKAGE_PACKAGEWRITER_H
#define MJOLNIR_PACKAGE_PACKAGEWRITER_H

#include "mjolnir/Package/Error.h"
#include "mjolnir/schema/program_generated.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mjolnir::package {

/// The member that holds, as JSON, which values of the model the steps of entries store: {"stored": [{"entry", "step",
/// "operand" of the launch, "value", "dtype", "shape", and of a quantized value "scale", by which it is multiplied},
/// ...]}. A package runs without it.
inline constexpr const char *kDebugMember = "debug.json";

/// The member that holds, as JSON, which entries mjolnir-bench --tune is to compare (docs/tuning.md).
inline constexpr const char *kTuningMember = "tuning.json";

/// Takes the next bytes of a tensor; may be called any number of times.
using AppendBytes = std::function<Error(std::string_view)>;

struct PackageMember {
  std::string name;
  std::string_view bytes; // the caller's
};

struct PackageContents {
  /// The program. The writer fills in the format version, each weight's offset, and weights_member, weights_bytes and
  /// weights_data_offset; the caller gives each weight's bytes.
  fb::ProgramT program;
  /// The image files, in the order of program.images, whose `member` names them.
  std::vector<std::string_view> images;
  /// Whatever else is to be inside: "tokenizer.json", "generation_config.json".
  std::vector<PackageMember> members;
  /// Produces the bytes of weight `index` of the program, exactly as many as its `bytes` says. Called once for each, in
  /// order, so that no more than one tensor needs to be in memory.
  std::function<Error(size_t index, const AppendBytes &append)> weight;
};

/// Writes `contents` to `path`. Fills fields of contents.program, as above.
Error writePackage(const std::string &path, PackageContents &contents);

} // namespace mjolnir::package

#endif // MJOLNIR_PACKAGE_PACKAGEWRITER_H
