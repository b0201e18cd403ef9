// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Tool.h.
#include "Tool.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

extern char **environ;

namespace fs = std::filesystem;

namespace mjolnir::numerics {
namespace {

/// When the youngest of the checkpoint's own files was written: a reference that is made anew changes no package.
fs::file_time_type lastChange(const std::string &checkpoint) {
  fs::file_time_type last = fs::file_time_type::min();
  for (const fs::directory_entry &file : fs::directory_iterator(checkpoint))
    if (file.path().extension() == ".json" || file.path().extension() == ".safetensors")
      last = std::max(last, file.last_write_time());
  return last;
}

struct FolderOfThisProcess {
  std::string path;
  FolderOfThisProcess() {
    std::string pattern = (fs::temp_directory_path() / "mjolnir-numerics-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      throw std::runtime_error("cannot make a folder like " + pattern + ": " + std::strerror(errno));
    path = pattern;
  }
  ~FolderOfThisProcess() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

} // namespace

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot read " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string temporaryFolder() {
  static FolderOfThisProcess folder;
  return folder.path;
}

Ran runProgram(const std::string &program, const std::vector<std::string> &arguments) {
  std::string out = temporaryFolder() + "/stdout", err = temporaryFolder() + "/stderr";
  std::vector<char *> argv{const_cast<char *>(program.c_str())};
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  int failed = posix_spawn(&child, program.c_str(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed)
    throw std::runtime_error("cannot run " + program + ": " + std::strerror(failed));
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      throw std::runtime_error("cannot wait for " + program);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, readFile(out), readFile(err)};
}

void compile(const std::string &checkpoint, const std::string &package, const std::vector<std::string> &arguments) {
  std::vector<std::string> all{checkpoint, "-o", package, "--quiet"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  Ran ran = runProgram(MJOLNIR_COMPILE, all);
  if (ran.code != 0)
    throw std::runtime_error("mjolnir-compile " + checkpoint + " failed with " + std::to_string(ran.code) + ":\n" +
                             ran.err);
}

std::string compiledPackage(const std::string &checkpoint, const std::vector<std::string> &arguments) {
  std::string name = fs::path(checkpoint).filename().string();
  for (const std::string &argument : arguments)
    name += argument;
  std::string path = std::string(MJOLNIR_NUMERICS_PACKAGES) + "/" + name + ".mjp";
  fs::create_directories(MJOLNIR_NUMERICS_PACKAGES);
  int lock = open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || flock(lock, LOCK_EX) != 0)
    throw std::runtime_error("cannot lock " + path + ".lock: " + std::strerror(errno));
  struct Close {
    int file;
    ~Close() { close(file); }
  } closeAtTheEnd{lock};
  if (fs::exists(path)) {
    fs::file_time_type made = fs::last_write_time(path);
    if (made > fs::last_write_time(MJOLNIR_COMPILE) && made > lastChange(checkpoint))
      return path;
  }
  compile(checkpoint, path + ".new", arguments);
  fs::rename(path + ".new", path);
  return path;
}

} // namespace mjolnir::numerics
