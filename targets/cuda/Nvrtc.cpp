// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Opening NVRTC, and reading what its assembler reports.
#include "targets/cuda/Nvrtc.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/DynamicLibrary.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include <mutex>

using namespace mjolnir::cuda;
using llvm::StringRef;

llvm::Expected<const Nvrtc *> Nvrtc::get() {
  static std::mutex mutex;
  static Nvrtc nvrtc;
  std::lock_guard<std::mutex> lock(mutex);
  if (!nvrtc.create)
    if (llvm::Error error = nvrtc.open())
      return std::move(error);
  return &nvrtc;
}

llvm::Error Nvrtc::open() {
  // First what the user names, then what the system's loader finds, then a toolkit.
  llvm::SmallVector<std::string> candidates;
  if (auto named = llvm::sys::Process::GetEnv("MJOLNIR_NVRTC"))
    candidates.push_back(*named);
  for (StringRef name : {"libnvrtc.so.13", "libnvrtc.so.12"})
    candidates.push_back(name.str());
  for (StringRef root : {"CUDA_HOME", "CUDA_PATH"})
    if (auto folder = llvm::sys::Process::GetEnv(root))
      candidates.push_back(*folder + "/lib64/libnvrtc.so");
  candidates.push_back("/usr/local/cuda/lib64/libnvrtc.so");
  std::string reason, folder;
  llvm::sys::DynamicLibrary library;
  for (const std::string &candidate : candidates) {
    library = llvm::sys::DynamicLibrary::getPermanentLibrary(candidate.c_str(), &reason);
    if (library.isValid()) {
      folder = llvm::sys::path::parent_path(candidate).str();
      break;
    }
  }
  if (!library.isValid())
    return llvm::createStringError("NVRTC, which compiles CUDA kernels, was not found (" +
                                   llvm::join(candidates, ", ") +
                                   "): install a CUDA toolkit, or the Python package nvidia-cuda-nvrtc and name its "
                                   "libnvrtc.so.13 in MJOLNIR_NVRTC");
  bool isComplete = true;
  auto find = [&](const char *symbol, auto &function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(library.getAddressOfSymbol(symbol));
    isComplete &= function != nullptr;
  };
  find("nvrtcVersion", getVersion);
  find("nvrtcDestroyProgram", destroy);
  find("nvrtcCompileProgram", run);
  find("nvrtcGetProgramLogSize", logSize);
  find("nvrtcGetProgramLog", log);
  find("nvrtcGetCUBINSize", cubinSize);
  find("nvrtcGetCUBIN", cubin);
  find("nvrtcGetPTXSize", ptxSize);
  find("nvrtcGetPTX", ptx);
  find("nvrtcCreateProgram", create);
  if (isComplete) {
    // It opens a second library by its name alone, which finds the one beside it only where the system knows its folder,
    // or the library is open already.
    std::string builtins = folder + "/libnvrtc-builtins.so." + version();
    if (!folder.empty())
      llvm::sys::DynamicLibrary::getPermanentLibrary(builtins.c_str(), &reason);
    return llvm::Error::success();
  }
  create = nullptr;
  return llvm::createStringError("NVRTC is too old: it lacks functions of version 12; install CUDA 13's");
}

/// The number before `unit` in `line`, as in "Used 52 registers"; 0 if there is none.
static int64_t numberBefore(StringRef line, StringRef unit) {
  size_t end = line.find(unit);
  if (end == StringRef::npos)
    return 0;
  StringRef before = line.take_front(end).rtrim();
  size_t start = before.find_last_not_of("0123456789");
  int64_t number = 0;
  before.drop_front(start == StringRef::npos ? 0 : start + 1).getAsInteger(10, number);
  return number;
}

std::string Nvrtc::version() const {
  int major = 0, minor = 0;
  getVersion(&major, &minor);
  return std::to_string(major) + "." + std::to_string(minor);
}

llvm::ArrayRef<StringRef> Nvrtc::options() {
  // -v makes the assembler say what a kernel takes; 177: variables that are not used.
  static constexpr StringRef list[] = {"--std=c++17", "-default-device", "--ptxas-options=-v", "--diag-suppress=177"};
  return list;
}

llvm::Expected<CompiledKernel> Nvrtc::compile(const CompileKernelRequest &request) const {
  std::vector<const char *> names, texts;
  for (const DeviceHeader &header : request.headers) {
    names.push_back(header.name);
    texts.push_back(header.text);
  }
  std::string file = request.name + ".cu", chip = "--gpu-architecture=" + request.architecture;
  Program program = nullptr;
  if (create(&program, request.source.c_str(), file.c_str(), names.size(), texts.data(), names.data()) != 0)
    return llvm::createStringError("NVRTC cannot start on kernel " + request.name);
  std::vector<const char *> arguments{chip.c_str()};
  for (StringRef option : options())
    arguments.push_back(option.data());
  // Since 12.9 what a machine with a driver compiled before comes from the driver's cache, without what the assembler
  // says of it.
  int major = 0, minor = 0;
  getVersion(&major, &minor);
  if (std::pair(major, minor) >= std::pair(12, 9))
    arguments.push_back("--no-cache");
  int result = run(program, arguments.size(), arguments.data());
  size_t size = 0;
  std::string text;
  if (logSize(program, &size) == 0 && size > 1) {
    text.resize(size);
    log(program, text.data());
  }
  CompiledKernel kernel;
  const bool isPtx = StringRef(request.architecture).starts_with("compute_");
  if (result == 0 && (isPtx ? ptxSize : cubinSize)(program, &size) == 0 && size > 0) {
    kernel.code.resize(size);
    result = (isPtx ? ptx : cubin)(program, kernel.code.data());
  }
  destroy(&program);
  if (result != 0 || kernel.code.empty())
    return llvm::createStringError("NVRTC refuses kernel " + request.name + " for " + request.architecture + ":\n" +
                                   StringRef(text).rtrim(StringRef("\0\n", 2)));
  // The assembler, which knows more of a kernel, has not seen PTX.
  StringRef mentions(isPtx ? StringRef(kernel.code.data(), kernel.code.size()) : StringRef(text));
  if (!mentions.contains(isPtx ? ".entry " + request.name + "(" : "function '" + request.name + "'"))
    return llvm::createStringError("the source of kernel " + request.name + " defines no kernel of that name");
  if (isPtx)
    return kernel;
  for (StringRef line : llvm::split(StringRef(text), '\n')) {
    if (line.contains("registers")) {
      kernel.registers = numberBefore(line, " registers");
      kernel.sharedBytes = numberBefore(line, " bytes smem");
    } else if (line.contains("bytes stack frame")) {
      kernel.stackBytes = numberBefore(line, " bytes stack frame");
      kernel.spillBytes = numberBefore(line, " bytes spill stores") + numberBefore(line, " bytes spill loads");
    }
  }
  return kernel;
}
