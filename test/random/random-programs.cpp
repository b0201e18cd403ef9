// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir_random_programs: prints the program of a seed, checks the programs of many, or writes them for another
// machine.
#include "test/random/Differential.h"
#include "test/random/PackageRun.h"
#include "test/random/Workers.h"

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
static cl::opt<unsigned> jobs("jobs", cl::desc("How many processes"), cl::init(1));
static cl::opt<unsigned> limit("limit", cl::desc("Seconds that a program may take before it has failed"),
                               cl::init(600));
static cl::opt<bool> shouldPrint("print", cl::desc("Print the programs and do nothing else"));
static cl::opt<bool> noCode("no-code", cl::desc("Check the passes only: compile no packages"));
static cl::list<std::string>
    variantNames("variants", cl::CommaSeparated,
                 cl::desc("oracle, f32, bf16, fp8, fp8-f32; drawn: by the seed one of the last four "
                          "(default: all; with --emit drawn)"));
static cl::opt<std::string> writeTo("write",
                                    cl::desc("Write program and weights into this folder and do nothing else"));
static cl::opt<std::string> emitTo("emit", cl::desc("Write packages with inputs and expected outputs into this folder "
                                                    "instead of running them; CaseFile.h says how"));
static cl::opt<std::string> target("target", cl::desc("With --emit: the target"), cl::init("host"));

namespace {

/// What the command line says; the linker resets its options while it works.
struct Request {
  std::vector<Variant> variants; ///< none: drawVariant
  std::string cases, target;
  bool passesOnly;
};

/// Of what is drawn three programs in four are those that most users would run.
Variant drawVariant(uint64_t seed) {
  constexpr Variant variants[] = {Variant::bf16, Variant::fp8,  Variant::bf16, Variant::f32,
                                  Variant::bf16, Variant::bf16, Variant::fp8,  Variant::fp8F32};
  return variants[seed % std::size(variants)];
}

/// What a process needs to work on programs.
class Worker {
public:
  explicit Worker(const Request &request)
      : request(request), context(makeRegistry()), differential(context, makeFolder(), request.target) {}
  ~Worker() { (void)llvm::sys::fs::remove_directories(folder); }

  Report work(uint64_t seed) {
    Report report{seed};
    std::vector<Variant> variants = request.variants;
    if (variants.empty())
      variants.push_back(drawVariant(seed));
    if (request.cases.empty())
      add(report, differential.check(seed, variants, !request.passesOnly));
    else
      for (Variant variant : variants)
        add(report, differential.emit(seed, variant, request.cases));
    return report;
  }

private:
  static void add(Report &report, const Outcome &outcome) {
    report.failed |= !outcome.failure.empty();
    report.refused += !outcome.refusal.empty();
    report.worstF32 = std::max(report.worstF32, outcome.worstF32);
    report.worstBf16 = std::max(report.worstBf16, outcome.worstBf16);
    report.elements += outcome.elements;
    report.compared += outcome.compared;
    if (!outcome.failure.empty())
      llvm::outs() << outcome.failure << "\n";
    llvm::outs().flush();
  }
  static mlir::DialectRegistry makeRegistry() {
    registerPassesAndTargets();
    mlir::DialectRegistry registry;
    registerDialects(registry);
    return registry;
  }
  std::string makeFolder() {
    if (std::error_code error = llvm::sys::fs::createUniqueDirectory("mjolnir-random", folder))
      llvm::report_fatal_error(llvm::Twine("cannot make a folder for files: ") + error.message());
    return folder.str().str();
  }

  const Request &request;
  llvm::SmallString<128> folder;
  mlir::MLIRContext context;
  Differential differential;
};

int printPrograms() {
  registerPassesAndTargets();
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    Program program = generate(context, seed);
    if (shouldPrint)
      llvm::outs() << print(program);
    if (!writeTo.empty())
      if (llvm::Error error = writeFiles(program, writeTo)) {
        llvm::errs() << llvm::toString(std::move(error)) << "\n";
        return 1;
      }
  }
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Checks random programs against the reference.\n");
  if (shouldPrint || !writeTo.empty())
    return printPrograms();

  Request request{{}, emitTo, target, noCode};
  bool isDrawn = variantNames.size() == 1 && variantNames.front() == "drawn";
  if (isDrawn)
    variantNames.clear();
  for (const std::string &name : variantNames) {
    std::optional<Variant> variant = symbolizeVariant(name);
    if (!variant) {
      llvm::errs() << "there is no variant '" << name
                   << "'; there are oracle, f32, bf16, fp8, fp8-f32, and drawn "
                      "instead of any\n";
      return 2;
    }
    request.variants.push_back(*variant);
  }
  if (request.cases.empty() && request.target != "host") {
    llvm::errs() << "packages for '" << request.target << "' do not run here: give --emit=FOLDER\n";
    return 2;
  }
  if (request.cases.empty() && request.variants.empty() && !isDrawn)
    request.variants = {Variant::oracle, Variant::f32, Variant::bf16, Variant::fp8, Variant::fp8F32};
  if (!request.cases.empty())
    if (std::error_code error = llvm::sys::fs::create_directories(request.cases)) {
      llvm::errs() << "cannot make '" << request.cases << "': " << error.message() << "\n";
      return 1;
    }

  auto start = std::chrono::steady_clock::now();
  Totals totals;
  auto tell = [&](const Totals &sum) {
    double compared = 100.0 * double(sum.compared) / double(std::max<uint64_t>(1, sum.elements));
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    llvm::outs() << llvm::formatv("{0} programs: {1} failed, {2} refused, {3:f0} s; worst f32 {4:f3} of its bound, "
                                  "worst bf16 {5:f2} of the model; {6:f1}% of all elements compared\n",
                                  sum.done, sum.failed.size(), sum.refused.size(), seconds, sum.worstF32, sum.worstBf16,
                                  compared);
    llvm::outs().flush();
  };
  std::unique_ptr<Worker> worker;
  auto work = [&](uint64_t seed) {
    if (!worker)
      worker = std::make_unique<Worker>(request);
    return worker->work(seed);
  };
  auto finish = [&] { worker.reset(); };
  if (!workOn(first, count, jobs, limit, work, finish, tell, totals))
    return 1;
  auto list = [](const char *what, const std::vector<uint64_t> &seeds) {
    if (seeds.empty())
      return;
    llvm::outs() << what << " seeds:";
    for (uint64_t seed : seeds)
      llvm::outs() << " " << seed;
    llvm::outs() << "\n";
  };
  list("refused", totals.refused);
  list("failed", totals.failed);
  return !totals.failed.empty();
}
