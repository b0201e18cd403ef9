// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The semantic verifier: what FlatBuffers' own cannot know. Every index, offset, size, alignment and name of a program
// is checked here, once; execution relies on it and checks nothing again.
#ifndef MJOLNIR_RUNTIME_VERIFYPROGRAM_H
#define MJOLNIR_RUNTIME_VERIFYPROGRAM_H

#include "Status.h"

#include "mjolnir/schema/program_generated.h"

#include <cstdint>
#include <string_view>

namespace mjolnir::runtime {

/// Kernel.portable_image of a kernel that has none.
inline constexpr uint32_t NoImage = UINT32_MAX;

/// The library that a program may call.
inline constexpr char CublasLtName[] = "cublaslt";

/// Whether a target of kind `cuda` names architectures of both kinds: then each kernel has two images.
bool hasMachineCodeAndPtx(const fb::Target &target);

class PackageView;

/// Verifies `program`, which FlatBuffers' verifier has accepted, against the members of `package`.
Status verifyProgram(const fb::Program &program, const PackageView &package);

/// Verifies one entry; the program's images, kernels, weights and pools are sound already. In VerifyEntry.cpp.
Status verifyEntry(const fb::Program &program, const fb::Entry &entry);

/// `name` is what messages may quote and C callers may compare: UTF-8, not empty, at most 1024 bytes, no control
/// characters. `what` names the thing in the message: "kernel 3".
Status verifyName(std::string_view what, const flatbuffers::String *name);

/// The bytes of a dense tensor, when each dimension is at least 1 and the size fits 63 bits.
Status verifyShape(std::string_view what, fb::DType type, const flatbuffers::Vector<uint64_t> &shape, uint64_t &bytes);

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_VERIFYPROGRAM_H
