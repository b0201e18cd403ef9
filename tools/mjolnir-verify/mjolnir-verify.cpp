// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-verify: where the numbers of a package differ from those of the oracle, or from an array of files.
#include "Arrays.h"
#include "Calibrate.h"
#include "ObservedPackage.h"
#include "Oracle.h"
#include "Report.h"
#include "Sensitivity.h"
#include "Steps.h"
#include "Text.h"

#include "mjolnir/Pipeline/Compile.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

using namespace mjolnir;
using namespace mjolnir::verify;
namespace cl = llvm::cl;

static cl::OptionCategory category("mjolnir-verify options");
static cl::opt<std::string> packagePath(cl::Positional, cl::desc("MODEL.mjp"), cl::Optional, cl::cat(category));
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
static cl::opt<std::string> prompt("prompt", cl::desc("The same as text, by the package's tokenizer"),
                                   cl::value_desc("TEXT"), cl::cat(category));
static cl::opt<std::string> textFile("text", cl::desc("The same from a file of text"), cl::value_desc("FILE"),
                                     cl::cat(category));
static cl::opt<std::string> calibrateTo("calibrate",
                                        cl::desc("Instead of comparing, run the oracle of --model and write the "
                                                 "magnitudes that quantize-fp8 reads as its calibration"),
                                        cl::value_desc("OUT.json"), cl::cat(category));
static cl::opt<std::string> sensitivity("sensitivity", cl::ValueOptional,
                                        cl::desc("Instead of comparing, quantize each matmul or each layer of --model "
                                                 "alone and rank them by the error they make"),
                                        cl::value_desc("matmul|layer"), cl::cat(category));
static cl::opt<std::string> calibration("calibration", cl::desc("With --sensitivity: quantize with this calibration"),
                                        cl::value_desc("FILE.json"), cl::cat(category));
static cl::opt<unsigned> window("window",
                                cl::desc("With --calibrate and --sensitivity: tokens that are one sequence; text is "
                                         "cut into such (default: 512)"),
                                cl::value_desc("TOKENS"), cl::init(512), cl::cat(category));
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

/// The default gate of FP8: a code is off by up to 1/16 of its number, root mean square about 0.026, and the errors of
/// a layer's products go on to the next.
static constexpr double kF8Gate = 0.2;

static int complain(const llvm::Twine &message, ExitCode code = kFailed) {
  llvm::errs() << "mjolnir-verify: error: " << message << "\n";
  return code;
}

/// What the command line says; the linker of a compilation resets it.
struct Request {
  std::string package, against, oracle, entry, prompt, text;
  Source source;
  std::vector<int32_t> tokens;
  std::vector<std::string> inputs;
  Gates gates;
  unsigned top;
  bool json;
  std::string calibrateTo, sensitivity, calibration;
  unsigned window;

  bool hasTokens() const { return !tokens.empty() || !prompt.empty() || !text.empty(); }
};

/// The tokens that the request gives, as ids or as text for the tokenizer of `package`.
static llvm::Expected<std::vector<int32_t>> tokensOf(const Request &request, const ObservedPackage &package) {
  if (!request.tokens.empty())
    return request.tokens;
  if (request.text.empty())
    return tokensOf(package, request.prompt);
  llvm::Expected<std::string> text = readText(request.text);
  if (!text)
    return text.takeError();
  return tokensOf(package, *text);
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
    auto takeWanted = [&](Stored value) {
      dropPadding(value, step);
      std::string name = value.name;
      wanted[name] = std::move(value);
    };
    if (llvm::Error error = reference.run(*other, step.inputs, {takeWanted}))
      return error;
    auto takeValue = [&](Stored value) {
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
      comparison.addCodes(value.atLimit);
      if (step.entryRows && value.name == "output logits")
        comparison.addRows(value.elements, found->second.elements, size_t(value.shape.back()));
    };
    if (llvm::Error error = observed.run(*entry, step.inputs, {takeValue}))
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
    auto take = [&](Stored value) {
      dropPadding(value, each);
      if (llvm::StringRef(value.name).starts_with("output "))
        outputs.push_back(std::move(value));
    };
    if (llvm::Error error = observed.run(*entry, each.inputs, {take}))
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
  auto observed = ObservedPackage::open(request.package, 0, 0, 0);
  if (!observed)
    return complain(llvm::toString(observed.takeError()));
  const fb::Program &program = (*observed)->package().program();
  Gates gates = request.gates;
  bool isF32 = program.language_model() && program.language_model()->activations() &&
               program.language_model()->activations()->str() == "f32";
  auto isF8 = [](auto *stored) { return stored->dtype() == fb::DType::f8e4m3fn; };
  bool isQuantized = llvm::any_of(*program.weights(), isF8) || llvm::any_of(*program.kv_pools(), isF8);
  if (gates.value == 0)
    gates.value = isQuantized ? kF8Gate : isF32 ? 1e-4 : 0.05;
  if (gates.output == 0)
    gates.output = gates.value;

  std::string entry = request.entry;
  if (entry.empty() && !request.hasTokens()) {
    if (program.entries()->size() != 1)
      return complain("the package has several entries: give --entry, or tokens to a language model");
    entry = program.entries()->Get(0)->name()->str();
  }
  auto makeSteps = [&]() -> llvm::Expected<std::vector<Step>> {
    if (!request.hasTokens())
      return stepOf(**observed, entry, request.inputs);
    llvm::Expected<std::vector<int32_t>> fed = tokensOf(request, **observed);
    if (!fed)
      return fed.takeError();
    return stepsOf(**observed, *fed, entry);
  };
  llvm::Expected<std::vector<Step>> steps = makeSteps();
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
    std::optional<TemporaryPackage> made;
    if (request.oracle.empty()) {
      auto compiled = TemporaryPackage::compile(request.source, oracleOptions(**observed), "the oracle");
      if (!compiled)
        return complain(llvm::toString(compiled.takeError()));
      made.emplace(std::move(*compiled));
    }
    auto reference = ObservedPackage::open(made ? made->path() : request.oracle, 0, (*observed)->kvPages(),
                                           (*observed)->kvWindowPages());
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

/// Writes `write` to `path`, "-" for standard output.
static int writeTo(const std::string &path, llvm::function_ref<llvm::Error(llvm::raw_ostream &)> write) {
  std::error_code error;
  llvm::raw_fd_ostream file(path, error);
  if (error)
    return complain("cannot write '" + path + "': " + error.message());
  if (llvm::Error failed = write(file))
    return complain(llvm::toString(std::move(failed)));
  file.close();
  if (!file.error())
    return kPassed;
  std::string message = file.error().message();
  file.clear_error();
  return complain("cannot write '" + path + "': " + message);
}

/// Runs the oracle for --calibrate and --sensitivity.
static int measure(const Request &request) {
  PipelineOptions options;
  options.oracle = true;
  options.maxContext = request.window;
  auto compiled = TemporaryPackage::compile(request.source, options, "the oracle");
  if (!compiled)
    return complain(llvm::toString(compiled.takeError()));
  auto oracle = ObservedPackage::open(compiled->path(), 0, 0, 0);
  if (!oracle)
    return complain(llvm::toString(oracle.takeError()));

  std::vector<std::vector<int32_t>> windows;
  if (request.hasTokens()) {
    auto tokens = tokensOf(request, **oracle);
    if (!tokens)
      return complain(llvm::toString(tokens.takeError()));
    for (llvm::ArrayRef<int32_t> left = *tokens; !left.empty(); left = left.drop_front(windows.back().size()))
      windows.push_back(left.take_front(request.window).vec());
  }
  auto stepsWith = [&](const ObservedPackage &package, const std::string &entry) -> llvm::Expected<std::vector<Step>> {
    if (windows.empty())
      return stepOf(package, request.entry.empty() ? package.package().entry(0).name()->str() : request.entry,
                    request.inputs);
    std::vector<Step> all;
    for (const std::vector<int32_t> &tokens : windows) {
      llvm::Expected<std::vector<Step>> steps = stepsOf(package, tokens, entry);
      if (!steps)
        return steps.takeError();
      all.insert(all.end(), std::make_move_iterator(steps->begin()), std::make_move_iterator(steps->end()));
    }
    return all;
  };
  llvm::Expected<std::vector<Step>> steps = stepsWith(**oracle, "");
  if (!steps)
    return complain(llvm::toString(steps.takeError()));
  Ranges ranges;
  if (llvm::Error error = ranges.observe(**oracle, *steps))
    return complain(llvm::toString(std::move(error)));
  if (!request.calibrateTo.empty())
    if (int code = writeTo(request.calibrateTo, [&](llvm::raw_ostream &out) { return ranges.write(out); }))
      return code;
  if (request.sensitivity.empty())
    return kPassed;

  SensitivityRequest trial;
  trial.source = request.source;
  trial.options = options;
  trial.fp8.calibration = request.calibration.empty() ? request.calibrateTo : request.calibration;
  trial.weights = ranges.weights();
  trial.byLayer = request.sensitivity == "layer";
  trial.windows = windows;
  // A token a step: every one of them is predicted.
  trial.steps = [&](const ObservedPackage &package) { return stepsWith(package, "decode_b1"); };
  bool isTerminal = llvm::errs().is_displayed();
  trial.progress = [&](llvm::StringRef name, size_t done, size_t total) {
    if (isTerminal)
      llvm::errs() << "\r\033[K" << name << ", " << done + 1 << " of " << total;
  };
  auto result = Sensitivity::measure(trial);
  if (isTerminal)
    llvm::errs() << "\r\033[K";
  if (!result)
    return complain(llvm::toString(result.takeError()));
  if (request.json)
    result->printJson(llvm::outs());
  else
    result->print(llvm::outs());
  return kPassed;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter(
      [](llvm::raw_ostream &out) { out << "mjolnir-verify " << kVersion << ", LLVM " << LLVM_VERSION_STRING << "\n"; });
  const char *overview =
      "Compares what a package computes, value by value, with the unfused f32 program on the same inputs.\n\n"
      "The package runs as it is; what its kernels store is read after each of them.\n"
      "  mjolnir-verify MODEL.mjp --model=CHECKPOINT --prompt=\"Once upon a time\"\n"
      "  mjolnir-verify MODEL.mjp --oracle=ORACLE.mjp --entry=main --input=x=@x.npy\n"
      "  mjolnir-verify MODEL.mjp --against=expected.npz --entry=main --input=x=@x.npy\n\n"
      "For FP8, from what the f32 program computes of a text: the calibration of quantize-fp8, and what to exclude.\n"
      "  mjolnir-verify --model=CHECKPOINT --text=TEXT --calibrate=calibration.json\n"
      "  mjolnir-verify --model=CHECKPOINT --text=TEXT --sensitivity=layer\n\n"
      "Exit codes: 0 all gates passed, 1 a gate failed or nothing could be compared, 2 the command line is wrong.\n";
  if (!cl::ParseCommandLineOptions(argc, argv, overview, &llvm::errs()))
    return kUsage;
  Request request;
  request.package = packagePath, request.against = against, request.oracle = oracle, request.entry = entryName;
  request.prompt = prompt, request.text = textFile;
  request.source = {model, checkpoint};
  request.tokens = tokens, request.inputs = inputs;
  request.gates = {valueGate, outputGate, !noArgmax};
  request.top = top, request.json = json;
  request.calibrateTo = calibrateTo, request.calibration = calibration, request.window = window;
  if (sensitivity.getNumOccurrences())
    request.sensitivity = sensitivity.empty() ? "matmul" : sensitivity.getValue();
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
  if (!request.prompt.empty() + !request.text.empty() + !request.tokens.empty() > 1)
    return complain("give tokens, --prompt or --text, one of them", kUsage);
  if (!request.inputs.empty() && request.hasTokens())
    return complain("--input excludes tokens", kUsage);
  if (!request.calibrateTo.empty() || !request.sensitivity.empty()) {
    if (!request.package.empty() || !request.oracle.empty() || request.source.model.empty())
      return complain("--calibrate and --sensitivity run what they compile: give --model=MODEL, no package", kUsage);
    if (!request.hasTokens() && request.inputs.empty())
      return complain("give what to run the model on: --text, --prompt, tokens, or --input to a plain entry", kUsage);
    if (!llvm::is_contained({"", "matmul", "layer"}, request.sensitivity))
      return complain("--sensitivity takes 'matmul' or 'layer'", kUsage);
    if (request.window < 2)
      return complain("--window takes 2 tokens or more", kUsage);
    return measure(request);
  }
  if (request.package.empty())
    return complain("give the package, MODEL.mjp", kUsage);
  if (request.against == "oracle" && request.oracle.empty() == request.source.model.empty())
    return complain("give either --oracle=ORACLE.mjp or --model=MODEL to compare with", kUsage);
  if (request.against != "oracle" && !llvm::StringRef(request.against).ends_with(".npz"))
    return complain("--against takes 'oracle' or FILE.npz", kUsage);
  return verifyPackage(request);
}
