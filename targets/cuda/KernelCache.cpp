// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Files of compiled kernels: a fixed head, a digest of all that follows, numbers, machine code.
#include "targets/cuda/KernelCache.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CachePruning.h"
#include "llvm/Support/EndianStream.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

using namespace mjolnir::cuda;
using llvm::StringRef;

/// Changes when the files or what is hashed into their names change.
static constexpr llvm::StringLiteral kMagic = "mjolnir kernel 1\n";
static constexpr size_t kDigestBytes = 32;
static constexpr size_t kNumbers = 4;

llvm::Expected<KernelCache> KernelCache::open(StringRef folder) {
  KernelCache cache;
  if (folder.empty())
    return cache;
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError("the folder '" + folder + "' for compiled kernels cannot be made: " +
                                   error.message() + "; name another with --kernel-cache=DIR, or none");
  cache.folder = folder.str();
  return cache;
}

std::string KernelCache::keyOf(const CompileKernelRequest &request, StringRef compilerVersion) {
  llvm::SHA256 hash;
  auto add = [&](StringRef part) {
    // With its length: no two lists of parts are the same bytes.
    hash.update(std::to_string(part.size()));
    hash.update(":");
    hash.update(part);
  };
  add(kMagic);
  add(compilerVersion);
  for (StringRef option : Nvrtc::options())
    add(option);
  add(request.architecture);
  add(request.name);
  add(request.source);
  for (const DeviceHeader &header : request.headers) {
    add(header.name);
    add(header.text);
  }
  return llvm::toHex(hash.final(), /*LowerCase=*/true);
}

std::string KernelCache::pathOf(StringRef key) const {
  llvm::SmallString<128> path(folder);
  // The prefix is what LLVM's pruning asks of a file that it may delete.
  llvm::sys::path::append(path, "llvmcache-" + key);
  return path.str().str();
}

std::optional<CompiledKernel> KernelCache::find(StringRef key) const {
  if (folder.empty())
    return std::nullopt;
  std::string path = pathOf(key);
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return std::nullopt;
  StringRef text = (*file)->getBuffer();
  StringRef head = text.take_front(kMagic.size()), digest = text.drop_front(head.size()).take_front(kDigestBytes);
  StringRef rest = text.drop_front(head.size() + digest.size());
  std::array<uint8_t, 32> expected = llvm::SHA256::hash(llvm::arrayRefFromStringRef(rest));
  if (head != kMagic || digest != llvm::toStringRef(expected) || rest.size() <= kNumbers * sizeof(int64_t)) {
    (void)llvm::sys::fs::remove(path);
    return std::nullopt;
  }
  CompiledKernel kernel;
  for (int64_t *number : {&kernel.registers, &kernel.spillBytes, &kernel.stackBytes, &kernel.sharedBytes}) {
    *number = llvm::support::endian::read64le(rest.data());
    rest = rest.drop_front(sizeof(int64_t));
  }
  kernel.code.assign(rest.begin(), rest.end());
  return kernel;
}

void KernelCache::store(StringRef key, const CompiledKernel &kernel) const {
  if (folder.empty())
    return;
  std::string rest;
  llvm::raw_string_ostream stream(rest);
  llvm::support::endian::Writer writer(stream, llvm::endianness::little);
  for (int64_t number : {kernel.registers, kernel.spillBytes, kernel.stackBytes, kernel.sharedBytes})
    writer.write<int64_t>(number);
  stream << StringRef(kernel.code.data(), kernel.code.size());
  std::string path = pathOf(key);
  auto file = llvm::sys::fs::TempFile::create(path + ".%%%%%%.part");
  if (!file) {
    llvm::consumeError(file.takeError());
    return;
  }
  llvm::raw_fd_ostream out(file->FD, /*shouldClose=*/false);
  out << kMagic << llvm::toStringRef(llvm::SHA256::hash(llvm::arrayRefFromStringRef(rest))) << rest;
  out.flush();
  bool isWhole = !out.has_error();
  out.clear_error();
  llvm::consumeError(isWhole ? file->keep(path) : file->discard());
}

void KernelCache::prune() const {
  if (folder.empty())
    return;
  llvm::CachePruningPolicy policy;
  policy.Interval = std::chrono::seconds(0);
  policy.Expiration = std::chrono::seconds(0); // by size alone
  policy.MaxSizeBytes = kMaxBytes;
  policy.MaxSizePercentageOfAvailableSpace = 50;
  (void)llvm::pruneCache(folder, policy);
}
