// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reads the calibration of quantize-fp8.
#include "passes/Fp8Calibration.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>

using namespace llvm;
using namespace mjolnir;

namespace {

class Reader {
public:
  explicit Reader(StringRef path) : path(path) {}

  Expected<Fp8Calibration> read() {
    auto file = MemoryBuffer::getFile(path);
    if (!file)
      return error("cannot be read: " + file.getError().message());
    Expected<json::Value> parsed = json::parse((*file)->getBuffer());
    if (!parsed)
      return error("is no JSON: " + toString(parsed.takeError()));
    const json::Object *root = parsed->getAsObject();
    if (!root)
      return error("must hold an object with the fields 'activations' and 'kv'");
    for (const auto &[key, value] : *root) {
      Error failure = key == "activations" ? readActivations(value)
                      : key == "kv"        ? readLayers(value)
                                           : error("'" + key.str() + "': there are only 'activations' and 'kv'");
      if (failure)
        return std::move(failure);
    }
    return std::move(result);
  }

private:
  Error error(const Twine &message) { return createStringError("calibration '" + path + "': " + message); }

  Expected<float> readAmax(const json::Value &value, const Twine &field) {
    std::optional<double> number = value.getAsNumber();
    // Scales are f32, 448 times smaller.
    if (!number || !(*number >= 1e-30 && *number <= 1e30))
      return error(field + " must be the largest magnitude seen, a positive number");
    return float(*number);
  }

  Error readActivations(const json::Value &value) {
    const json::Object *object = value.getAsObject();
    if (!object)
      return error("'activations' must be an object of numbers");
    for (const auto &[name, number] : *object) {
      Expected<float> amax = readAmax(number, "'activations." + name.str() + "'");
      if (!amax)
        return amax.takeError();
      result.activations[name.str()] = *amax;
    }
    return Error::success();
  }

  Error readLayers(const json::Value &value) {
    const json::Array *array = value.getAsArray();
    if (!array)
      return error("'kv' must be a list with an object for each layer");
    for (const auto &[index, entry] : enumerate(*array)) {
      std::string field = ("'kv[" + Twine(index) + "]").str();
      const json::Object *object = entry.getAsObject();
      if (!object || object->size() != 2 || !object->get("key") || !object->get("value"))
        return error(field + "' must be an object with the lists 'key' and 'value'");
      Fp8Calibration::Layer &layer = result.kv.emplace_back();
      for (auto [name, heads] :
           {std::pair<StringRef, SmallVector<float> *>{"key", &layer.key}, {"value", &layer.value}}) {
        const json::Array *numbers = object->getArray(name);
        if (!numbers)
          return error(field + "." + name + "' must be a list with a number for each head");
        for (const auto &[head, number] : enumerate(*numbers)) {
          Expected<float> amax = readAmax(number, field + "." + name + "[" + Twine(head) + "]'");
          if (!amax)
            return amax.takeError();
          heads->push_back(*amax);
        }
      }
    }
    return Error::success();
  }

  StringRef path;
  Fp8Calibration result;
};

} // namespace

std::string mjolnir::formatAmax(float amax) { return formatv("{0}", format("%g", double(amax))).str(); }

Expected<Fp8Calibration> Fp8Calibration::read(StringRef path) { return Reader(path).read(); }
