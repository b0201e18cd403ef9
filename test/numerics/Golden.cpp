// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Golden.h.
#include "Golden.h"

#include "Npy.h"
#include "Tool.h"

#include <cstring>
#include <stdexcept>

namespace mjolnir::numerics {
namespace {

template <typename T> std::vector<T> elements(const run::NpyArray &array, const std::string &path, const char *descr) {
  if (array.descr != descr)
    throw std::runtime_error(path + " holds " + array.descr + ", not " + descr);
  std::vector<T> values(array.data.size() / sizeof(T));
  std::memcpy(values.data(), array.data.data(), array.data.size());
  return values;
}

} // namespace

std::string goldenFolder(const std::string &name) { return std::string(MJOLNIR_GOLDENS) + "/" + name; }

std::string goldenPackage(const std::string &name, Path path) {
  std::vector<std::string> arguments{"--batch=1,4", "--prefill=32,320"};
  if (path == Path::oracle)
    arguments.push_back("--oracle");
  else if (path == Path::fp8)
    arguments.insert(arguments.end(), {"--fp8=full", "--fp8-kv"});
  return compiledPackage(goldenFolder(name), arguments);
}

std::vector<std::vector<float>> readRows(const std::string &path) {
  run::NpyArray array = run::readNpy(path);
  if (array.shape.size() != 2)
    throw std::runtime_error(path + " has the shape " + run::shapeText(array.shape) + ", not rows of numbers");
  std::vector<float> values = elements<float>(array, path, "<f4");
  std::vector<std::vector<float>> rows;
  for (int64_t row = 0; row < array.shape[0]; ++row)
    rows.emplace_back(values.begin() + row * array.shape[1], values.begin() + (row + 1) * array.shape[1]);
  return rows;
}

std::vector<int32_t> readIntegers(const std::string &path) {
  return elements<int32_t>(run::readNpy(path), path, "<i4");
}

Golden::Golden(const std::string &name) {
  std::string folder = goldenFolder(name) + "/";
  Tokens tokens = readIntegers(folder + "tokens.npy"), lengths = readIntegers(folder + "lengths.npy");
  size_t width = tokens.size() / lengths.size();
  for (size_t row = 0; row < lengths.size(); ++row)
    prompts.emplace_back(tokens.begin() + row * width, tokens.begin() + row * width + lengths[row]);
  logits = readRows(folder + "logits_f32.npy");
  logitsBf16 = readRows(folder + "logits_bf16.npy");
  lastLogits = readRows(folder + "last_logits_f32.npy");
  Tokens all = readIntegers(folder + "greedy.npy");
  greedyPrompt.assign(all.begin(), all.begin() + 10);
  greedy.assign(all.begin() + 10, all.end());
  if (prompts.size() != 4 || prompts.back().size() != 200 || logits.size() != 200 || logitsBf16.size() != 200 ||
      lastLogits.size() != 4 || greedy.size() != 64)
    throw std::runtime_error("the references in " + folder + " are not as make_goldens.py makes them");
}

std::vector<float> flat(const std::vector<std::vector<float>> &rows) {
  std::vector<float> all;
  for (const std::vector<float> &row : rows)
    all.insert(all.end(), row.begin(), row.end());
  return all;
}

} // namespace mjolnir::numerics
