// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A small package that has everything a package can have, for tests to run, and to break.
#ifndef MJOLNIR_TEST_TESTPACKAGE_H
#define MJOLNIR_TEST_TESTPACKAGE_H

#include "mjolnir/Package/PackageWriter.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mjolnir::test {

// Entries of the package, in order.
//   affine: a, b f32[4,64] -> y = (a + b) * w, sum = a + b, both f32[4,64]; w[i] = i + 1
//   count:  x f32[1] -> total f32[8]; adds x to each of 8 counters in the session's KV pool
//   stack:  -> done f32[16]; 16 tiles that each use 6 MiB of stack; done[i] = i
//   step:   ragged, T = 8, B = 2, P = 4, pages of 4 tokens, vocabulary 16: next_tokens[b] is the sum of all tokens of
//   sequence b,
//           logits[b][v] that sum plus v
enum TestEntry : size_t { Affine, Count, Stack, Step };

/// The program; weights' offsets and the like are the writer's to fill in. Features of this machine are not asked for.
fb::ProgramT makeProgram();

/// makeProgram() with one more weight, `big`, of many pages and an odd number of bytes, and one more entry:
///   peek: -> bytes u8[BigWeightBytes], that weight
fb::ProgramT makeBigProgram();
enum : size_t { BigWeight = 3, BigWeightBytes = (size_t(21) << 20) + 5, Peek = 4 };

/// makeProgram() for device cuda (`sm_90a`), with one more entry, a call of a library:
///   multiply: x[m, k], weight[n, k] or [k, n], and what else there is of scale f32[1], bias[n], residual[m, n], in
///   this order -> result[m, n]
struct CallOptions {
  uint64_t m = 4, n = 16, k = 32;
  fb::DType dtype = fb::DType::bf16, resultDtype = fb::DType::bf16;
  bool isTransposed = true, hasScale = false, hasBias = true, hasResidual = true;
  fb::Activation activation = fb::Activation::none;
  float alpha = 1;
};
fb::ProgramT makeCallProgram(const CallOptions &options = {});
enum : size_t { Multiply = 4 };

/// makeProgram() with a state of a session, `x` f32[4,64], and one more entry:
///   tick: a f32[4,64] -> y f32[4,64]; adds a to x, where it lies, and returns what x is then
fb::ProgramT makeStateProgram();
enum : size_t { Tick = 4 };

/// makeProgram() for device cuda (`sm_90a`), with one more kernel, that takes tensor maps, and one more entry:
///   show: x bf16[20,64] -> rows u64[4,16]; row 0 begins with the addresses of rows, of x from row 2 on and of w, the
///   others are the tensor maps that the kernel was given, all of them FakeTensorMap:
///     x from row 2 on as bf16[18,64] in boxes of 8 x 64, w as f32[2,32] in boxes of 256 x 16, x from row 2 on as
///     bytes[9,128] in boxes of 1 x 128
fb::ProgramT makeMapProgram();
enum : size_t { Show = 4 };

/// The bytes of weight `index` of makeProgram() or makeBigProgram().
std::string weightBytes(size_t index);

/// Writes the package with the real writer; `image` is what the kernels are in, `second` the program's second image, if
/// it has two, `debug` its debug.json, if not empty.
package::Error writeTestPackage(const std::string &path, const std::string &image, fb::ProgramT program = makeProgram(),
                                const std::string &second = "", const std::string &debug = "");

// ---- packages that the real writer would refuse ----

using Members = std::vector<std::pair<std::string, std::string>>;

/// The members of the package for `program`, in the order that the writer has. `changeWeights` is called before the
/// program is serialized, when offsets and sizes of weights are filled in.
Members makeMembers(fb::ProgramT program, const std::string &image,
                    const std::function<void(fb::ProgramT &)> &change = nullptr);

/// The bytes of a ZIP file of `members`, with nothing verified.
std::string zipMembers(const Members &members);

// ---- files ----

std::string readFile(const std::string &path);
void writeFile(const std::string &path, const std::string &bytes);
/// A path in the test's own folder, which is removed when the process ends.
std::string temporaryPath(const std::string &name);
/// The shared object with the kernels of kernels.c.
std::string testImage();

} // namespace mjolnir::test

#endif // MJOLNIR_TEST_TESTPACKAGE_H
