// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The package writer. Order of members: program, images, the caller's, and the weights last: what a reader looks at
// first is together at the front, and the directory at the end.
#include "mjolnir/Package/PackageWriter.h"
#include "mjolnir/Package/OutputFile.h"
#include "mjolnir/Package/SafetensorsWriter.h"
#include "mjolnir/Package/ZipWriter.h"

#include "MappedFile.h"
#include "PackageView.h"

#include "mjolnir/format/Format.h"

#include <algorithm>

namespace mjolnir::package {
namespace {

/// FlatBuffers' builder aborts on these; everything else the verifier says better.
Error checkNoNulls(const fb::ProgramT &program) {
  auto missing = [](const char *what) { return Error("the program to be written lacks " + std::string(what)); };
  if (!program.target)
    return missing("its target");
  auto complete = [](const auto &list) {
    return std::all_of(list.begin(), list.end(), [](const auto &item) { return item != nullptr; });
  };
  if (!complete(program.images) || !complete(program.kernels) || !complete(program.weights) ||
      !complete(program.kv_pools) || !complete(program.entries) || !complete(program.libraries))
    return missing("an image, kernel, weight, KV pool, library or entry that is in its list");
  for (const auto &entry : program.entries) {
    if (!complete(entry->inputs) || !complete(entry->outputs) || !complete(entry->steps))
      return missing("an input, output or step that is in its list");
    for (const auto &step : entry->steps) {
      if (!step->kind.value)
        return missing("what a step does");
      if (const fb::CopyT *copy = step->kind.AsCopy(); copy && (!copy->source || !copy->destination))
        return missing("the source or the destination of a copy");
      if (const fb::MatmulCallT *call = step->kind.AsMatmulCall(); call && (!call->x || !call->weight || !call->result))
        return missing("the x, the weight or the result of a library's call");
    }
  }
  return Error::success();
}

Error fillIn(fb::ProgramT &program, SafetensorsLayout &layout) {
  program.version_major = format::VersionMajor;
  program.version_minor = format::VersionMinor;
  program.weights_member.clear();
  program.weights_bytes = 0;
  program.weights_data_offset = 0;
  if (program.weights.empty())
    return Error::success();
  if (Error error = layOutSafetensors(program.weights, layout))
    return error;
  for (size_t i = 0; i < program.weights.size(); ++i)
    program.weights[i]->offset = layout.offsets[i];
  program.weights_member = format::WeightsMember;
  program.weights_bytes = layout.dataBytes;
  program.weights_data_offset = layout.header.size();
  return Error::success();
}

Error writeWeights(const PackageContents &contents, const SafetensorsLayout &layout, ZipWriter &zip) {
  if (!contents.weight)
    return Error("the program has weights, but nothing that produces their bytes was given");
  if (Error error = zip.beginMember(format::WeightsMember))
    return error;
  if (Error error = zip.append(layout.header))
    return error;
  uint64_t written = 0;
  for (size_t i = 0; i < contents.program.weights.size(); ++i) {
    const fb::WeightT &weight = *contents.program.weights[i];
    // Less than one alignment of padding before each tensor.
    static constexpr char Zeros[format::DataAlignment] = {};
    if (Error error = zip.append({Zeros, static_cast<size_t>(layout.offsets[i] - written)}))
      return error;
    uint64_t got = 0;
    AppendBytes append = [&](std::string_view bytes) {
      got += bytes.size();
      if (got > weight.bytes)
        return Error("weight '" + weight.name + "' should have " + std::to_string(weight.bytes) +
                     " bytes; more were produced");
      return zip.append(bytes);
    };
    if (Error error = contents.weight(i, append))
      return error;
    if (got != weight.bytes)
      return Error("weight '" + weight.name + "' should have " + std::to_string(weight.bytes) + " bytes; " +
                   std::to_string(got) + " were produced");
    written = layout.offsets[i] + got;
  }
  return zip.endMember();
}

Error verifyWritten(const OutputFile &file, const std::string &path) {
  runtime::MappedFile mapped;
  runtime::PackageView view;
  runtime::Status status = mapped.open(file.readablePath().c_str());
  if (!status)
    status = view.parse(mapped.bytes());
  if (status)
    return Error("'" + path + "' was not written, since the loader would refuse it: " + status.message());
  return Error::success();
}

} // namespace

Error writePackage(const std::string &path, PackageContents &contents) {
  fb::ProgramT &program = contents.program;
  if (Error error = checkNoNulls(program))
    return error;
  if (contents.images.size() != program.images.size())
    return Error("the program has " + std::to_string(program.images.size()) + " images; the bytes of " +
                 std::to_string(contents.images.size()) + " were given");
  SafetensorsLayout layout;
  if (Error error = fillIn(program, layout))
    return error;
  flatbuffers::FlatBufferBuilder builder;
  fb::FinishProgramBuffer(builder, fb::Program::Pack(builder, &program));

  OutputFile file;
  if (Error error = file.open(path))
    return error;
  ZipWriter zip(file);
  std::string_view programBytes(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
  if (Error error = zip.addMember(format::ProgramMember, programBytes))
    return error;
  for (size_t i = 0; i < program.images.size(); ++i)
    if (Error error = zip.addMember(program.images[i]->member, contents.images[i]))
      return error;
  for (const PackageMember &member : contents.members)
    if (Error error = zip.addMember(member.name, member.bytes))
      return error;
  if (!program.weights.empty())
    if (Error error = writeWeights(contents, layout, zip))
      return error;
  if (Error error = zip.finish())
    return error;
  if (Error error = file.flush())
    return error;
  if (Error error = verifyWritten(file, path))
    return error;
  return file.keep();
}

} // namespace mjolnir::package
