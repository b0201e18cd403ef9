// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reads and writes tuning tables.
#include "TuneTable.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace mjolnir::bench {

TuningIndex readTuningIndex(const runtime::Package &package, const std::string &path) {
  const runtime::ZipMember *member = package.view().find("tuning.json");
  if (!member)
    throw std::runtime_error("'" + path + "' holds nothing to compare: mjolnir-tune --emit writes such packages");
  runtime::ByteSpan bytes = package.view().bytes(*member);
  const auto *text = reinterpret_cast<const char *>(bytes.data);
  auto entryOf = [&](const Json &row) {
    const std::string name = row.at("entry");
    for (size_t i = 0; i < package.entryCount(); ++i)
      if (package.entry(i).name()->str() == name)
        return i;
    throw std::runtime_error("there is no entry '" + name + "'");
  };
  // The file is nobody's word.
  try {
    Json said = Json::parse(text, text + bytes.size);
    if (said.at("version") != 1)
      throw std::runtime_error("it is of another version than 1");
    TuningIndex index;
    index.target = said.at("target");
    for (const Json &row : said.at("regions")) {
      TunedRegion region{row.at("region"), row.at("what"), row.at("schedule"), entryOf(row), row.at("count"), {}};
      for (const Json &candidate : row.at("candidates"))
        region.candidates.push_back({entryOf(candidate), candidate.at("schedule")});
      index.candidates += region.candidates.size();
      index.regions.push_back(std::move(region));
    }
    return index;
  } catch (const std::exception &error) {
    throw std::runtime_error("the tuning.json of '" + path + "' does not fit its program: " + error.what());
  }
}

TuneTable::TuneTable(std::string path, std::string target) : path_(std::move(path)), target_(std::move(target)) {
  table_ = {{"version", 1}, {"rows", Json::array()}, {"measured", Json::array()}};
  std::ifstream file(path_);
  if (!file) {
    if (errno == ENOENT)
      return;
    throw std::runtime_error("cannot read '" + path_ + "': " + std::strerror(errno));
  }
  try {
    Json read = Json::parse(file);
    if (read.at("version") != 1)
      throw std::runtime_error("it is of another version than 1");
    for (const char *part : {"rows", "measured"})
      for (const Json &row : read.at(part)) {
        for (const char *key : {"target", "region", "schedule"})
          (void)row.at(key).get_ref<const std::string &>();
        if (part == std::string("measured"))
          (void)row.at("verdict").get_ref<const std::string &>();
      }
    table_ = std::move(read);
  } catch (const std::exception &error) {
    throw std::runtime_error("'" + path_ + "' is no tuning table: " + error.what());
  }
}

const Json *TuneTable::findMeasured(const std::string &region, const std::string &schedule) const {
  for (const Json &row : table_.at("measured"))
    if (row.at("target") == target_ && row.at("region") == region && row.at("schedule") == schedule)
      return &row;
  return nullptr;
}

const Json *TuneTable::findRow(const std::string &region) const {
  for (const Json &row : table_.at("rows"))
    if (row.at("target") == target_ && row.at("region") == region)
      return &row;
  return nullptr;
}

void TuneTable::addMeasured(Json measured) {
  table_.at("measured").push_back(std::move(measured));
  write();
}

void TuneTable::setRow(Json row) {
  if (const Json *old = findRow(row.at("region")))
    *const_cast<Json *>(old) = std::move(row);
  else
    table_.at("rows").push_back(std::move(row));
  write();
}

void TuneTable::write() const {
  const std::string part = path_ + ".part";
  std::ofstream file(part);
  file << table_.dump(1) << '\n' << std::flush;
  file.close();
  if (!file || std::rename(part.c_str(), path_.c_str()) != 0)
    throw std::runtime_error("cannot write '" + path_ + "': " + std::strerror(errno));
}

} // namespace mjolnir::bench
