// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Small programs of one operation or a few, compiled in every way and compared with numbers that a definition gives.
#ifndef MJOLNIR_TEST_NUMERICS_PROGRAM_H
#define MJOLNIR_TEST_NUMERICS_PROGRAM_H

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mjolnir::numerics {

/// A dense row-major tensor.
struct Array {
  std::vector<int64_t> shape;
  std::vector<double> data;

  explicit Array(std::vector<int64_t> shape, double value = 0);
  /// `f` of each index, in order.
  Array(std::vector<int64_t> shape, const std::function<double(const std::vector<int64_t> &)> &f);

  double &operator()(const std::vector<int64_t> &index) { return data[offset(index)]; }
  double operator()(const std::vector<int64_t> &index) const { return data[offset(index)]; }
  size_t offset(const std::vector<int64_t> &index) const;

  /// "tensor<2x3xf32>".
  std::string type(const std::string &element = "f32") const;
};

/// Numbers from -4 to 4, the same on every machine, that bf16 can hold: rounding inputs changes nothing.
Array randomArray(std::vector<int64_t> shape, uint32_t seed);

/// One entry: `body` computes values from arguments %a0, %a1, ... of the types of `inputs`; the values named `results`
/// must be `expected`.
struct Entry {
  std::string name;
  std::vector<Array> inputs;
  std::string body;
  std::vector<std::string> results;
  std::vector<Array> expected;
  /// Values that are rounded to bf16 on the way to a result, it included.
  int roundings = 1;
  /// Error of an f32 result relative to the largest, in units of the f32 rounding error; 0: equal numbers, in bf16 too.
  double ulps = 32;
};

/// Compiles the entries, with f32 and with bf16 values, as the oracle, as f32 kernels and normally, runs each and
/// compares. What is wrong fails the running test and names entry, way and element.
void expectNumbers(const std::string &name, const std::vector<Entry> &entries);

} // namespace mjolnir::numerics

#endif // MJOLNIR_TEST_NUMERICS_PROGRAM_H
