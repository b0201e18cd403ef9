// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The compiler as a library: import, the phases, code, package.
#include "mjolnir/Pipeline/Compile.h"

#include "lib/Pipeline/BuildPackage.h"
#include "lib/Pipeline/KvBudget.h"
#include "mjolnir/Import/HuggingFace.h"
#include "mjolnir/Report/Report.h"
#include "mjolnir/Target/Target.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace mjolnir;

namespace {

class Compiler {
public:
  Compiler(MLIRContext &context, const CompileRequest &request)
      : context(context), request(request), options(request.options), loc(UnknownLoc::get(&context)) {}

  LogicalResult run() {
    std::string error;
    target = createTarget(options.target, error);
    if (!target)
      return emitError(loc) << error;
    if (options.oracle && options.fp8.isWanted())
      return emitError(loc) << "the oracle is the program in f32 that others are measured against: it has no FP8";
    if (failed(checkOutput()) || failed(load()) || failed(runPasses(first, /*verifyOnly=*/true)) ||
        failed(verifySchedules()))
      return failure();
    if (failed(finishPhase(first)) || failed(addCandidates(first)))
      return failure();
    if (isDone(first))
      return writeReports({});
    for (int index = static_cast<int>(first) + 1; index <= static_cast<int>(Phase::code); ++index) {
      auto phase = static_cast<Phase>(index);
      tell(stringifyPhase(phase));
      if (failed(phase == Phase::code ? generateCode() : runPasses(phase, /*verifyOnly=*/false)))
        return failure();
      setPhase(*module, phase);
      if (failed(finishPhase(phase)) || failed(addCandidates(phase)))
        return failure();
      if (isDone(phase))
        return writeReports({});
    }
    PackageSummary summary;
    if (failed(buildPackage(*module, *target, checkpoint.get(), request.output, candidates, summary,
                            [&](size_t done, size_t total) { tell("weights", done, total); })))
      return failure();
    if (request.summarize)
      request.summarize(summary);
    return writeReports(summary);
  }

private:
  void tell(StringRef what, size_t done = 0, size_t total = 0) {
    if (request.progress)
      request.progress(what, done, total);
  }

  bool isDone(Phase phase) { return request.compileTo && *request.compileTo == phase; }

  /// Entries that mjolnir-tune compares, once there are schedules.
  LogicalResult addCandidates(Phase phase) {
    if (!request.addCandidates || phase < Phase::schedule || !candidates.empty())
      return success();
    if (phase > Phase::schedule)
      return module->emitError() << "is in phase " << stringifyPhase(phase)
                                 << ": schedules are tried in phase schedule; start at it or before";
    FailureOr<std::string> index = request.addCandidates(*module, *target);
    if (failed(index))
      return failure();
    candidates = std::move(*index);
    return success();
  }

  LogicalResult openCheckpoint(StringRef folder) {
    auto opened = Checkpoint::open(folder);
    if (!opened)
      return emitError(loc) << llvm::toString(opened.takeError());
    checkpoint = std::move(*opened);
    for (const std::string &warning : checkpoint->warnings())
      emitWarning(loc) << warning;
    return success();
  }

  /// What cannot be written is better known before the work than after it.
  LogicalResult checkOutput() {
    if (!request.reports.empty() && request.compileTo && *request.compileTo < Phase::plan)
      return emitError(loc) << "a report shows a planned program: compile to phase plan or further, not to "
                            << stringifyPhase(*request.compileTo);
    for (StringRef path : request.reports)
      if (failed(checkFile(path)))
        return failure();
    return checkFile(request.output);
  }

  LogicalResult checkFile(StringRef path) {
    if (path.empty() || path == "-")
      return success();
    StringRef folder = llvm::sys::path::parent_path(path);
    if (!folder.empty() && !llvm::sys::fs::is_directory(folder))
      return emitError(loc) << "cannot write '" << path << "': there is no folder '" << folder << "'";
    if (llvm::sys::fs::is_directory(path))
      return emitError(loc) << "cannot write '" << path << "': it is a folder; name a file in it";
    return success();
  }

  LogicalResult load() {
    if (llvm::sys::fs::is_directory(request.model)) {
      if (request.compileFrom)
        return emitError(loc) << "'" << request.model << "' is a folder: a compilation that starts at phase "
                              << stringifyPhase(*request.compileFrom) << " needs a file of IR";
      tell("import");
      if (failed(openCheckpoint(request.model)))
        return failure();
      ImportOptions import;
      if (options.maxContext > 0)
        import.maxContext = options.maxContext;
      auto imported = importHuggingFace(&context, *checkpoint, import);
      if (!imported)
        return emitError(loc) << llvm::toString(imported.takeError());
      module = std::move(*imported);
      // The module says what it was imported for, which may be less than was asked for: a warning has said so.
      options.maxContext = 0;
      first = Phase::input;
      return success();
    }
    std::string message;
    auto file = openInputFile(request.model, &message);
    if (!file)
      return emitError(loc) << message;
    if (!request.compileFrom && request.model != "-" && !StringRef(request.model).ends_with(".mlir") &&
        !StringRef(request.model).ends_with(".mlirbc"))
      return emitError(loc) << "'" << request.model
                            << "' is neither a Hugging Face folder nor a file of IR (.mlir, .mlirbc)";
    auto sources = std::make_shared<llvm::SourceMgr>();
    sources->AddNewSourceBuffer(std::move(file), llvm::SMLoc());
    module = parseSourceFile<ModuleOp>(sources, &context);
    if (!module)
      return failure();
    std::optional<Phase> stated = getPhase(*module);
    if (!stated && !request.compileFrom)
      return module->emitError("does not say its phase: give --compile-from, or the attribute mj.phase");
    first = request.compileFrom.value_or(stated.value_or(Phase::input));
    if (stated && *stated != first)
      return module->emitError() << "is in phase " << stringifyPhase(*stated) << ", not " << stringifyPhase(first)
                                 << ": leave out --compile-from, or change the attribute mj.phase";
    if (request.compileTo && *request.compileTo < first)
      return module->emitError() << "is in phase " << stringifyPhase(first) << ", which is past "
                                 << stringifyPhase(*request.compileTo);
    if (request.hasSizes && first != Phase::input)
      return module->emitError()
             << "is in phase " << stringifyPhase(first)
             << ": its entries have their sizes; --batch, --prefill and --max-context act on phase input";
    if (options.fp8.isWanted() && first >= Phase::numerics)
      return module->emitError() << "is in phase " << stringifyPhase(first)
                                 << ": its precisions are chosen; FP8 acts on phases input and graph";
    if (!options.libraries.empty() && first >= Phase::schedule)
      return module->emitError() << "is in phase " << stringifyPhase(first)
                                 << ": its schedules are chosen; --libraries acts on what comes before them";
    if (!request.checkpoint.empty())
      return openCheckpoint(request.checkpoint);
    return success();
  }

  LogicalResult runPasses(Phase phase, bool verifyOnly) {
    PassManager manager(&context);
    if (request.configure)
      request.configure(manager);
    if (verifyOnly)
      buildVerification(manager, phase);
    else
      buildPhase(manager, phase, options);
    // Entries that are worked on at the same time would mix their remarks: equal inputs have equal reports.
    bool isThreaded = !request.reports.empty() && context.isMultithreadingEnabled();
    if (isThreaded)
      context.disableMultithreading();
    LogicalResult result = manager.run(*module);
    if (isThreaded)
      context.enableMultithreading();
    return result;
  }

  /// Writes the reports of what was compiled, and packaged if there is a summary.
  LogicalResult writeReports(const std::optional<PackageSummary> &summary) {
    if (request.reports.empty())
      return success();
    tell("report");
    ReportFacts facts;
    facts.producer = ("mjolnir " + kVersion).str();
    facts.model = nameModel(checkpoint && !request.checkpoint.empty() ? request.checkpoint : request.model);
    facts.target = options.target;
    if (summary) {
      facts.package = llvm::sys::path::filename(request.output);
      facts.packageBytes = summary->packageBytes;
    }
    llvm::json::Object report = buildReport(*module, *target, request.remarks ? *request.remarks : RemarkLog(), facts);
    for (StringRef path : request.reports) {
      std::string message;
      auto file = openOutputFile(path, &message);
      if (!file)
        return emitError(loc) << message;
      if (path.ends_with(".json"))
        printReportJson(report, file->os());
      else
        printReportHtml(report, file->os());
      file->keep();
    }
    return success();
  }

  /// The last part of a path that says something: a folder is often called "model".
  static std::string nameModel(StringRef path) {
    SmallString<128> absolute(path);
    llvm::sys::fs::make_absolute(absolute);
    llvm::sys::path::remove_dots(absolute, /*remove_dot_dot=*/true);
    StringRef name = llvm::sys::path::filename(absolute);
    if (name == "model")
      name = llvm::sys::path::filename(llvm::sys::path::parent_path(absolute));
    return (name.ends_with(".mlir") || name.ends_with(".mlirbc") ? llvm::sys::path::stem(name) : name).str();
  }

  /// Of kernels that a file brings: lower-to-exec looks at those of regions.
  LogicalResult verifySchedules() {
    for (auto kernel : module->getOps<exec::KernelOp>())
      if (failed(target->verifySchedule(kernel, kernel.getSchedule(), kernel.getBody().front())))
        return failure();
    return success();
  }

  LogicalResult generateCode() {
    FailureOr<SmallVector<Image>> images = target->generateCode(*module, request.code);
    if (failed(images))
      return failure();
    OpBuilder builder = OpBuilder::atBlockBegin(module->getBody());
    for (const Image &image : *images) {
      auto type = RankedTensorType::get({int64_t(image.bytes.size())}, builder.getI8Type());
      auto bytes = DenseIntElementsAttr::getFromRawBuffer(type, image.bytes);
      // Without its extension; the folder keeps it apart from the kernel that it may be named after.
      exec::ImageOp::create(builder, loc, StringRef(image.member).rsplit('.').first, image.member,
                            cast<DenseIntElementsAttr>(bytes));
    }
    return success();
  }

  LogicalResult planKv() {
    format::KvDemand demand;
    demand.sessions = request.kv->sessions;
    demand.memory = request.kv->memory;
    demand.budget = request.kv->kvBudget;
    FailureOr<std::string> text = planKvBudget(*module, *target, demand);
    if (succeeded(text) && request.tellKvPlan)
      request.tellKvPlan(*text);
    return text;
  }

  /// Writes what was asked for of a phase that just ended.
  LogicalResult finishPhase(Phase phase) {
    if (phase == Phase::plan && request.kv && failed(planKv()))
      return failure();
    if (!request.dumpPhases.empty()) {
      if (std::error_code error = llvm::sys::fs::create_directories(request.dumpPhases))
        return emitError(loc) << "cannot make the folder '" << request.dumpPhases << "': " << error.message();
      SmallString<128> path(request.dumpPhases);
      llvm::sys::path::append(path,
                              llvm::formatv("{0}-{1}.mlir", static_cast<int>(phase), stringifyPhase(phase)).str());
      if (failed(print(path)))
        return failure();
    }
    return isDone(phase) ? print(request.output.empty() ? "-" : StringRef(request.output)) : success();
  }

  LogicalResult print(StringRef path) {
    std::string message;
    auto file = openOutputFile(path, &message);
    if (!file)
      return emitError(loc) << message;
    module->print(file->os(), OpPrintingFlags().useLocalScope());
    file->os() << "\n";
    file->keep();
    return success();
  }

  MLIRContext &context;
  const CompileRequest &request;
  PipelineOptions options;
  Location loc;
  Phase first = Phase::input;
  std::unique_ptr<Target> target;
  std::unique_ptr<Checkpoint> checkpoint;
  OwningOpRef<ModuleOp> module;
  std::string candidates; ///< what addCandidates of the request returned
};

} // namespace

LogicalResult mjolnir::compile(MLIRContext &context, const CompileRequest &request) {
  return Compiler(context, request).run();
}
