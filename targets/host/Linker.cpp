// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Runs lld as a library. lld reads and writes files, so the objects pass through a temporary folder.
#include "targets/host/Linker.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace mlir;

namespace mjolnir::host {
namespace {

struct TemporaryFolder {
  SmallString<128> path;
  ~TemporaryFolder() {
    if (!path.empty())
      llvm::sys::fs::remove_directories(path);
  }
};

LogicalResult writeFile(StringRef path, ArrayRef<char> bytes, llvm::raw_ostream &errors) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error) {
    stream.write(bytes.data(), bytes.size());
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error) {
    errors << "cannot write " << path << ": " << error.message();
    return failure();
  }
  return success();
}

} // namespace

FailureOr<SmallVector<char, 0>> linkSharedObject(ArrayRef<SmallVector<char, 0>> objects, llvm::raw_ostream &errors) {
  // lld keeps its state in globals.
  static std::mutex mutex;
  static bool usable = true;
  std::lock_guard<std::mutex> lock(mutex);
  if (!usable) {
    errors << "an earlier link crashed";
    return failure();
  }

  TemporaryFolder folder;
  if (std::error_code error = llvm::sys::fs::createUniqueDirectory("mjolnir-link", folder.path)) {
    errors << "cannot make a temporary folder: " << error.message();
    return failure();
  }
  auto inFolder = [&](const Twine &name) {
    SmallString<128> path = folder.path;
    llvm::sys::path::append(path, name);
    return std::string(path);
  };
  std::string output = inFolder("kernels.so");
  std::vector<std::string> arguments = {"ld.lld",          "-shared",     "-o",          output, "--no-undefined",
                                        "--build-id=none", "--strip-all", "--threads=1", "-z",   "noexecstack"};
  for (size_t index = 0; index < objects.size(); ++index) {
    arguments.push_back(inFolder(Twine(index) + ".o"));
    if (failed(writeFile(arguments.back(), objects[index], errors)))
      return failure();
  }
  std::vector<const char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());

  std::string messages;
  llvm::raw_string_ostream stream(messages);
  lld::Result result = lld::lldMain(pointers, llvm::nulls(), stream, {{lld::Gnu, &lld::elf::link}});
  usable = result.canRunAgain;
  if (result.retCode != 0) {
    errors << StringRef(messages).rtrim();
    return failure();
  }
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> image = llvm::MemoryBuffer::getFile(output, false, false);
  if (!image) {
    errors << "cannot read " << output << ": " << image.getError().message();
    return failure();
  }
  return SmallVector<char, 0>((*image)->getBuffer().begin(), (*image)->getBuffer().end());
}

} // namespace mjolnir::host
