// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// NumPy's .npy files, versions 1 to 3: read and written for the element types that packages have. Types that NumPy
// lacks are stored as raw bytes: bf16 as V2 (read also from u2), float8_e4m3fn as V1 (read also from u1).
#ifndef MJOLNIR_RUN_NPY_H
#define MJOLNIR_RUN_NPY_H

#include <dlpack/dlpack.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mjolnir::run {

class NpyError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A dense row-major array, little endian.
struct NpyArray {
  std::string descr; // NumPy's name of the element type: "<f4"
  std::vector<int64_t> shape;
  std::vector<char> data;
};

/// Parses the contents of a .npy file. Throws NpyError that says what is wrong with it.
NpyArray parseNpy(std::string_view bytes);
/// The contents of a .npy file (version 1.0).
std::string formatNpy(const NpyArray &array);

/// The contents of any file, or of standard input for "-". Throws NpyError that names it.
std::string readWholeFile(const std::string &path);

/// parseNpy and formatNpy for files; the error names the file.
NpyArray readNpy(const std::string &path);
void writeNpy(const std::string &path, const NpyArray &array);

/// NumPy's name for an element type; empty if it has none here.
std::string npyDescr(DLDataType type);
/// Whether an array with `descr` holds elements of `type`.
bool npyHolds(const std::string &descr, DLDataType type);
/// "f32", "bf16", "i64".
std::string typeName(DLDataType type);
/// "[2, 3]".
std::string shapeText(const std::vector<int64_t> &shape);

} // namespace mjolnir::run

#endif // MJOLNIR_RUN_NPY_H
