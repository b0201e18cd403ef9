// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reading and writing remembered algorithms.
#include "AlgorithmStore.h"

#include "mjolnir/format/Crc32.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace mjolnir::runtime::cuda {
namespace {

constexpr char Header[] = "mjolnir cublaslt algorithms 1\n";
constexpr size_t MostBytes = 1 << 20, MostRows = 2000;

/// Makes the folder of the file; empty where there is none to keep anything in.
std::string findPath() {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  std::string folder;
  if (cache && cache[0] == '/')
    folder = cache;
  else if (home && home[0] == '/')
    folder = std::string(home) + "/.cache";
  else
    return "";
  mkdir(folder.c_str(), 0777);
  folder += "/mjolnir";
  mkdir(folder.c_str(), 0777);
  return folder + "/cublaslt-algorithms";
}

std::string lineOf(const std::string &key, const lt::Algorithm &algorithm) {
  std::string text;
  char word[20];
  for (uint64_t part : algorithm.data) {
    snprintf(word, sizeof(word), "%016llx", static_cast<unsigned long long>(part));
    text += word;
  }
  text += " " + key;
  snprintf(word, sizeof(word), "%08x ", format::crc32(0, text.data(), text.size()));
  return word + text + "\n";
}

} // namespace

bool AlgorithmStore::read(const std::string &path, Rows &rows) {
  FILE *file = fopen(path.c_str(), "rb");
  if (!file)
    return errno == ENOENT;
  std::string text(MostBytes + 1, 0);
  text.resize(fread(text.data(), 1, text.size(), file));
  fclose(file);
  const size_t header = sizeof(Header) - 1;
  if (text.size() > MostBytes || text.compare(0, header, Header) != 0)
    return false;
  constexpr size_t KeyAt = 9 + 128 + 1;
  for (size_t at = header; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos || end - at <= KeyAt)
      return false;
    const std::string line = text.substr(at, end - at);
    lt::Algorithm algorithm = {};
    for (size_t i = 0; i < 8; ++i)
      algorithm.data[i] = strtoull(line.substr(9 + 16 * i, 16).c_str(), nullptr, 16);
    const std::string key = line.substr(KeyAt);
    // What is read back as other text than was written was not written by us.
    if (lineOf(key, algorithm) != line + "\n")
      return false;
    rows.emplace_back(key, algorithm);
    at = end + 1;
  }
  return true;
}

void AlgorithmStore::merge(Rows &rows, const std::string &key, const lt::Algorithm &algorithm) {
  for (auto &row : rows)
    if (row.first == key) {
      row.second = algorithm;
      return;
    }
  rows.emplace_back(key, algorithm);
}

void AlgorithmStore::open(const std::string &machine) {
  std::lock_guard<std::mutex> lock(mutex_);
  machine_ = machine;
  for (char &c : machine_)
    c = static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  path_ = findPath();
  if (!path_.empty() && !read(path_, rows_)) {
    fprintf(stderr,
            "mjolnir: '%s' is damaged or of another version and ignored: algorithms of cuBLASLt are tried anew\n",
            path_.c_str());
    rows_.clear();
  }
}

bool AlgorithmStore::find(const std::string &key, lt::Algorithm &algorithm) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const Rows *rows : {&added_, &rows_})
    for (const auto &[known, found] : *rows)
      if (known == machine_ + ": " + key) {
        algorithm = found;
        return true;
      }
  return false;
}

void AlgorithmStore::add(const std::string &key, const lt::Algorithm &algorithm) {
  std::lock_guard<std::mutex> lock(mutex_);
  merge(added_, machine_ + ": " + key, algorithm);
}

void AlgorithmStore::save() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (added_.empty() || path_.empty())
    return;
  Rows rows;
  if (!read(path_, rows))
    rows.clear();
  for (const auto &[key, algorithm] : added_)
    merge(rows, key, algorithm);
  if (rows.size() > MostRows)
    rows.erase(rows.begin(), rows.end() - MostRows);
  std::string text = Header;
  for (const auto &[key, algorithm] : rows)
    text += lineOf(key, algorithm);
  const std::string temporary = path_ + "." + std::to_string(getpid());
  FILE *file = fopen(temporary.c_str(), "wb");
  bool isWritten = file && fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file)
    isWritten = fclose(file) == 0 && isWritten;
  if (!isWritten || rename(temporary.c_str(), path_.c_str()) != 0) {
    fprintf(stderr, "mjolnir: '%s' cannot be written (%s): algorithms of cuBLASLt will be tried again\n", path_.c_str(),
            strerror(errno));
    unlink(temporary.c_str());
  }
  for (auto &[key, algorithm] : added_)
    merge(rows_, key, algorithm);
  added_.clear();
}

} // namespace mjolnir::runtime::cuda
