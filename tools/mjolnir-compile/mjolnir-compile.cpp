// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-compile: a Hugging Face checkpoint becomes a package.
#include "mjolnir/Pipeline/Compile.h"
#include "mjolnir/Pipeline/Registration.h"
#include "mjolnir/Target/Target.h"
#include "mjolnir/format/KvPlan.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
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
static cl::opt<bool>
    portable("portable",
             cl::desc("Put PTX of every kernel beside its machine code, for GPUs that the chip's machine "
                      "code does not fit (short for --target=cuda:CHIP:portable)"),
             cl::cat(category));
static cl::list<std::string> libraries(
    "libraries", cl::CommaSeparated,
    cl::desc("Libraries that the package may call instead of Mjolnir's kernels: cublaslt (matmuls of many rows "
             "on GPUs, where NVIDIA's cuBLAS is installed), or none (the default)"),
    cl::value_desc("NAME,..."), cl::cat(category));
static cl::list<int64_t>
    batch("batch", cl::CommaSeparated,
          cl::desc("Decode batch sizes to make entries for; one number N makes 1, 2, 4, ... N (default: 1)"),
          cl::value_desc("N,..."), cl::cat(category));
static cl::list<int64_t>
    prefill("prefill", cl::CommaSeparated,
            cl::desc("Token rows of prefill entries (default: those of 32, 128, 512 with more rows than "
                     "sequences)"),
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
static cl::opt<std::string> fp8(
    "fp8", cl::ValueOptional,
    cl::desc(
        "Matmuls in FP8 (E4M3) but the one that makes the logits: weights (stored in FP8, multiplied in bf16), full "
        "(activations too), auto (for each matmul what is faster on the target; the default of --fp8)"),
    cl::value_desc("auto|weights|full"), cl::init("none"), cl::cat(category));
static cl::opt<std::string> fp8Scales("fp8-scales",
                                      cl::desc("FP8 weights with a scale a channel (the default) or one a tensor"),
                                      cl::value_desc("channel|tensor"), cl::init("channel"), cl::cat(category));
static cl::opt<float> fp8ActivationAmax("fp8-activation-amax",
                                        cl::desc("Largest magnitude of activations in FP8; beyond it they saturate "
                                                 "(default: 64)"),
                                        cl::value_desc("AMAX"), cl::init(64), cl::cat(category));
static cl::list<std::string>
    fp8Include("fp8-include",
               cl::desc("Only weights with a name like a pattern become FP8, such as '*.mlp.*' or 'l0.q_proj'; may be "
                        "given several times"),
               cl::value_desc("PATTERN"), cl::cat(category));
static cl::list<std::string> fp8Exclude("fp8-exclude", cl::desc("Weights with a name like a pattern do not become FP8"),
                                        cl::value_desc("PATTERN"), cl::cat(category));
static cl::opt<bool> fp8Head("fp8-head", cl::desc("The matmul that makes the logits in FP8, too"), cl::cat(category));
static cl::opt<bool> fp8Kv("fp8-kv", cl::desc("The KV cache in FP8, with a scale a head; with or without --fp8"),
                           cl::cat(category));
static cl::opt<float> fp8KvAmax("fp8-kv-amax",
                                cl::desc("Largest magnitude of keys and values in FP8 (default: 448, a scale of 1)"),
                                cl::value_desc("AMAX"), cl::init(448), cl::cat(category));
static cl::opt<std::string> fp8Calibration(
    "fp8-calibration",
    cl::desc("Measured magnitudes instead of the defaults, as JSON: {\"activations\": {\"l0.q_proj\": 12.5}, "
             "\"kv\": [{\"key\": [a head, ...], \"value\": [...]}, ... a layer]}"),
    cl::value_desc("FILE"), cl::cat(category));
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
static cl::opt<std::string> tuning("tuning",
                                   cl::desc("Schedules that were measured to be faster than the target's own, as "
                                            "mjolnir-tune writes them"),
                                   cl::value_desc("FILE"), cl::cat(category));
static cl::list<std::string> without("without", cl::CommaSeparated,
                                     cl::desc("Leave passes out, to measure what each is worth: simplify, recognize, "
                                              "fold-sdpa-scale, merge-projections, form-fusions"),
                                     cl::value_desc("PASS,..."), cl::cat(category));
static cl::opt<std::string> kernelCache("kernel-cache",
                                        cl::desc("Where compiled CUDA kernels are kept between compiles, or none "
                                                 "(default: mjolnir/kernels in $XDG_CACHE_HOME or ~/.cache)"),
                                        cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<std::string> dumpKernels("dump-kernels",
                                        cl::desc("Write the source of each CUDA kernel into a folder, as compiled"),
                                        cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<std::string> loadKernels("load-kernels",
                                        cl::desc("Compile the kernels whose sources are in a folder (dumped and "
                                                 "edited) from these"),
                                        cl::value_desc("FOLDER"), cl::cat(category));
static cl::list<std::string> reports("report",
                                     cl::desc("Write what was compiled and what was declined: a page for people "
                                              "(.html) or data (.json); may be repeated"),
                                     cl::value_desc("FILE"), cl::cat(category));

// As in mjolnir-opt.
static cl::opt<std::string>
    remarks("remarks-filter",
            cl::desc("Say what the passes whose whole name matches a regular expression did and "
                     "declined, and why ('.*': all)"),
            cl::value_desc("REGEX"), cl::cat(category));
static cl::opt<int64_t> sessions("sessions",
                                 cl::desc("Plan the KV cache for this many sequences of --max-context tokens, and "
                                          "refuse what the memory does not hold"),
                                 cl::value_desc("N"), cl::init(0), cl::cat(category));
static cl::opt<std::string> memory("memory",
                                   cl::desc("For that: the device's memory, for weights, a step and the cache "
                                            "(default: the chip's, where it has its own)"),
                                   cl::value_desc("SIZE"), cl::cat(category));
static cl::opt<std::string> kvBudget("kv-budget",
                                     cl::desc("For that: memory for the cache alone; stands above --memory"),
                                     cl::value_desc("SIZE"), cl::cat(category));
static cl::opt<std::string> remarksPassed("remarks-filter-passed", cl::desc("The same, only what passes did"),
                                          cl::value_desc("REGEX"), cl::cat(category));
static cl::opt<std::string> remarksMissed("remarks-filter-missed", cl::desc("The same, only what they declined"),
                                          cl::value_desc("REGEX"), cl::cat(category));
static cl::opt<std::string> remarksFailed("remarks-filter-failed", cl::desc("The same, only what they failed at"),
                                          cl::value_desc("REGEX"), cl::cat(category));
static cl::opt<std::string> remarksAnalysis("remarks-filter-analyse", cl::desc("The same, only what they noted"),
                                            cl::value_desc("REGEX"), cl::cat(category));
static cl::opt<RemarkOutput::Format>
    remarkFormat("remark-format", cl::desc("How remarks are written:"), cl::init(RemarkOutput::Format::diagnostics),
                 cl::values(clEnumValN(RemarkOutput::Format::diagnostics, "emitRemark", "on the terminal (default)"),
                            clEnumValN(RemarkOutput::Format::yaml, "yaml", "YAML, into a file"),
                            clEnumValN(RemarkOutput::Format::bitstream, "bitstream", "LLVM's bitstream, into a file")),
                 cl::cat(category));
static cl::opt<std::string>
    remarksFile("remarks-output-file",
                cl::desc("Where YAML goes (default: mlir-remarks.yaml) or the bitstream (mlir-remarks.bitstream)"),
                cl::value_desc("FILE"), cl::cat(category));
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
    if (rows > options.maxBatch)
      options.prefill.push_back(rows);
  if (options.prefill.empty())
    options.prefill.push_back(4 * options.maxBatch);
}

/// FP8 from the command line; a complaint or an empty string.
static std::string chooseFp8(Fp8Options &options) {
  options.matmuls = fp8.empty() ? std::string("auto") : fp8.getValue();
  options.kvCache = fp8Kv;
  if (fp8.getNumOccurrences() && !llvm::is_contained({"auto", "weights", "full"}, llvm::StringRef(options.matmuls)))
    return "--fp8=" + fp8.getValue() + " is none of auto, weights, full";
  if (fp8Scales != "channel" && fp8Scales != "tensor")
    return "--fp8-scales=" + fp8Scales.getValue() + " is neither channel nor tensor";
  if (!(fp8ActivationAmax > 0) || !(fp8KvAmax > 0))
    return "--fp8-activation-amax and --fp8-kv-amax must be positive";
  bool hasMatmulOptions = fp8Scales.getNumOccurrences() || fp8ActivationAmax.getNumOccurrences() ||
                          !fp8Include.empty() || !fp8Exclude.empty() || fp8Head;
  if (hasMatmulOptions && options.matmuls == "none")
    return "--fp8-scales, --fp8-activation-amax, --fp8-include, --fp8-exclude and --fp8-head say how: give --fp8, too";
  if (fp8KvAmax.getNumOccurrences() && !fp8Kv)
    return "--fp8-kv-amax says how: give --fp8-kv, too";
  if (!fp8Calibration.empty() && !options.isWanted())
    return "--fp8-calibration says how: give --fp8 or --fp8-kv, too";
  options.weightScales = fp8Scales;
  options.activationAmax = fp8ActivationAmax;
  options.include.assign(fp8Include.begin(), fp8Include.end());
  options.exclude.assign(fp8Exclude.begin(), fp8Exclude.end());
  options.head = fp8Head;
  options.kvAmax = fp8KvAmax;
  options.calibration = fp8Calibration;
  return "";
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
  if (kernelCache.getNumOccurrences() == 0)
    request.code.kernelCache = defaultKernelCache();
  else if (kernelCache != "none")
    request.code.kernelCache = kernelCache;
  request.code.dumpKernels = dumpKernels;
  request.code.loadKernels = loadKernels;
  for (auto [name, phase] : {std::pair{&compileTo, &request.compileTo}, {&compileFrom, &request.compileFrom}}) {
    if (name->getNumOccurrences() == 0)
      continue;
    *phase = symbolizePhase(*name);
    if (!*phase)
      return complain("'" + *name + "' is no phase; there are input, graph, numerics, fusion, schedule, plan, code");
  }
  if ((!dumpKernels.empty() || !loadKernels.empty()) && request.compileTo && *request.compileTo < Phase::code)
    return complain("--dump-kernels and --load-kernels act on phase code, which --compile-to=" + compileTo +
                    " does not reach");
  if (!tuning.empty() && oracle)
    return complain("--tuning chooses among a target's schedules; --oracle has plain ones");
  if (!tuning.empty() && request.compileFrom && *request.compileFrom >= Phase::schedule)
    return complain("--tuning acts on phase schedule, which --compile-from=" + compileFrom + " is at or past");
  if (output.empty() && !request.compileTo)
    return complain("give -o OUT.mjp, or --compile-to=PHASE");
  if ((pageSize.getNumOccurrences() && pageSize <= 0) || (maxContext.getNumOccurrences() && maxContext <= 0))
    return complain("--page-size and --max-context must be positive");
  for (int64_t size : llvm::concat<int64_t>(batch, prefill))
    if (size <= 0)
      return complain("--batch and --prefill take positive numbers");
  PipelineOptions &options = request.options;
  options.target = target;
  options.tuning = tuning;
  for (const std::string &name : without)
    if (!llvm::is_contained(optionalPasses(), name))
      return complain("'" + name + "' is no pass that can be left out; there are " +
                      llvm::join(optionalPasses(), ", "));
  options.without.assign(without.begin(), without.end());
  if (portable) {
    llvm::StringRef chip = llvm::StringRef(options.target).split(':').second;
    if (!llvm::StringRef(options.target).starts_with("cuda:") || chip.empty())
      return complain("--portable goes with --target=cuda:CHIP, not with --target=" + target);
    if (!chip.ends_with(":portable"))
      options.target += ":portable";
  }
  options.oracle = oracle;
  std::optional<Precision> stored = symbolizePrecision(precision);
  if (!stored)
    return complain("'" + precision + "' is no precision; there are bf16 and f32");
  options.precision = *stored;
  for (const std::string &library : libraries)
    if (library != "none")
      options.libraries.push_back(library);
  if (libraries.size() > 1 && options.libraries.size() < libraries.size())
    return complain("--libraries=none stands alone");
  options.pageSize = pageSize;
  options.maxContext = maxContext;
  chooseSizes(options);
  for (int64_t rows : options.prefill)
    if (rows < options.maxBatch)
      return complain("--prefill=" + llvm::Twine(rows) + " has no row for each of the " +
                      llvm::Twine(options.maxBatch) + " sequences of --batch");
  if (std::string complaint = chooseFp8(options.fp8); !complaint.empty())
    return complain(complaint);
  CompileRequest::KvRequest kv;
  for (auto [name, option, bytes] :
       {std::tuple("--memory", &memory, &kv.memory), {"--kv-budget", &kvBudget, &kv.kvBudget}})
    if (option->getNumOccurrences() && !format::parseBytes(*option, *bytes))
      return complain(llvm::Twine(name) + "='" + *option + "' is no size; write 24GB, 8GiB or bytes");
  if (sessions.getNumOccurrences() && sessions <= 0)
    return complain("--sessions must be positive");
  kv.sessions = sessions;
  if (kv.sessions || kv.memory || kv.kvBudget) {
    if (request.compileTo && *request.compileTo < Phase::plan)
      return complain("--sessions, --memory and --kv-budget act on phase plan, which --compile-to=" + compileTo +
                      " does not reach");
    request.kv = kv;
    request.tellKvPlan = [](llvm::StringRef text) { llvm::errs() << text; };
  }
  request.hasSizes = !batch.empty() || !prefill.empty() || maxContext > 0;
  for (const std::string &path : reports) {
    if (!llvm::StringRef(path).ends_with(".html") && !llvm::StringRef(path).ends_with(".json"))
      return complain("--report=" + path + ": a report is a page (.html) or data (.json)");
    request.reports.push_back(path);
  }
  std::string error;
  for (auto *option : {&remarks, &remarksPassed, &remarksMissed, &remarksFailed, &remarksAnalysis})
    if (!option->empty() && !llvm::Regex(*option).isValid(error))
      return complain("--" + option->ArgStr + ": '" + *option + "' is no regular expression: " + error);
  if (remarkFormat == RemarkOutput::Format::diagnostics && !remarksFile.empty())
    return complain("--remarks-output-file needs --remark-format=yaml or bitstream");
  return true;
}

/// Where remarks go, from the command line; `log` keeps all of them for reports.
static RemarkOutput readRemarkOutput(RemarkLog *log) {
  RemarkOutput result;
  result.all = remarks;
  result.passed = remarksPassed;
  result.missed = remarksMissed;
  result.failed = remarksFailed;
  result.analysis = remarksAnalysis;
  result.format = remarkFormat;
  result.file = remarksFile;
  if (result.file.empty())
    result.file = remarkFormat == RemarkOutput::Format::yaml ? "mlir-remarks.yaml" : "mlir-remarks.bitstream";
  result.log = log;
  return result;
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

  RemarkLog log;
  RemarkOutput remarkOutput = readRemarkOutput(request.reports.empty() ? nullptr : &log);
  request.remarks = &log;

  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerPassesAndTargets();
  mlir::MLIRContext context(registry);
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler lines(sources, &context);
  mlir::ScopedDiagnosticHandler printer(&context, printDiagnostic);
  context.printOpOnDiagnostic(false);
  if (std::string error; remarkOutput.isUsed() && failed(sendRemarks(context, remarkOutput, error))) {
    llvm::errs() << "mjolnir-compile: " << error << "\n";
    return kFailed;
  }
  return succeeded(compile(context, request)) ? kSuccess : kFailed;
}
