// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reads one safetensors file: maps it, checks every statement of its header against the file, and gives its tensors.
#ifndef MJOLNIR_IMPORT_SAFETENSORS_H
#define MJOLNIR_IMPORT_SAFETENSORS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mjolnir {

/// Element types of the safetensors format.
enum class DType {
  Bool,
  U8,
  I8,
  F8E5M2,
  F8E4M3,
  F8E8M0,
  F6E2M3,
  F6E3M2,
  F4,
  I16,
  U16,
  F16,
  BF16,
  I32,
  U32,
  F32,
  I64,
  U64,
  F64,
  C64,
};

/// The format's name of `dtype`, such as "BF16".
llvm::StringRef getName(DType dtype);

/// Bits of one element.
unsigned getBits(DType dtype);

/// The dtype that the format calls `name`, if there is one.
std::optional<DType> parseDType(llvm::StringRef name);

/// A tensor of a file, row-major and little-endian. `bytes` points into the mapped file; it is aligned to nothing.
struct TensorInfo {
  std::string name;
  DType dtype;
  llvm::SmallVector<int64_t, 4> shape;
  llvm::ArrayRef<char> bytes;
  /// Path of the file that holds it.
  llvm::StringRef file;
};

/// Checks `contents` as the safetensors file `path` and returns its tensors in the order of their bytes, which cover
/// the file's data exactly: no gaps, no overlaps. Errors name the file, the tensor and what to do. `contents` and
/// `path` must outlive the result.
llvm::Expected<std::vector<TensorInfo>> parseSafetensors(llvm::ArrayRef<char> contents, llvm::StringRef path);

/// A mapped file and its tensors.
class SafetensorsFile {
public:
  static llvm::Expected<std::unique_ptr<SafetensorsFile>> open(llvm::StringRef path);

  llvm::StringRef getPath() const { return path; }
  llvm::ArrayRef<TensorInfo> getTensors() const { return tensors; }

  /// Lets the system drop the pages that hold `tensor`; reading it again brings them back from the file.
  void release(const TensorInfo &tensor) const;

private:
  SafetensorsFile() = default;

  std::string path;
  llvm::sys::fs::mapped_file_region mapping;
  std::vector<TensorInfo> tensors;
};

} // namespace mjolnir

#endif // MJOLNIR_IMPORT_SAFETENSORS_H
