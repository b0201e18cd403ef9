// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir_random_programs: prints the program of a seed, or checks the programs of many.
#include "test/random/Differential.h"
#include "test/random/PackageRun.h"

#include "mjolnir/Pipeline/Registration.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"

#include <chrono>

using namespace mjolnir;
using namespace mjolnir::differential;
namespace cl = llvm::cl;

static cl::opt<uint64_t> first("first", cl::desc("The first seed"), cl::init(0));
static cl::opt<uint64_t> count("count", cl::desc("How many programs"), cl::init(1));
static cl::opt<bool> shouldPrint("print", cl::desc("Print the programs and do nothing else"));
static cl::opt<bool> noCode("no-code", cl::desc("Check the passes only: compile no packages"));
static cl::opt<std::string> writeTo("write",
                                    cl::desc("Write program and weights into this folder and do nothing else"));

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Checks random programs against the reference.\n");
  // The linker resets the options of the command line while it works: they are not read after it.
  uint64_t begin = first, number = count;
  bool prints = shouldPrint, passesOnly = noCode;
  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerPassesAndTargets();
  mlir::MLIRContext context(registry);

  if (prints || !writeTo.empty()) {
    for (uint64_t seed = begin; seed < begin + number; ++seed) {
      Program program = generate(context, seed);
      if (prints)
        llvm::outs() << print(program);
      if (!writeTo.empty())
        if (llvm::Error error = writeFiles(program, writeTo)) {
          llvm::errs() << llvm::toString(std::move(error)) << "\n";
          return 1;
        }
    }
    return 0;
  }

  llvm::SmallString<128> folder;
  if (std::error_code error = llvm::sys::fs::createUniqueDirectory("mjolnir-random", folder)) {
    llvm::errs() << "cannot make a folder for files: " << error.message() << "\n";
    return 1;
  }
  Differential differential(context, folder.str().str());
  auto start = std::chrono::steady_clock::now();
  uint64_t failures = 0;
  double worstF32 = 0, worstBf16 = 0;
  llvm::SmallVector<Variant> variants;
  if (!passesOnly)
    variants = {Variant::oracle, Variant::f32, Variant::bf16};
  for (uint64_t seed = begin; seed < begin + number; ++seed) {
    Outcome outcome = differential.check(seed, variants);
    worstF32 = std::max(worstF32, outcome.worstF32);
    worstBf16 = std::max(worstBf16, outcome.worstBf16);
    if (!outcome.failure.empty()) {
      ++failures;
      llvm::outs() << outcome.failure << "\n";
    }
    uint64_t done = seed - begin + 1;
    if (done % 100 == 0 || done == number) {
      double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      llvm::outs() << llvm::formatv("{0} programs, to seed {1}: {2} failed, {3:f0} s; worst f32 {4:f3} of its bound, "
                                    "worst bf16 {5:f2} of the model\n",
                                    done, seed, failures, seconds, worstF32, worstBf16);
      llvm::outs().flush();
    }
  }
  (void)llvm::sys::fs::remove_directories(folder);
  return failures != 0;
}
