// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-compile: a Hugging Face checkpoint becomes a package.
#include "mjolnir/Pipeline/Compile.h"
#include "mjolnir/Pipeline/Registration.h"
#include "mjolnir/Target/Target.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SourceMgr.h"

using namespace mjolnir;
namespace cl = llvm::cl;

static cl::OptionCategory category("mjolnir-compile options");

static cl::opt<std::string> model(cl::Positional, cl::desc("MODEL"), cl::Required, cl::cat(category));
static cl::opt<std::string> output("o", cl::desc("Package to write; with --compile-to the IR (default: standard output)"),
                                   cl::value_desc("OUT.mjp"), cl::cat(category));
static cl::opt<std::string> target("target", cl::desc("Chip to compile for: host (this machine's CPU), host:CPU"),
                                   cl::init("host"), cl::cat(category));
static cl::list<int64_t> batch("batch", cl::CommaSeparated,
                               cl::desc("Decode batch sizes to make entries for; one number N makes 1, 2, 4, ... N"),
                               cl::value_desc("N,..."), cl::cat(category));
static cl::list<int64_t> prefill("prefill", cl::CommaSeparated,
                                 cl::desc("Token rows of prefill entries (default: 32,128,512)"),
                                 cl::value_desc("T,..."), cl::cat(category));
static cl::opt<int64_t> maxContext("max-context",
                                   cl::desc("Tokens a sequence may hold (default: what the model allows, 4096 at most)"),
                                   cl::value_desc("TOKENS"), cl::init(0), cl::cat(category));
static cl::opt<int64_t> pageSize("page-size", cl::desc("Tokens in a page of the KV cache (default: 16)"),
                                 cl::init(16), cl::cat(category));
static cl::opt<bool> oracle("oracle", cl::desc("The unfused f32 program, the reference for numerics"), cl::cat(category));
static cl::opt<std::string> compileTo("compile-to",
                                      cl::desc("Stop after a phase and write its IR: input, graph, numerics, fusion, "
                                               "schedule, plan, code"),
                                      cl::value_desc("PHASE"), cl::cat(category));
static cl::opt<std::string> compileFrom("compile-from", cl::desc("MODEL is a file of IR in this phase"),
                                        cl::value_desc("PHASE"), cl::cat(category));
static cl::opt<std::string> checkpoint("checkpoint", cl::desc("With a file of IR: the folder of its weights and tokenizer"),
                                       cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<std::string> dumpPhases("dump-phases", cl::desc("Write the IR after every phase into a folder, numbered"),
                                       cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<bool> quiet("quiet", cl::desc("No progress, no summary"), cl::cat(category));

/// Exit codes, for scripts.
enum ExitCode { kSuccess = 0, kFailed = 1, kUsage = 2 };

static int usageError(const llvm::Twine &message) {
  llvm::errs() << "mjolnir-compile: " << message << "\n";
  return kUsage;
}

/// 1, 2, 4, ... and n itself.
static void appendPowersOfTwo(int64_t n, llvm::SmallVectorImpl<int64_t> &sizes) {
  for (int64_t size = 1; size < n; size *= 2)
    sizes.push_back(size);
  sizes.push_back(n);
}

/// Progress on a terminal: one line that is written over.
static void showProgress(llvm::StringRef what, size_t done, size_t total) {
  static bool isTerminal = llvm::sys::Process::StandardErrIsDisplayed();
  if (!isTerminal || quiet)
    return;
  llvm::errs() << "\r\033[K" << what;
  if (total)
    llvm::errs() << " " << done << "/" << total;
  if (total && done == total)
    llvm::errs() << "\r\033[K";
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  mlir::registerMLIRContextCLOptions();
  mlir::registerPassManagerCLOptions();
  mlir::registerDefaultTimingManagerCLOptions();
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Compiles a model to a package.\n\n"
      "MODEL is a Hugging Face folder (config.json, *.safetensors, tokenizer.json), or a file of IR.\n"
      "  mjolnir-compile MODEL -o OUT.mjp\n"
      "  mjolnir-run OUT.mjp --prompt 'Once upon a time'\n\n"
      "Exit codes: 0 success, 1 the compilation failed, 2 the command line is wrong.\n");

  CompileRequest request;
  request.model = model;
  request.output = output;
  request.checkpoint = checkpoint;
  request.dumpPhases = dumpPhases;
  request.progress = showProgress;
  for (auto [name, phase] : {std::pair{&compileTo, &request.compileTo}, {&compileFrom, &request.compileFrom}}) {
    if (name->empty())
      continue;
    *phase = symbolizePhase(*name);
    if (!*phase)
      return usageError("'" + *name + "' is no phase; there are input, graph, numerics, fusion, schedule, plan, code");
  }
  if (output.empty() && !request.compileTo)
    return usageError("give -o OUT.mjp, or --compile-to=PHASE");

  PipelineOptions &options = request.options;
  options.target = target;
  options.oracle = oracle;
  options.pageSize = pageSize;
  options.maxContext = maxContext;
  if (pageSize <= 0 || maxContext < 0)
    return usageError("--page-size and --max-context must be positive");
  for (int64_t size : llvm::concat<int64_t>(batch, prefill))
    if (size <= 0)
      return usageError("--batch and --prefill take positive numbers");
  options.decode.clear();
  if (batch.size() <= 1)
    appendPowersOfTwo(batch.empty() ? 1 : batch.front(), options.decode);
  else
    options.decode.append(batch.begin(), batch.end());
  options.maxBatch = *llvm::max_element(options.decode);
  options.prefill.clear();
  if (prefill.empty()) {
    for (int64_t rows : {32, 128, 512})
      if (rows >= options.maxBatch)
        options.prefill.push_back(rows);
    if (options.prefill.empty())
      options.prefill.push_back(options.maxBatch);
  } else {
    options.prefill.append(prefill.begin(), prefill.end());
  }

  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerPassesAndTargets();
  mlir::MLIRContext context(registry);
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler handler(sources, &context);
  // Locations are modules of the model, which say nothing about a wrong file.
  context.printOpOnDiagnostic(false);
  request.configure = [](mlir::PassManager &manager) {
    (void)mlir::applyPassManagerCLOptions(manager);
    mlir::applyDefaultTimingPassManagerCLOptions(manager);
  };
  if (failed(compile(context, request))) {
    llvm::errs() << "mjolnir-compile: '" << model << "' was not compiled\n";
    return kFailed;
  }
  return kSuccess;
}
