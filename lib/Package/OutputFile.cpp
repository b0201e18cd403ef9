// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Output by POSIX calls.
#include "mjolnir/Package/OutputFile.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace mjolnir::package {
namespace {

constexpr size_t BufferBytes = size_t(1) << 20;

std::string folderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// A name beside `path` that no other thread or process uses at the same time.
std::string temporaryName(const std::string &path) {
  static std::atomic<unsigned> counter{0};
  return path + ".part-" + std::to_string(getpid()) + "-" + std::to_string(counter++);
}

} // namespace

OutputFile::~OutputFile() {
  if (fd_ >= 0)
    close(fd_);
  if (!temporary_.empty())
    unlink(temporary_.c_str());
}

Error OutputFile::fail(const char *what) const {
  return Error("cannot " + std::string(what) + " '" + path_ + "': " + std::generic_category().message(errno));
}

Error OutputFile::open(const std::string &path) {
  path_ = path;
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    return Error("cannot write '" + path + "': it exists and is not a regular file");
  // Files without a name vanish with the process, however it ends.
  fd_ = ::open(folderOf(path).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    std::string name = temporaryName(path);
    fd_ = ::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
    if (fd_ < 0)
      return fail("create");
    temporary_ = std::move(name);
  }
  buffer_.reserve(BufferBytes);
  return Error::success();
}

Error OutputFile::writeAt(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return fail("write");
    offset += static_cast<uint64_t>(count);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return Error::success();
}

Error OutputFile::flush() {
  if (Error error = writeAt(written_, buffer_))
    return error;
  written_ += buffer_.size();
  buffer_.clear();
  return Error::success();
}

Error OutputFile::append(std::string_view bytes) {
  if (buffer_.size() + bytes.size() <= BufferBytes) {
    buffer_ += bytes;
    return Error::success();
  }
  if (Error error = flush())
    return error;
  if (bytes.size() < BufferBytes) {
    buffer_ += bytes;
    return Error::success();
  }
  if (Error error = writeAt(written_, bytes))
    return error;
  written_ += bytes.size();
  return Error::success();
}

Error OutputFile::patch(uint64_t offset, std::string_view bytes) {
  if (offset + bytes.size() > written_)
    if (Error error = flush())
      return error;
  return writeAt(offset, bytes);
}

std::string OutputFile::readablePath() const { return "/proc/self/fd/" + std::to_string(fd_); }

Error OutputFile::keep() {
  if (Error error = flush())
    return error;
  if (temporary_.empty()) {
    // A link cannot replace a file, a rename can: the nameless file gets a temporary name for a moment.
    std::string name = temporaryName(path_);
    if (linkat(AT_FDCWD, readablePath().c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0)
      return fail("name");
    temporary_ = std::move(name);
  }
  if (rename(temporary_.c_str(), path_.c_str()) != 0)
    return fail("replace");
  temporary_.clear();
  int fd = fd_;
  fd_ = -1;
  // Where a full disk or a lost server is only noticed now.
  if (close(fd) != 0) {
    Error error = fail("finish");
    unlink(path_.c_str());
    return error;
  }
  return Error::success();
}

} // namespace mjolnir::package
