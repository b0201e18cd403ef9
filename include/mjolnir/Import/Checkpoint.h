// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A checkpoint folder as Hugging Face lays it out: config.json, one or many safetensors files, tokenizer files.
#ifndef MJOLNIR_IMPORT_CHECKPOINT_H
#define MJOLNIR_IMPORT_CHECKPOINT_H

#include "mjolnir/Import/Safetensors.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

namespace mjolnir {

class Checkpoint {
public:
  /// Opens the folder `dir`. Tensors come from `model.safetensors`, else from the files that
  /// `model.safetensors.index.json` names; they are mapped, not read. Everything that the files say is checked, and an
  /// error names the file, the tensor and what to do.
  static llvm::Expected<std::unique_ptr<Checkpoint>> open(llvm::StringRef dir);

  llvm::StringRef getPath() const { return dir; }

  /// The contents of config.json.
  const llvm::json::Object &config() const { return *configuration.getAsObject(); }

  /// The tensor called `name`, or null.
  const TensorInfo *find(llvm::StringRef name) const { return byName.lookup(name); }

  /// All tensors, in the order of the files and of the bytes in them.
  llvm::ArrayRef<const TensorInfo *> tensors() const { return all; }

  /// Lets the system drop the pages that hold `tensor`, to be called once it was read.
  void release(const TensorInfo &tensor) const;

  /// The bytes of another file of the folder, such as "tokenizer.json"; null where there is none. `name` is a plain
  /// file name.
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> file(llvm::StringRef name) const;

  /// What is odd about the folder without making it unusable, a sentence each.
  llvm::ArrayRef<std::string> warnings() const { return notes; }

private:
  Checkpoint() = default;
  llvm::Error addFile(llvm::StringRef name);
  llvm::Error openIndex(llvm::StringRef indexPath);

  std::string dir;
  llvm::json::Value configuration = nullptr;
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::vector<const TensorInfo *> all;
  llvm::StringMap<const TensorInfo *> byName;
  std::vector<std::string> notes;
};

} // namespace mjolnir

#endif // MJOLNIR_IMPORT_CHECKPOINT_H
