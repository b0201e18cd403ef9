// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Opens a checkpoint folder and checks its files against each other.
#include "mjolnir/Import/Checkpoint.h"

#include "Json.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

#include <map>
#include <set>

using namespace llvm;
using namespace mjolnir;

static constexpr StringLiteral kConfig = "config.json";
static constexpr StringLiteral kSingleFile = "model.safetensors";
static constexpr StringLiteral kIndex = "model.safetensors.index.json";

/// Whether `name` is a plain name of a file inside the folder: neither a path nor a way out.
static bool isPlainName(StringRef name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of(StringRef("/\\\0", 3)) == StringRef::npos;
}

static std::string joinPath(StringRef dir, StringRef name) {
  SmallString<256> path(dir);
  sys::path::append(path, name);
  return path.str().str();
}

static Expected<json::Value> readJsonObject(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return fileError(path, "cannot be read: " + buffer.getError().message());
  Expected<json::Value> value = parseJson((*buffer)->getBuffer(), path);
  if (value && !value->getAsObject())
    return fileError(path, "is not a JSON object; download it again");
  return value;
}

Expected<std::unique_ptr<Checkpoint>> Checkpoint::open(StringRef dir) {
  if (!sys::fs::is_directory(dir))
    return fileError(dir, "is no folder; give the folder of a checkpoint, one that holds config.json and "
                          "model.safetensors (from the Hugging Face Hub: 'hf download NAME --local-dir DIR')");
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint);
  checkpoint->dir = dir.str();

  std::string configPath = joinPath(dir, kConfig);
  if (!sys::fs::exists(configPath))
    return fileError(dir, "has no config.json; give the folder of a Hugging Face checkpoint");
  Expected<json::Value> config = readJsonObject(configPath);
  if (!config)
    return config.takeError();
  checkpoint->configuration = std::move(*config);

  // The order in which transformers looks for them.
  std::string indexPath = joinPath(dir, kIndex);
  if (sys::fs::exists(joinPath(dir, kSingleFile))) {
    if (Error error = checkpoint->addFile(kSingleFile))
      return error;
  } else if (sys::fs::exists(indexPath)) {
    if (Error error = checkpoint->openIndex(indexPath))
      return error;
  } else {
    return fileError(dir,
                     "has neither model.safetensors nor model.safetensors.index.json; other formats, such as "
                     "pytorch_model.bin, are not read: save the model with save_pretrained(safe_serialization=True)");
  }
  return checkpoint;
}

Error Checkpoint::addFile(StringRef name) {
  Expected<std::unique_ptr<SafetensorsFile>> file = SafetensorsFile::open(joinPath(dir, name));
  if (!file)
    return file.takeError();
  for (const TensorInfo &tensor : (*file)->getTensors()) {
    auto [place, isNew] = byName.try_emplace(tensor.name, &tensor);
    if (!isNew)
      return fileError(tensor.file, "tensor '" + tensor.name + "' is also in " + place->second->file +
                                        "; remove the file that does not belong to the checkpoint");
    all.push_back(&tensor);
  }
  files.push_back(std::move(*file));
  return Error::success();
}

Error Checkpoint::openIndex(StringRef indexPath) {
  Expected<json::Value> index = readJsonObject(indexPath);
  if (!index)
    return index.takeError();
  const json::Object *map = index->getAsObject()->getObject("weight_map");
  if (!map)
    return fileError(indexPath, "has no object 'weight_map'; download it again");

  // Sorted, so that the first of several errors and the order of tensors do not depend on hashing.
  std::map<std::string, std::set<std::string>> shards;
  for (const auto &[key, value] : *map) {
    std::optional<StringRef> name = value.getAsString();
    if (!name)
      return fileError(indexPath, "maps tensor '" + key.str() + "' to something that is not a file name");
    if (!isPlainName(*name) || !name->ends_with(".safetensors"))
      return fileError(indexPath, "maps tensor '" + key.str() + "' to '" + *name +
                                      "', which is not the name of a safetensors file in the same folder");
    shards[name->str()].insert(key.str());
  }
  for (const auto &[shard, names] : shards) {
    std::string path = joinPath(dir, shard);
    if (!sys::fs::exists(path))
      return fileError(path,
                       "is missing; " + Twine(kIndex) + " says that it holds '" + *names.begin() + "': download it");
    if (Error error = addFile(shard))
      return error;
    for (const TensorInfo &tensor : files.back()->getTensors())
      if (!names.count(tensor.name))
        return fileError(path, "tensor '" + tensor.name + "' is not in " + kIndex +
                                   "; the two are of different checkpoints, download both again");
    for (const std::string &name : names)
      if (!byName.count(name))
        return fileError(path, "has no tensor '" + name + "', which " + kIndex +
                                   " says it holds; the two are of different checkpoints, download both again");
  }

  // Nothing depends on the total, and checkpoints with a wrong one are in use.
  if (const json::Object *metadata = index->getAsObject()->getObject("metadata"))
    if (std::optional<int64_t> stated = metadata->getInteger("total_size")) {
      int64_t total = 0;
      for (const TensorInfo *tensor : all)
        total += tensor->bytes.size();
      if (total != *stated)
        notes.push_back(
            (indexPath + ": states " + Twine(*stated) + " bytes of tensors, but its files hold " + Twine(total)).str());
    }
  return Error::success();
}

void Checkpoint::release(const TensorInfo &tensor) const {
  for (const std::unique_ptr<SafetensorsFile> &file : files)
    if (file->getPath().data() == tensor.file.data())
      file->release(tensor);
}

Expected<std::unique_ptr<MemoryBuffer>> Checkpoint::file(StringRef name) const {
  if (!isPlainName(name))
    return fileError(dir, "cannot hold '" + name + "': that is not the name of a file in a folder");
  std::string path = joinPath(dir, name);
  if (!sys::fs::exists(path))
    return std::unique_ptr<MemoryBuffer>();
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return fileError(path, "cannot be read: " + buffer.getError().message());
  return std::move(*buffer);
}
