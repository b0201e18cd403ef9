// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Uploading. A copy out of a mapped file costs a core far more time than the bus: one thread alone would be the slower
// of the two. Page-locking is slow as well, so buffers are few and small.
#include "Upload.h"

#include "../CpuFeatures.h"
#include "DeviceMemory.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace mjolnir::runtime::cuda {
namespace {

constexpr uint64_t ChunkBytes = uint64_t(4) << 20;
constexpr unsigned MaxThreads = 6;

class Uploader {
public:
  Uploader(const Driver &driver, Context context, const UploadSource &source, DevicePointer to,
           const Progress &progress)
      : driver_(driver), context_(context), source_(source), to_(to), progress_(progress) {}

  Status run() {
    const uint64_t chunks = (source_.bytes.size + ChunkBytes - 1) / ChunkBytes;
    const uint64_t threads = std::min<uint64_t>({chunks, usableCores(), MaxThreads});
    std::vector<std::future<void>> helpers;
    for (uint64_t i = 1; i < threads; ++i)
      helpers.push_back(std::async(std::launch::async, [this] { work(false); }));
    work(true);
    for (std::future<void> &helper : helpers)
      helper.get();
    // The system may have kept pages that somebody was just looking at.
    if (!status_)
      giveBack(0, source_.bytes.size, static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)));
    if (!status_ && progress_)
      progress_(source_.bytes.size, source_.bytes.size);
    return std::move(status_);
  }

private:
  struct Buffer {
    PinnedMemory memory;
    Event done = nullptr;
  };

  /// Takes chunks until none is left. `reports`: the thread that wants to know how far all are.
  void work(bool reports) {
    Scope scope(driver_, context_);
    Buffer buffers[2];
    Stream stream = nullptr;
    Status status = prepare(buffers, stream);
    for (uint64_t turn = 0; !status && !failed_; ++turn) {
      const uint64_t begin = next_.fetch_add(ChunkBytes);
      if (begin >= source_.bytes.size)
        break;
      const uint64_t bytes = std::min(ChunkBytes, source_.bytes.size - begin);
      status = send(buffers[turn % 2], stream, begin, bytes);
      done_ += bytes;
      if (reports && progress_ && !status)
        progress_(std::min<uint64_t>(done_, source_.bytes.size - 1), source_.bytes.size);
    }
    if (stream) {
      Status end = driver_.check(driver_.streamSynchronize(stream), "uploading the weights");
      if (!status)
        status = std::move(end);
      driver_.streamDestroy(stream);
    }
    for (Buffer &buffer : buffers)
      if (buffer.done)
        driver_.eventDestroy(buffer.done);
    if (status) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!failed_)
        status_ = std::move(status);
      failed_ = true;
    }
  }

  Status prepare(Buffer (&buffers)[2], Stream &stream) {
    if (Status status =
            driver_.check(driver_.streamCreate(&stream, StreamNonBlocking), "making a stream for the upload"))
      return status;
    for (Buffer &buffer : buffers) {
      if (Status status = buffer.memory.allocate(driver_, std::min(ChunkBytes, source_.bytes.size), "the upload"))
        return status;
      if (Status status = driver_.check(driver_.eventCreate(&buffer.done, EventDisableTiming), "making an event"))
        return status;
    }
    return Status::ok();
  }

  Status send(Buffer &buffer, Stream stream, uint64_t begin, uint64_t bytes) {
    if (Status status = driver_.check(driver_.eventSynchronize(buffer.done), "uploading the weights"))
      return status;
    const uint8_t *from = source_.bytes.data + begin;
    const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)), address = reinterpret_cast<uintptr_t>(from);
    // All pages at once instead of a fault for every few of them; kernels that do not know how refuse.
    const uintptr_t first = address / page * page;
    madvise(reinterpret_cast<void *>(first), address + bytes - first, MADV_POPULATE_READ);
    std::memcpy(buffer.memory.data(), from, bytes);
    if (Status status = driver_.check(driver_.copyToDevice(to_ + begin, buffer.memory.data(), bytes, stream),
                                      "uploading the weights"))
      return status;
    giveBack(begin, bytes, page);
    return driver_.check(driver_.eventRecord(buffer.done, stream), "recording an event");
  }

  /// Whole pages only: what shares a page with another member, or with a chunk that may not be read yet, stays.
  void giveBack(uint64_t begin, uint64_t bytes, uintptr_t page) const {
    const uintptr_t address = reinterpret_cast<uintptr_t>(source_.bytes.data) + begin;
    const uintptr_t first = (address + page - 1) / page * page, last = (address + bytes) / page * page;
    if (last <= first)
      return;
    madvise(reinterpret_cast<void *>(first), last - first, MADV_DONTNEED);
    if (source_.sharesMemory)
      posix_fadvise(source_.file, static_cast<off_t>(source_.fileOffset + begin + (first - address)),
                    static_cast<off_t>(last - first), POSIX_FADV_DONTNEED);
  }

  const Driver &driver_;
  const Context context_;
  const UploadSource &source_;
  const DevicePointer to_;
  const Progress &progress_;
  std::atomic<uint64_t> next_{0}, done_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  Status status_; // of the first that failed
};

} // namespace

Status upload(const Driver &driver, Context context, const UploadSource &source, DevicePointer to,
              const Progress &progress) {
  return Uploader(driver, context, source, to, progress).run();
}

} // namespace mjolnir::runtime::cuda
