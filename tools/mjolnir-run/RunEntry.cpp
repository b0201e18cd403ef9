// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-run --entry: runs one entry on arrays from .npy files.

#include "Commands.h"
#include "Npy.h"
#include "Trace.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>

namespace mjolnir::run {

namespace {

std::string describe(const mj_binding_info &binding) {
  return typeName(binding.dtype) + shapeText({binding.shape, binding.shape + binding.ndim});
}

/// From arguments of the form NAME=@FILE, each name once and among `bindings`. Throws NpyError otherwise.
std::map<std::string, std::string> filesByName(const std::vector<std::string> &arguments, const char *option,
                                               const std::vector<mj_binding_info> &bindings) {
  std::map<std::string, std::string> files;
  for (const std::string &argument : arguments) {
    size_t split = argument.find("=@");
    std::string name = argument.substr(0, split), known;
    bool found = false;
    for (const mj_binding_info &binding : bindings) {
      found |= name == binding.name;
      known += std::string(known.empty() ? "" : ", ") + binding.name + " " + describe(binding);
    }
    if (!found)
      throw NpyError(std::string("the entry has no ") + (option + 2) + " '" + name + "'; it has " +
                     (known.empty() ? "none" : known));
    if (!files.emplace(name, argument.substr(split + 2)).second)
      throw NpyError(std::string(option) + " gives '" + name + "' twice");
  }
  return files;
}

/// Memory for one tensor, aligned for any element.
struct Buffer {
  explicit Buffer(size_t bytes) : words(bytes / sizeof(uint64_t) + 1) {}
  void *data() { return words.data(); }
  std::vector<uint64_t> words;
};

} // namespace

int runEntry(const Package &package, const Options &options) {
  auto entry = package.findEntry(options.entry);
  if (!entry)
    return fail(entry.error().message);
  auto info = package.entry(*entry);
  if (!info)
    return fail(info.error().message);
  std::vector<mj_binding_info> inputs, outputs;
  for (size_t i = 0; i < info->inputs; ++i)
    inputs.push_back(*package.input(*entry, i));
  for (size_t i = 0; i < info->outputs; ++i)
    outputs.push_back(*package.output(*entry, i));
  auto inputFiles = filesByName(options.inputs, "--input", inputs);
  auto outputFiles = filesByName(options.outputs, "--output", outputs);

  std::vector<Buffer> buffers;
  buffers.reserve(inputs.size() + outputs.size());
  std::vector<Tensor> tensors;
  tensors.reserve(inputs.size() + outputs.size());
  std::vector<const DLTensor *> in, out;
  for (const mj_binding_info &binding : inputs) {
    auto file = inputFiles.find(binding.name);
    if (file == inputFiles.end())
      return fail(std::string("the input '") + binding.name + "' " + describe(binding) + " is missing; give --input " +
                  binding.name + "=@FILE.npy");
    NpyArray array = readNpy(file->second);
    std::vector<int64_t> shape(binding.shape, binding.shape + binding.ndim);
    if (!npyHolds(array.descr, binding.dtype) || array.shape != shape)
      return fail("'" + file->second + "' holds " + array.descr + shapeText(array.shape) + ", but the input '" +
                  binding.name + "' is " + describe(binding) + " (" + npyDescr(binding.dtype) + ")");
    buffers.emplace_back(binding.bytes);
    std::copy(array.data.begin(), array.data.end(), static_cast<char *>(buffers.back().data()));
    tensors.emplace_back(buffers.back().data(), binding);
    in.push_back(tensors.back().dl());
  }
  for (const mj_binding_info &binding : outputs) {
    if (outputFiles.count(binding.name) == 0) {
      out.push_back(nullptr);
      continue;
    }
    buffers.emplace_back(binding.bytes);
    tensors.emplace_back(buffers.back().data(), binding);
    out.push_back(tensors.back().dl());
  }

  auto session = Session::create(package, options.threads, options.kvPages, options.kvWindowPages);
  if (!session)
    return fail(session.error().message);
  Trace trace;
  const std::string entryName = info->name;
  session->setProfiling(!options.traceFile.empty());
  std::vector<double> milliseconds;
  for (uint32_t i = 0; i < options.repeat; ++i) {
    auto start = std::chrono::steady_clock::now();
    if (auto error = session->run(*entry, in.data(), in.size(), out.data(), out.size()))
      return fail(error->message);
    if (!options.traceFile.empty()) {
      auto [steps, count] = session->profile();
      auto began = std::chrono::duration_cast<std::chrono::nanoseconds>(start.time_since_epoch());
      trace.add({entryName.c_str(), static_cast<uint64_t>(began.count()), steps, count});
    }
    milliseconds.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!out[i])
      continue;
    const char *data = static_cast<const char *>(out[i]->data);
    NpyArray array;
    array.descr = npyDescr(outputs[i].dtype);
    array.shape.assign(outputs[i].shape, outputs[i].shape + outputs[i].ndim);
    array.data.assign(data, data + outputs[i].bytes);
    writeNpy(outputFiles[outputs[i].name], array);
  }
  if (!options.traceFile.empty())
    trace.write(options.traceFile);
  if (options.stats) {
    std::sort(milliseconds.begin(), milliseconds.end());
    std::fprintf(stderr, "%zu runs: median %.3f ms, fastest %.3f ms\n", milliseconds.size(),
                 milliseconds[milliseconds.size() / 2], milliseconds.front());
  }
  return ExitOk;
}

} // namespace mjolnir::run
