// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Arrays from .npy and .npz files.
#ifndef MJOLNIR_VERIFY_ARRAYS_H
#define MJOLNIR_VERIFY_ARRAYS_H

#include "llvm/Support/Error.h"
#include <cstdint>
#include <dlpack/dlpack.h>
#include <map>
#include <string>
#include <vector>

namespace mjolnir::verify {

/// A dense row-major array as its file holds it.
struct FileArray {
  std::string descr; ///< NumPy's name of the element type
  std::vector<int64_t> shape;
  std::vector<char> bytes;
};

llvm::Expected<FileArray> readNpyFile(const std::string &path);

/// The arrays of an .npz file by name, that of the member less ".npy". Members have to be stored as numpy.savez stores
/// them; compressed ones are refused.
llvm::Expected<std::map<std::string, FileArray>> readNpzFile(const std::string &path);

/// Whether `array` holds elements of `type`.
bool holds(const FileArray &array, DLDataType type);

/// `count` elements of `type` as floats; integers, too.
std::vector<float> toFloats(const void *data, DLDataType type, size_t count);

/// "f32[2, 3]".
std::string describe(DLDataType type, const std::vector<int64_t> &shape);

} // namespace mjolnir::verify

#endif // MJOLNIR_VERIFY_ARRAYS_H
