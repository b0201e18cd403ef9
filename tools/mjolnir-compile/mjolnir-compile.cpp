// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-compile: a Hugging Face checkpoint becomes a package.
#include "mjolnir/Pipeline/Compile.h"
#include "mjolnir/Pipeline/Registration.h"
#include "mjolnir/Target/Target.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/SourceMgr.h"

using namespace mjolnir;
namespace cl = llvm::cl;

static cl::OptionCategory category("mjolnir-compile options");

static cl::opt<std::string> model(cl::Positional, cl::desc("MODEL"), cl::Required, cl::cat(category));
static cl::opt<std::string> output("o",
                                   cl::desc("Package to write; with --compile-to the IR (default: standard output)"),
                                   cl::value_desc("OUT.mjp"), cl::cat(category));
static cl::opt<std::string> target("target",
                                   cl::desc("Chip to compile for: host (this machine's CPU, the default), host:CPU"),
                                   cl::value_desc("KIND[:CPU]"), cl::init("host"), cl::cat(category));
static cl::list<int64_t>
    batch("batch", cl::CommaSeparated,
          cl::desc("Decode batch sizes to make entries for; one number N makes 1, 2, 4, ... N (default: 1)"),
          cl::value_desc("N,..."), cl::cat(category));
static cl::list<int64_t>
    prefill("prefill", cl::CommaSeparated,
            cl::desc("Token rows of prefill entries (default: those of 32, 128, 512 that have a row for each "
                     "sequence)"),
            cl::value_desc("T,..."), cl::cat(category));
static cl::opt<int64_t>
    maxContext("max-context", cl::desc("Tokens a sequence may hold (default: what the model allows, 4096 at most)"),
               cl::value_desc("TOKENS"), cl::init(0), cl::cat(category));
static cl::opt<int64_t> pageSize("page-size", cl::desc("Tokens in a page of the KV cache (default: 16)"),
                                 cl::value_desc("TOKENS"), cl::init(0), cl::cat(category));
static cl::opt<bool> oracle("oracle", cl::desc("The unfused f32 program, the reference for numerics"),
                            cl::cat(category));
static cl::opt<std::string> precision("precision",
                                      cl::desc("How activations, matrices and the KV cache are stored: bf16 (the "
                                               "default; sums are f32) or f32"),
                                      cl::value_desc("TYPE"), cl::init("bf16"), cl::cat(category));
static cl::opt<std::string> compileTo("compile-to",
                                      cl::desc("Stop after a phase and write its IR: input, graph, numerics, fusion, "
                                               "schedule, plan, code"),
                                      cl::value_desc("PHASE"), cl::cat(category));
static cl::opt<std::string> compileFrom("compile-from", cl::desc("MODEL is a file of IR in this phase"),
                                        cl::value_desc("PHASE"), cl::cat(category));
static cl::opt<std::string> checkpoint("checkpoint",
                                       cl::desc("With a file of IR: the folder of its weights and tokenizer"),
                                       cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<std::string> dumpPhases("dump-phases",
                                       cl::desc("Write the IR after every phase into a folder, numbered"),
                                       cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<std::string>
    remarks("remarks",
            cl::desc("Say what the passes whose whole name matches a regular expression did and "
                     "declined, and why ('.*': all)"),
            cl::value_desc("REGEX"), cl::cat(category));
static cl::opt<bool> quiet("quiet", cl::desc("No progress, no summary"), cl::cat(category));

/// Exit codes, for scripts.
enum ExitCode { kSuccess = 0, kFailed = 1, kUsage = 2 };

/// 1, 2, 4, ... and n itself.
static void appendPowersOfTwo(int64_t n, llvm::SmallVectorImpl<int64_t> &sizes) {
  for (int64_t size = 1; size < n; size *= 2)
    sizes.push_back(size);
  sizes.push_back(n);
}

/// Progress on a terminal: one line that is written over.
static void showProgress(llvm::StringRef what, size_t done, size_t total) {
  static bool isTerminal = llvm::sys::Process::StandardErrIsDisplayed();
  if (!isTerminal)
    return;
  llvm::errs() << "\r\033[K" << what;
  if (total)
    llvm::errs() << " " << done << "/" << total;
  if (total && done == total)
    llvm::errs() << "\r\033[K";
}

/// "12.5 MiB"; exact below 10 KiB.
static std::string formatBytes(uint64_t bytes) {
  if (bytes < 10240)
    return llvm::formatv("{0} B", bytes).str();
  double value = double(bytes) / 1024;
  llvm::StringRef unit = "KiB";
  for (llvm::StringRef next : {"MiB", "GiB", "TiB"})
    if (value >= 1024) {
      value /= 1024;
      unit = next;
    }
  return llvm::formatv("{0:f1} {1}", value, unit).str();
}

static void printSummary(llvm::StringRef path, const PackageSummary &summary) {
  llvm::raw_ostream &out = llvm::errs();
  out << path << ": " << formatBytes(summary.packageBytes) << "\n  entries  " << llvm::join(summary.entries, ", ")
      << "\n  kernels  " << summary.kernels << " distinct\n  weights  " << formatBytes(summary.weightBytes) << " in "
      << summary.weights << " tensors\n";
  if (summary.pageTokens)
    out << "  KV       " << formatBytes(summary.pageBytes) << " a page of " << summary.pageTokens << " tokens, "
        << formatBytes(summary.pageBytes / summary.pageTokens) << " a token\n";
  if (summary.maxContext)
    out << "  context  up to " << summary.maxContext << " tokens a sequence\n";
}

/// The module of the model that a diagnostic is about, or "".
static llvm::StringRef nameOf(mlir::Location loc) {
  llvm::StringRef name;
  loc->walk([&](mlir::Location part) {
    if (auto named = mlir::dyn_cast<mlir::NameLoc>(part))
      name = named.getName();
    return name.empty() ? mlir::WalkResult::advance() : mlir::WalkResult::interrupt();
  });
  return name;
}

/// Prints diagnostics that point into no file as the tool's own; those that do are left to MLIR, which shows the line.
static llvm::LogicalResult printDiagnostic(mlir::Diagnostic &diagnostic) {
  if (auto line = diagnostic.getLocation()->findInstanceOf<mlir::FileLineColLoc>(); line && line.getLine() != 0)
    return mlir::failure();
  static constexpr llvm::StringLiteral severities[] = {"note", "warning", "error", "remark"};
  llvm::StringRef name = nameOf(diagnostic.getLocation());
  llvm::errs() << "mjolnir-compile: " << severities[static_cast<int>(diagnostic.getSeverity())] << ": " << name
               << (name.empty() ? "" : ": ") << diagnostic << "\n";
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    llvm::errs() << "mjolnir-compile: note: " << note << "\n";
  return mlir::success();
}

/// The sizes of entries from the command line.
static void chooseSizes(PipelineOptions &options) {
  options.decode.clear();
  if (batch.size() <= 1)
    appendPowersOfTwo(batch.empty() ? 1 : batch.front(), options.decode);
  else
    options.decode.append(batch.begin(), batch.end());
  options.maxBatch = *llvm::max_element(options.decode);
  options.prefill.clear();
  if (!prefill.empty()) {
    options.prefill.append(prefill.begin(), prefill.end());
    return;
  }
  for (int64_t rows : {32, 128, 512})
    if (rows >= options.maxBatch)
      options.prefill.push_back(rows);
  if (options.prefill.empty())
    options.prefill.push_back(options.maxBatch);
}

/// Fills `request` from the command line; false after a complaint.
static bool readCommandLine(CompileRequest &request) {
  auto complain = [](const llvm::Twine &message) {
    llvm::errs() << "mjolnir-compile: " << message << "\n";
    return false;
  };
  request.model = model;
  request.output = output;
  request.checkpoint = checkpoint;
  request.dumpPhases = dumpPhases;
  for (auto [name, phase] : {std::pair{&compileTo, &request.compileTo}, {&compileFrom, &request.compileFrom}}) {
    if (name->getNumOccurrences() == 0)
      continue;
    *phase = symbolizePhase(*name);
    if (!*phase)
      return complain("'" + *name + "' is no phase; there are input, graph, numerics, fusion, schedule, plan, code");
  }
  if (output.empty() && !request.compileTo)
    return complain("give -o OUT.mjp, or --compile-to=PHASE");
  if ((pageSize.getNumOccurrences() && pageSize <= 0) || (maxContext.getNumOccurrences() && maxContext <= 0))
    return complain("--page-size and --max-context must be positive");
  for (int64_t size : llvm::concat<int64_t>(batch, prefill))
    if (size <= 0)
      return complain("--batch and --prefill take positive numbers");
  PipelineOptions &options = request.options;
  options.target = target;
  options.oracle = oracle;
  std::optional<Precision> stored = symbolizePrecision(precision);
  if (!stored)
    return complain("'" + precision + "' is no precision; there are bf16 and f32");
  options.precision = *stored;
  options.pageSize = pageSize;
  options.maxContext = maxContext;
  chooseSizes(options);
  for (int64_t rows : options.prefill)
    if (rows < options.maxBatch)
      return complain("--prefill=" + llvm::Twine(rows) + " has no row for each of the " +
                      llvm::Twine(options.maxBatch) + " sequences of --batch");
  request.hasSizes = !batch.empty() || !prefill.empty() || maxContext > 0;
  std::string error;
  if (!remarks.empty() && !llvm::Regex(remarks).isValid(error))
    return complain("--remarks: '" + remarks + "' is no regular expression: " + error);
  return true;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  mlir::registerMLIRContextCLOptions();
  mlir::registerPassManagerCLOptions();
  mlir::registerDefaultTimingManagerCLOptions();
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter([](llvm::raw_ostream &out) {
    out << "mjolnir-compile " << kVersion << ", LLVM " << LLVM_VERSION_STRING << "\n";
  });
  const char *overview = "Compiles a model to a package.\n\n"
                         "MODEL is a Hugging Face folder (config.json, *.safetensors, tokenizer.json), or a file of IR "
                         "('-': standard input).\n"
                         "  mjolnir-compile MODEL -o OUT.mjp\n"
                         "  mjolnir-run OUT.mjp --prompt 'Once upon a time'\n\n"
                         "Exit codes: 0 success, 1 the compilation failed, 2 the command line is wrong.\n";
  CompileRequest request;
  if (!cl::ParseCommandLineOptions(argc, argv, overview, &llvm::errs()) || !readCommandLine(request))
    return kUsage;
  if (!quiet) {
    request.progress = showProgress;
    // The linker resets the options of the command line while it works: they are not read after it.
    request.summarize = [&](const PackageSummary &summary) { printSummary(request.output, summary); };
  }
  request.configure = [](mlir::PassManager &manager) {
    (void)mlir::applyPassManagerCLOptions(manager);
    mlir::applyDefaultTimingPassManagerCLOptions(manager);
  };

  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerPassesAndTargets();
  mlir::MLIRContext context(registry);
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler lines(sources, &context);
  mlir::ScopedDiagnosticHandler printer(&context, printDiagnostic);
  context.printOpOnDiagnostic(false);
  if (!remarks.empty()) {
    mlir::remark::RemarkCategories categories;
    // A kind that is not named is off.
    categories.passed = categories.missed = categories.analysis = categories.failed = remarks;
    if (failed(mlir::remark::enableOptimizationRemarks(context, nullptr,
                                                       std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(),
                                                       categories, /*printAsEmitRemarks=*/true)))
      return kFailed;
  }
  return succeeded(compile(context, request)) ? kSuccess : kFailed;
}
