// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements CaseFile.h.
#include "test/random/CaseFile.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mjolnir;
using namespace mjolnir::differential;

llvm::Error differential::writeText(llvm::StringRef path, llvm::StringRef text) {
  std::error_code error;
  llvm::raw_fd_ostream file(path, error);
  if (!error) {
    file << text;
    file.close();
    error = file.error();
    file.clear_error();
  }
  if (error)
    return llvm::createStringError(error, "cannot write '" + path + "': " + error.message());
  return llvm::Error::success();
}

llvm::Error differential::writeTensors(llvm::StringRef path, const std::map<std::string, FileTensor> &tensors,
                                       const std::map<std::string, std::string> &metadata) {
  llvm::json::Object header;
  std::string data;
  if (!metadata.empty()) {
    llvm::json::Object entries;
    for (const auto &[name, text] : metadata)
      entries[name] = text;
    header["__metadata__"] = std::move(entries);
  }
  for (const auto &[name, tensor] : tensors) {
    llvm::json::Object entry;
    entry["dtype"] = tensor.dtype;
    entry["shape"] = llvm::json::Array(tensor.shape);
    entry["data_offsets"] = llvm::json::Array{int64_t(data.size()), int64_t(data.size() + tensor.bytes.size())};
    header[name] = std::move(entry);
    data += tensor.bytes;
  }
  std::string text = llvm::formatv("{0}", llvm::json::Value(std::move(header)));
  uint64_t length = text.size();
  return writeText(path, std::string(reinterpret_cast<const char *>(&length), sizeof(length)) + text + data);
}

static FileTensor toTensor(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> numbers) {
  return {"F64",
          llvm::SmallVector<int64_t>(shape),
          {reinterpret_cast<const char *>(numbers.data()), numbers.size() * sizeof(double)}};
}

llvm::Error differential::writeCase(llvm::StringRef path, const Case &data) {
  std::map<std::string, FileTensor> tensors;
  std::map<std::string, std::string> metadata{{"format", "mjolnir-case-1"},
                                              {"seed", std::to_string(data.seed)},
                                              {"variant", data.variant},
                                              {"kv_pages", std::to_string(data.kvPages)},
                                              {"bound_factor", llvm::formatv("{0}", data.boundFactor)},
                                              {"model_factor", llvm::formatv("{0}", data.modelFactor)},
                                              {"steps", std::to_string(data.steps.size())}};
  for (size_t i = 0; i < data.steps.size(); ++i) {
    std::string prefix = std::to_string(i) + ".";
    metadata[prefix + "entry"] = data.steps[i].entry;
    for (const auto &[name, array] : data.steps[i].inputs)
      tensors[prefix + "input." + name] = toTensor(array.shape, array.values);
    for (const auto &[name, output] : data.steps[i].outputs) {
      tensors[prefix + "output." + name] = toTensor(output.array.shape, output.array.values);
      tensors[prefix + "bound." + name] = toTensor(output.array.shape, output.array.errors);
      if (output.modelError < 0)
        continue;
      tensors[prefix + "model." + name] = toTensor({1}, {output.modelError});
      std::vector<double> felt;
      for (double error : output.felt.errors)
        felt.push_back(std::isfinite(error));
      tensors[prefix + "felt." + name] = toTensor(output.array.shape, felt);
    }
  }
  return writeTensors(path, tensors, metadata);
}
