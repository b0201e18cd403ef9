// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-verify: where the numbers of a package differ from those of the oracle, or from an array of files.
#include "Arrays.h"
#include "ObservedPackage.h"
#include "Report.h"
#include "Steps.h"

#include "mjolnir/Pipeline/Compile.h"
#include "mjolnir/Pipeline/Registration.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"

using namespace mjolnir;
using namespace mjolnir::verify;
namespace cl = llvm::cl;

static cl::OptionCategory category("mjolnir-verify options");
static cl::opt<std::string> packagePath(cl::Positional, cl::desc("MODEL.mjp"), cl::Required, cl::cat(category));
static cl::opt<std::string> against("against",
                                    cl::desc("'oracle' (the default): the unfused f32 program of --oracle or --model; "
                                             "or FILE.npz, arrays called as the entry's outputs"),
                                    cl::value_desc("WHAT"), cl::init("oracle"), cl::cat(category));
static cl::opt<std::string> oracle("oracle", cl::desc("The oracle, a package of mjolnir-compile --oracle"),
                                   cl::value_desc("ORACLE.mjp"), cl::cat(category));
static cl::opt<std::string> model("model",
                                  cl::desc("What the package was made of, a folder or a file of IR in phase "
                                           "input: the oracle is compiled from it"),
                                  cl::value_desc("MODEL"), cl::cat(category));
static cl::opt<std::string> checkpoint("checkpoint", cl::desc("With a file of IR: the folder of its weights"),
                                       cl::value_desc("FOLDER"), cl::cat(category));
static cl::list<int32_t> tokens("tokens", cl::CommaSeparated, cl::desc("Feed a language model these token ids"),
                                cl::value_desc("ID,..."), cl::cat(category));
static cl::opt<std::string> tokenFile("token-file", cl::desc("The same from an .npy file of i32"),
                                      cl::value_desc("FILE.npy"), cl::cat(category));
static cl::opt<std::string> entryName("entry",
                                      cl::desc("Run this entry (default: prefill and decode, or the only one)"),
                                      cl::value_desc("NAME"), cl::cat(category));
static cl::list<std::string> inputs("input", cl::desc("An input of a plain entry, from an .npy file"),
                                    cl::value_desc("NAME=@FILE"), cl::cat(category));
static cl::opt<double> valueGate("value-gate",
                                 cl::desc("Largest error of a value inside, root mean square over root mean square "
                                          "(default: 0.05 for bf16, 1e-4 for f32)"),
                                 cl::value_desc("ERROR"), cl::init(0), cl::cat(category));
static cl::opt<double> outputGate("output-gate", cl::desc("The same of outputs (default: as of values)"),
                                  cl::value_desc("ERROR"), cl::init(0), cl::cat(category));
static cl::opt<bool> noArgmax("no-argmax-gate", cl::desc("Let the largest logit be another one"), cl::cat(category));
static cl::opt<unsigned> top("top", cl::desc("How many values to print (default: 10)"), cl::init(10),
                             cl::cat(category));
static cl::opt<bool> json("json", cl::desc("Print JSON, all values"), cl::cat(category));

enum ExitCode { kPassed = 0, kFailed = 1, kUsage = 2 };

static int complain(const llvm::Twine &message, ExitCode code = kFailed) {
  llvm::errs() << "mjolnir-verify: error: " << message << "\n";
  return code;
}

/// What the command line says; the linker of a compilation resets it.
struct Request {
  std::string package, against, oracle, model, checkpoint, entry;
  std::vector<int32_t> tokens;
  std::vector<std::string> inputs;
  Gates gates;
  unsigned top;
  bool json;
};

/// Compiles the oracle with the entries of `observed` to `path`.
static llvm::Error compileOracle(const ObservedPackage &observed, const Request &request, llvm::StringRef path) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerPassesAndTargets();
  mlir::MLIRContext context(registry);
  std::string said;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
      said += (said.empty() ? "" : "\n") + diagnostic.str();
    return mlir::success();
  });
  CompileRequest compilation;
  compilation.model = request.model;
  compilation.checkpoint = request.checkpoint;
  compilation.output = path.str();
  compilation.options = oracleOptions(observed);
  if (failed(compile(context, compilation)))
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "the oracle does not compile: " + said);
  return llvm::Error::success();
}

/// Of a value over the entry's rows only those that are not padding.
static void dropPadding(Stored &value, const Step &step) {
  if (value.shape.empty())
    return;
  int64_t kept = value.shape.front();
  if (step.entryRows && value.shape.front() == step.entryRows)
    kept = step.rows;
  else if (step.entrySequences && value.shape.front() == step.entrySequences)
    kept = step.sequences;
  value.elements.resize(value.elements.size() / value.shape.front() * kept);
  value.shape.front() = kept;
}

static llvm::Error compareWithOracle(ObservedPackage &observed, ObservedPackage &reference,
                                     const std::vector<Step> &steps, Report &report) {
  for (const Step &step : steps) {
    llvm::Expected<size_t> entry = observed.findEntry(step.entry), other = reference.findEntry(step.entry);
    if (!entry)
      return entry.takeError();
    if (!other)
      return other.takeError();
    std::map<std::string, Stored> wanted;
    if (llvm::Error error = reference.run(*other, step.inputs, [&](Stored value) {
          dropPadding(value, step);
          std::string name = value.name;
          wanted[name] = std::move(value);
        }))
      return error;
    if (llvm::Error error = observed.run(*entry, step.inputs, [&](Stored value) {
          dropPadding(value, step);
          auto found = wanted.find(value.name);
          if (found == wanted.end() || found->second.elements.size() != value.elements.size())
            return report.addUnmatched();
          bool isOutput = llvm::StringRef(value.name).starts_with("output ");
          Comparison &comparison = report.at(step.entry, value.name, isOutput);
          // Token ids are what the logits say: the gate of the largest logit is about them.
          if (value.dtype.code == kDLInt)
            return;
          comparison.add(value.elements, found->second.elements);
          if (step.entryRows && value.name == "output logits")
            comparison.addRows(value.elements, found->second.elements, size_t(value.shape.back()));
        }))
      return error;
  }
  return llvm::Error::success();
}

static llvm::Error compareWithArrays(ObservedPackage &observed, const std::map<std::string, FileArray> &arrays,
                                     const std::vector<Step> &steps, Report &report) {
  auto fail = [](const llvm::Twine &what) { return llvm::createStringError(llvm::inconvertibleErrorCode(), what); };
  const Step &step = steps.back();
  std::vector<Stored> outputs;
  for (const Step &each : steps) {
    llvm::Expected<size_t> entry = observed.findEntry(each.entry);
    if (!entry)
      return entry.takeError();
    outputs.clear();
    if (llvm::Error error = observed.run(*entry, each.inputs, [&](Stored value) {
          dropPadding(value, each);
          if (llvm::StringRef(value.name).starts_with("output "))
            outputs.push_back(std::move(value));
        }))
      return error;
  }
  size_t compared = 0;
  for (const Stored &output : outputs) {
    auto found = arrays.find(output.name.substr(7));
    if (found == arrays.end())
      continue;
    if (!holds(found->second, output.dtype) || found->second.shape != output.shape)
      return fail("array '" + found->first + "' of type " + found->second.descr +
                  " has another type or shape than the output, " + describe(output.dtype, output.shape));
    std::vector<float> wanted = toFloats(found->second.bytes.data(), output.dtype, output.elements.size());
    report.at(step.entry, output.name, true).add(output.elements, wanted);
    ++compared;
  }
  if (compared != arrays.size())
    return fail("the file holds " + llvm::Twine(arrays.size()) + " arrays, of which " + llvm::Twine(compared) +
                " are called as outputs of entry '" + step.entry + "'");
  return llvm::Error::success();
}

static int verifyPackage(const Request &request) {
  auto observed = ObservedPackage::open(request.package, 0, 0);
  if (!observed)
    return complain(llvm::toString(observed.takeError()));
  const fb::Program &program = (*observed)->package().program();
  Gates gates = request.gates;
  bool isF32 = program.language_model() && program.language_model()->activations() &&
               program.language_model()->activations()->str() == "f32";
  if (gates.value == 0)
    gates.value = isF32 ? 1e-4 : 0.05;
  if (gates.output == 0)
    gates.output = gates.value;

  std::string entry = request.entry;
  if (entry.empty() && request.tokens.empty()) {
    if (program.entries()->size() != 1)
      return complain("the package has several entries: give --entry, or tokens to a language model");
    entry = program.entries()->Get(0)->name()->str();
  }
  auto steps =
      request.tokens.empty() ? stepOf(**observed, entry, request.inputs) : stepsOf(**observed, request.tokens, entry);
  if (!steps)
    return complain(llvm::toString(steps.takeError()));

  Report report(request.package, request.against == "oracle" ? "the oracle" : request.against, gates);
  llvm::Error error = llvm::Error::success();
  if (request.against != "oracle") {
    auto arrays = readNpzFile(request.against);
    if (!arrays)
      return complain(llvm::toString(arrays.takeError()));
    error = llvm::joinErrors(std::move(error), compareWithArrays(**observed, *arrays, *steps, report));
  } else {
    if (!(*observed)->hasNames())
      llvm::errs() << "mjolnir-verify: warning: the package does not say which values it stores; only outputs are "
                      "compared\n";
    llvm::SmallString<128> path(request.oracle);
    if (request.oracle.empty()) {
      if (llvm::sys::fs::createTemporaryFile("mjolnir-oracle", "mjp", path))
        return complain("there is no room for the oracle in the folder of temporary files");
      if (llvm::Error failed = compileOracle(**observed, request, path)) {
        (void)llvm::sys::fs::remove(path);
        return complain(llvm::toString(std::move(failed)));
      }
    }
    auto reference = ObservedPackage::open(path.str().str(), 0, (*observed)->kvPages());
    if (request.oracle.empty())
      (void)llvm::sys::fs::remove(path);
    if (!reference)
      return complain(llvm::toString(reference.takeError()));
    error = llvm::joinErrors(std::move(error), compareWithOracle(**observed, **reference, *steps, report));
  }
  if (error)
    return complain(llvm::toString(std::move(error)));
  if (request.json)
    report.printJson(llvm::outs());
  else
    report.print(llvm::outs(), request.top);
  return report.passed() ? kPassed : kFailed;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter(
      [](llvm::raw_ostream &out) { out << "mjolnir-verify " << kVersion << ", LLVM " << LLVM_VERSION_STRING << "\n"; });
  const char *overview =
      "Compares what a package computes, value by value, with the unfused f32 program on the same inputs.\n\n"
      "The package runs as it is; what its kernels store is read after each of them.\n"
      "  mjolnir-verify MODEL.mjp --model=CHECKPOINT --tokens=1,2,3\n"
      "  mjolnir-verify MODEL.mjp --oracle=ORACLE.mjp --entry=main --input=x=@x.npy\n"
      "  mjolnir-verify MODEL.mjp --against=expected.npz --entry=main --input=x=@x.npy\n\n"
      "Exit codes: 0 all gates passed, 1 a gate failed or nothing could be compared, 2 the command line is wrong.\n";
  if (!cl::ParseCommandLineOptions(argc, argv, overview, &llvm::errs()))
    return kUsage;
  Request request{packagePath, against,    oracle,
                  model,       checkpoint, entryName,
                  tokens,      inputs,     Gates{valueGate, outputGate, !noArgmax},
                  top, json};
  if (!tokenFile.empty()) {
    if (!tokens.empty())
      return complain("--token-file excludes --tokens", kUsage);
    auto file = readNpyFile(tokenFile);
    if (!file)
      return complain(llvm::toString(file.takeError()));
    if (file->descr != "<i4")
      return complain("'" + tokenFile + "' holds " + file->descr + ", not <i4");
    request.tokens.resize(file->bytes.size() / sizeof(int32_t));
    std::copy(file->bytes.begin(), file->bytes.end(), reinterpret_cast<char *>(request.tokens.data()));
  }
  if (request.against == "oracle" && request.oracle.empty() == request.model.empty())
    return complain("give either --oracle=ORACLE.mjp or --model=MODEL to compare with", kUsage);
  if (request.against != "oracle" && !llvm::StringRef(request.against).ends_with(".npz"))
    return complain("--against takes 'oracle' or FILE.npz", kUsage);
  if (!request.inputs.empty() && !request.tokens.empty())
    return complain("--input excludes tokens", kUsage);
  return verifyPackage(request);
}
