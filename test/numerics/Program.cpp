// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Program.h.
#include "Program.h"
#include "Tool.h"

#include "mjolnir/runtime.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>

namespace mjolnir::numerics {
namespace {

uint16_t toBf16(double value) {
  float narrow = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &narrow, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double fromBf16(uint16_t value) {
  uint32_t bits = uint32_t(value) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

/// `text` with every f32 tensor a bf16 one.
std::string narrowed(std::string text) {
  for (size_t at = 0; (at = text.find("f32>", at)) != std::string::npos; at += 5)
    text.replace(at, 3, "bf16");
  return text;
}

std::string write(const std::vector<Entry> &entries) {
  std::string text = "module attributes {mj.phase = \"input\"} {\n";
  for (const Entry &entry : entries) {
    text += "func.func @" + entry.name + "(";
    for (size_t i = 0; i < entry.inputs.size(); ++i)
      text += (i ? ", %a" : "%a") + std::to_string(i) + ": " + entry.inputs[i].type();
    std::string types, values;
    for (size_t i = 0; i < entry.results.size(); ++i) {
      types += (i ? ", " : "") + entry.expected[i].type();
      values += (i ? ", " : "") + entry.results[i];
    }
    text += ") -> (" + types + ") attributes {mj.entry} {\n" + entry.body + "\n  return " + values + " : " + types +
            "\n}\n";
  }
  return text + "}\n";
}

/// The memory of a tensor as the package wants it.
struct Memory {
  bool isBf16;
  std::vector<float> wide;
  std::vector<uint16_t> narrow;

  Memory(const Array &array, bool isBf16) : isBf16(isBf16) {
    for (double value : array.data)
      isBf16 ? narrow.push_back(toBf16(value)) : wide.push_back(static_cast<float>(value));
  }
  Tensor tensor(const std::vector<int64_t> &shape) {
    return isBf16 ? Tensor(narrow.data(), {kDLBfloat, 16, 1}, shape) : Tensor(wide.data(), {kDLFloat, 32, 1}, shape);
  }
  double operator[](size_t index) const { return isBf16 ? fromBf16(narrow[index]) : wide[index]; }
};

void compare(const Array &expected, const Memory &actual, double tolerance, const std::string &where) {
  double largest = 0;
  for (double value : expected.data)
    if (std::isfinite(value))
      largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < expected.data.size(); ++i) {
    double wanted = expected.data[i], got = actual[i];
    bool isEqual = wanted == got || (std::isnan(wanted) && std::isnan(got));
    if (isEqual || std::abs(wanted - got) <= tolerance * largest)
      continue;
    ADD_FAILURE() << where << ", element " << i << ": " << got << ", not " << wanted << " (tolerance "
                  << tolerance * largest << ")";
    return;
  }
}

void run(const std::string &path, const std::vector<Entry> &entries, bool isBf16, bool isStoredBf16,
         const std::string &way) {
  auto package = Package::open(path);
  ASSERT_TRUE(package) << package.error().message;
  auto session = Session::create(*package, 2);
  ASSERT_TRUE(session) << session.error().message;
  for (const Entry &entry : entries) {
    auto index = package->findEntry(entry.name);
    ASSERT_TRUE(index) << index.error().message;
    std::vector<Memory> memory;
    std::vector<Tensor> inputs, outputs;
    for (const Array &array : entry.inputs)
      memory.emplace_back(array, isBf16);
    for (const Array &array : entry.expected)
      memory.emplace_back(Array(array.shape, 77), isBf16);
    for (size_t i = 0; i < memory.size(); ++i)
      if (i < entry.inputs.size())
        inputs.push_back(memory[i].tensor(entry.inputs[i].shape));
      else
        outputs.push_back(memory[i].tensor(entry.expected[i - entry.inputs.size()].shape));
    if (auto error = session->run(*index, inputs, outputs)) {
      ADD_FAILURE() << way << ", " << entry.name << ": " << error->message;
      continue;
    }
    // 2^-9 is the rounding error of bf16, doubled for values that a rounding moved.
    double tolerance = entry.ulps * 0x1p-24;
    if (isStoredBf16 && entry.ulps > 0)
      tolerance += entry.roundings * 0x1p-8;
    for (size_t i = 0; i < entry.expected.size(); ++i)
      compare(entry.expected[i], memory[entry.inputs.size() + i], tolerance,
              way + ", " + entry.name + ", result " + std::to_string(i));
  }
}

} // namespace

Array::Array(std::vector<int64_t> shape, double value)
    : shape(std::move(shape)),
      data(std::accumulate(this->shape.begin(), this->shape.end(), int64_t(1), std::multiplies<>()), value) {}

Array::Array(std::vector<int64_t> shape, const std::function<double(const std::vector<int64_t> &)> &f)
    : Array(std::move(shape)) {
  std::vector<int64_t> index(this->shape.size(), 0);
  for (double &value : data) {
    value = f(index);
    for (size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < this->shape[axis])
        break;
      index[axis] = 0;
    }
  }
}

size_t Array::offset(const std::vector<int64_t> &index) const {
  size_t result = 0;
  for (size_t axis = 0; axis < shape.size(); ++axis)
    result = result * shape[axis] + index[axis];
  return result;
}

std::string Array::type(const std::string &element) const {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + element + ">";
}

Array randomArray(std::vector<int64_t> shape, uint32_t seed) {
  Array result(std::move(shape));
  uint32_t state = seed * 2654435761u + 12345;
  for (double &value : result.data) {
    state = state * 1664525u + 1013904223u;
    value = (static_cast<int32_t>(state >> 24) - 128) / 32.0;
  }
  return result;
}

void expectNumbers(const std::string &name, const std::vector<Entry> &entries) {
  std::string folder = temporaryFolder() + "/";
  auto compileTo = [&](const std::string &source, const std::string &target, std::vector<std::string> arguments) {
    std::vector<std::string> all{source, "-o", target, "--quiet"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    Ran ran = runProgram(MJOLNIR_COMPILE, all);
    EXPECT_EQ(ran.code, 0) << "mjolnir-compile " << source << ": " << ran.err;
    return ran.code == 0;
  };
  for (bool isBf16 : {false, true}) {
    std::string element = isBf16 ? "bf16" : "f32", base = folder + name + "-" + element;
    std::string text = write(entries);
    std::ofstream(base + ".mlir") << (isBf16 ? narrowed(text) : text);
    if (compileTo(base + ".mlir", base + "-oracle.mjp", {"--oracle"}))
      run(base + "-oracle.mjp", entries, isBf16, isBf16, element + " oracle");
    if (compileTo(base + ".mlir", base + "-normal.mjp", {}))
      run(base + "-normal.mjp", entries, isBf16, true, element + " normal");
    // The oracle's precision with the normal kernels.
    if (!isBf16 && compileTo(base + ".mlir", base + "-wide.mlir", {"--oracle", "--compile-to=numerics"}) &&
        compileTo(base + "-wide.mlir", base + "-wide.mjp", {}))
      run(base + "-wide.mjp", entries, false, false, "f32 kernels");
  }
}

} // namespace mjolnir::numerics
