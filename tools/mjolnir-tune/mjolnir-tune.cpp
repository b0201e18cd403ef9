// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-tune: finds the fastest schedules of a model's kernels. It compiles what is to be compared into one package,
// and has mjolnir-bench compare it here, or leaves it to be compared on another machine.
#include "Candidates.h"

#include "mjolnir/Pipeline/Compile.h"
#include "mjolnir/Pipeline/Registration.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

using namespace mjolnir;
namespace cl = llvm::cl;

static cl::OptionCategory category("mjolnir-tune options");

static cl::opt<std::string> model(cl::Positional, cl::desc("MODEL"), cl::Required, cl::cat(category));
static cl::opt<std::string> table("table",
                                  cl::desc("The tuning table: read, so that what it holds is neither lost nor measured "
                                           "again, and written after each comparison"),
                                  cl::value_desc("FILE"), cl::cat(category));
static cl::opt<std::string> emitted("emit",
                                    cl::desc("Only write the package that mjolnir-bench --tune compares, for another "
                                             "machine"),
                                    cl::value_desc("OUT.mjp"), cl::cat(category));
static cl::opt<std::string> target("target", cl::desc("Chip to tune for, as in mjolnir-compile"),
                                   cl::value_desc("KIND[:CPU]"), cl::init("host"), cl::cat(category));
static cl::list<int64_t> batch("batch", cl::CommaSeparated, cl::desc("Decode batch sizes (default: 1)"),
                               cl::value_desc("N,..."), cl::cat(category));
static cl::list<int64_t> prefill("prefill", cl::CommaSeparated,
                                 cl::desc("Token rows of prefill entries (default: 512)"), cl::value_desc("T,..."),
                                 cl::cat(category));
static cl::opt<int64_t> maxContext("max-context", cl::desc("Tokens a sequence may hold, as in mjolnir-compile"),
                                   cl::value_desc("TOKENS"), cl::init(0), cl::cat(category));
static cl::opt<int64_t> pageSize("page-size", cl::desc("Tokens in a page of the KV cache (default: 16)"),
                                 cl::value_desc("TOKENS"), cl::init(0), cl::cat(category));
static cl::opt<std::string> fp8("fp8", cl::ValueOptional, cl::desc("Matmuls in FP8, as in mjolnir-compile"),
                                cl::value_desc("auto|weights|full"), cl::init("none"), cl::cat(category));
static cl::opt<bool> fp8Kv("fp8-kv", cl::desc("The KV cache in FP8"), cl::cat(category));
static cl::opt<std::string> checkpoint("checkpoint",
                                       cl::desc("With a file of IR, which may be in any phase up to schedule: the "
                                                "folder of its weights"),
                                       cl::value_desc("FOLDER"), cl::cat(category));
static cl::opt<int64_t> context("context",
                                cl::desc("Tokens that each sequence holds before a decode step (default: "
                                         "512)"),
                                cl::value_desc("N"), cl::init(0), cl::cat(category));
static cl::opt<int64_t> runs("runs", cl::desc("Runs of each side of a comparison (default: 100)"), cl::value_desc("N"),
                             cl::init(0), cl::cat(category));
static cl::opt<std::string> reference("reference",
                                      cl::desc("A package of the same model for this machine's CPU, whose numbers the "
                                               "candidates' must be as near to as those of what they replace"),
                                      cl::value_desc("FILE.mjp"), cl::cat(category));

/// Exit codes, for scripts.
enum ExitCode { kSuccess = 0, kFailed = 1, kUsage = 2 };

static bool complain(const llvm::Twine &message) {
  llvm::errs() << "mjolnir-tune: " << message << "\n";
  return false;
}

static bool readCommandLine(CompileRequest &request) {
  if (table.empty() == emitted.empty())
    return complain("give --table=FILE to measure here, or --emit=OUT.mjp to measure elsewhere");
  if (!emitted.empty() && (context || runs || !reference.empty()))
    return complain("--context, --runs and --reference say how to measure: give them to mjolnir-bench --tune");
  for (int64_t size : llvm::concat<int64_t>(batch, prefill))
    if (size <= 0)
      return complain("--batch and --prefill take positive numbers");
  if (maxContext < 0 || pageSize < 0 || context < 0 || runs < 0)
    return complain("--max-context, --page-size, --context and --runs must be positive");
  request.model = model;
  request.checkpoint = checkpoint;
  request.code.kernelCache = defaultKernelCache();
  request.hasSizes = !batch.empty() || !prefill.empty() || maxContext > 0;
  PipelineOptions &options = request.options;
  options.target = target;
  options.decode.assign(batch.begin(), batch.end());
  options.prefill.assign(prefill.begin(), prefill.end());
  if (options.decode.empty())
    options.decode = {1};
  if (options.prefill.empty())
    options.prefill = {512};
  options.maxBatch = *llvm::max_element(options.decode);
  options.pageSize = pageSize;
  options.maxContext = maxContext;
  options.fp8.matmuls = fp8.getNumOccurrences() && fp8.empty() ? std::string("auto") : fp8.getValue();
  if (!llvm::is_contained({"none", "auto", "weights", "full"}, llvm::StringRef(options.fp8.matmuls)))
    return complain("--fp8=" + fp8 + " is none of auto, weights, full");
  options.fp8.kvCache = fp8Kv;
  // What is there already is what others have to beat.
  if (!table.empty() && llvm::sys::fs::exists(table))
    options.tuning = table;
  return true;
}

/// Errors in sentences; what points into a file is left to MLIR.
static llvm::LogicalResult printDiagnostic(mlir::Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error ||
      diagnostic.getLocation()->findInstanceOf<mlir::FileLineColLoc>())
    return mlir::failure();
  llvm::errs() << "mjolnir-tune: error: " << diagnostic << "\n";
  return mlir::success();
}

/// What mjolnir-bench is told to compare what `package` holds.
static std::vector<std::string> measureArguments(llvm::StringRef package) {
  std::vector<std::string> arguments{"mjolnir-bench", package.str(), "--tune", table};
  for (auto [name, option] : {std::pair("--context", &context), {"--runs", &runs}})
    if (*option)
      arguments.insert(arguments.end(), {name, std::to_string(*option)});
  if (!reference.empty())
    arguments.insert(arguments.end(), {"--reference", reference});
  return arguments;
}

/// Runs the mjolnir-bench beside this program; its exit code.
static int measure(const char *program, const std::vector<std::string> &arguments) {
  std::string self = llvm::sys::fs::getMainExecutable(program, reinterpret_cast<void *>(&measure));
  llvm::SmallString<128> bench(llvm::sys::path::parent_path(self));
  llvm::sys::path::append(bench, "mjolnir-bench");
  if (!llvm::sys::fs::can_execute(bench)) {
    complain("there is no mjolnir-bench beside " + self + "; use --emit=OUT.mjp, and mjolnir-bench where there is one");
    return kFailed;
  }
  std::string error;
  int code = llvm::sys::ExecuteAndWait(bench, llvm::SmallVector<llvm::StringRef>(arguments.begin(), arguments.end()),
                                       std::nullopt, {}, 0, 0, &error);
  if (!error.empty())
    complain("mjolnir-bench: " + error);
  return code < 0 ? kFailed : code;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter(
      [](llvm::raw_ostream &out) { out << "mjolnir-tune " << kVersion << ", LLVM " << LLVM_VERSION_STRING << "\n"; });
  const char *overview =
      "Finds the fastest schedules of a model's kernels on a device, each against the best so far, run in turn.\n\n"
      "MODEL is a Hugging Face folder, or a file of IR in phase schedule or before.\n"
      "  mjolnir-tune MODEL --table=tuning.json                                     on this machine's CPU\n"
      "  mjolnir-tune MODEL --target=cuda:sm_90a --emit=candidates.mjp              for a machine without a compiler,\n"
      "  mjolnir-bench candidates.mjp --tune tuning.json                            which does this\n"
      "  mjolnir-compile MODEL --tuning=tuning.json -o model.mjp\n\n"
      "Exit codes: 0 success, 1 failure, 2 the command line is wrong.\n";
  CompileRequest request;
  if (!cl::ParseCommandLineOptions(argc, argv, overview, &llvm::errs()) || !readCommandLine(request))
    return kUsage;
  // The linker resets the options of the command line while it works: they are not read after it.
  const bool measuresHere = emitted.empty();
  llvm::SmallString<128> package(emitted);
  if (measuresHere)
    if (std::error_code error = llvm::sys::fs::createTemporaryFile("mjolnir-tune", "mjp", package)) {
      complain("cannot make a temporary file: " + error.message());
      return kFailed;
    }
  llvm::scope_exit cleanUp([&] {
    if (measuresHere)
      llvm::sys::fs::remove(package);
  });
  const std::vector<std::string> arguments = measureArguments(package);
  request.output = package.str();
  tune::Counts counts;
  request.addCandidates = [&](mlir::ModuleOp module, const Target &chip) {
    return tune::addCandidates(module, chip, counts);
  };

  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerPassesAndTargets();
  mlir::MLIRContext context(registry);
  mlir::ScopedDiagnosticHandler printer(&context, printDiagnostic);
  context.printOpOnDiagnostic(false);
  if (failed(compile(context, request)))
    return kFailed;
  llvm::errs() << counts.candidates << " schedules of " << counts.regions << " regions"
               << (measuresHere ? "" : " in " + package.str()) << "\n";
  return measuresHere ? measure(argv[0], arguments) : kSuccess;
}
