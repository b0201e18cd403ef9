// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// --dump-kernels and --load-kernels.
#include "targets/cuda/KernelFiles.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mjolnir::cuda;
using llvm::StringRef;

static llvm::Error writeText(StringRef folder, StringRef name, StringRef text) {
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, name);
  std::error_code error;
  llvm::raw_fd_ostream out(path, error);
  if (!error) {
    out << text;
    out.close();
    error = out.error();
    out.clear_error();
  }
  return error ? llvm::createStringError("cannot write '" + path.str() + "': " + error.message())
               : llvm::Error::success();
}

llvm::Error mjolnir::cuda::dumpKernels(llvm::ArrayRef<CompileKernelRequest> kernels, StringRef folder) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError("cannot make the folder '" + folder + "': " + error.message());
  llvm::StringSet<> written;
  for (const CompileKernelRequest &kernel : kernels) {
    if (llvm::Error error = writeText(folder, kernel.name + ".cu", kernel.source))
      return error;
    for (const DeviceHeader &header : kernel.headers)
      if (written.insert(header.name).second)
        if (llvm::Error error = writeText(folder, header.name, header.text))
          return error;
  }
  return llvm::Error::success();
}

llvm::Expected<LoadedKernels> LoadedKernels::read(StringRef folder, llvm::ArrayRef<CompileKernelRequest> kernels) {
  LoadedKernels loaded;
  std::vector<std::string> paths;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator file(folder, error), end; file != end && !error; file.increment(error))
    paths.push_back(file->path());
  if (error)
    return llvm::createStringError("cannot read the folder '" + folder + "' of kernels: " + error.message());
  llvm::sort(paths);
  for (const std::string &path : paths) {
    StringRef name = llvm::sys::path::filename(path), stem = llvm::sys::path::stem(path);
    bool isKernel = name.ends_with(".cu");
    const auto *kernel = llvm::find_if(kernels, [&](const auto &kernel) { return isKernel && kernel.name == stem; });
    bool isHeader = !kernels.empty() && llvm::any_of(kernels.front().headers,
                                                     [&](const DeviceHeader &header) { return name == header.name; });
    if (kernel == kernels.end() && !isHeader)
      return llvm::createStringError(
          "'" + path +
          "' is neither the source of a kernel of this program nor one of the headers: dump the kernels "
          "with --dump-kernels=DIR, edit those files and keep their names; the kernels are " +
          llvm::join(llvm::map_range(kernels, [](const auto &kernel) { return StringRef(kernel.name); }), ", "));
    auto text = llvm::MemoryBuffer::getFile(path);
    if (!text)
      return llvm::createStringError("cannot read '" + path + "': " + text.getError().message());
    if (isHeader)
      loaded.headers.push_back(std::make_unique<const File>(File{name.str(), (*text)->getBuffer().str()}));
    else
      loaded.sources.emplace_back(kernel - kernels.begin(), (*text)->getBuffer().str());
  }
  return loaded;
}

/// The kernel of a generated source as a declaration: what stands before its body, without what a launch does not see.
static std::string declarationOf(StringRef source, StringRef name) {
  size_t parameters = source.find((name + "(").str(), source.find("extern \"C\" __global__"));
  StringRef signature = source.substr(parameters).split(") {").first;
  return ("extern \"C\" __global__ void " + signature + ");\n").str();
}

llvm::SmallVector<size_t> LoadedKernels::apply(llvm::MutableArrayRef<CompileKernelRequest> kernels) const {
  llvm::SmallVector<size_t> changed;
  for (const auto &[index, text] : sources) {
    CompileKernelRequest &kernel = kernels[index];
    bool isChanged = text != kernel.source;
    for (DeviceHeader &header : kernel.headers)
      for (const std::unique_ptr<const File> &file : headers)
        if (file->name == header.name && file->text != header.text) {
          header.text = file->text.c_str();
          isChanged = true;
        }
    if (!isChanged)
      continue;
    // A definition with other parameters contradicts this declaration, which names the line of it.
    kernel.source = text + "\n// What a launch passes:\n" + declarationOf(kernel.source, kernel.name);
    changed.push_back(index);
  }
  return changed;
}
