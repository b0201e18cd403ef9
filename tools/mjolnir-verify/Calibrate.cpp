// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Calibrate.h.
#include "Calibrate.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <cmath>

using namespace mjolnir::verify;

static llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// The larger magnitude; a NaN stays one, so that it is found.
static float larger(float amax, float number) {
  float magnitude = std::fabs(number);
  return std::isnan(amax) || magnitude <= amax ? amax : magnitude;
}

llvm::Error Ranges::observe(ObservedPackage &oracle, const std::vector<Step> &steps) {
  for (const Step &step : steps) {
    llvm::Expected<size_t> entry = oracle.findEntry(step.entry);
    if (!entry)
      return entry.takeError();
    auto takeRows = [&](llvm::StringRef weight, Stored rows) {
      dropPadding(rows, step);
      float &amax = activations[weight.str()];
      for (float element : rows.elements)
        amax = larger(amax, element);
    };
    auto takeCache = [&](Stored stored) {
      size_t layer;
      llvm::StringRef name = stored.name;
      if (!stored.isCache || !name.consume_front("layer ") || name.consumeInteger(10, layer))
        return;
      std::vector<float> &heads = name == " cached keys" ? layers[layer].key : layers[layer].value;
      size_t count = size_t(stored.shape[1]), size = size_t(stored.shape[2]);
      heads.resize(count);
      for (size_t i = 0; i < stored.elements.size(); ++i)
        heads[i / size % count] = larger(heads[i / size % count], stored.elements[i]);
    };
    if (llvm::Error error = oracle.run(*entry, step.inputs, {takeCache, takeRows}))
      return error;
  }
  return llvm::Error::success();
}

std::vector<std::string> Ranges::weights() const {
  std::vector<std::string> names;
  for (const auto &[name, amax] : activations)
    names.push_back(name);
  return names;
}

llvm::Error Ranges::write(llvm::raw_ostream &out) const {
  if (activations.empty() && layers.empty())
    return failure("the program multiplies by no weight and keeps no cache: there is nothing to calibrate");
  // Of zeros alone any scale serves; the file takes positive numbers.
  auto positive = [](float amax) { return amax > 0 ? amax : 1.0f; };
  llvm::json::Object rows;
  for (const auto &[name, amax] : activations) {
    if (!std::isfinite(amax))
      return failure("the rows that '" + name + "' multiplies hold a number that is not finite");
    rows[name] = positive(amax);
  }
  llvm::json::Array cache;
  for (const auto &[index, layer] : layers) {
    llvm::json::Object heads;
    for (auto [name, list] : {std::pair{"key", &layer.key}, {"value", &layer.value}}) {
      llvm::json::Array numbers;
      for (float amax : *list) {
        if (!std::isfinite(amax))
          return failure("the cached " + llvm::Twine(name) + "s of layer " + llvm::Twine(index) +
                         " hold a number that is not finite");
        numbers.push_back(positive(amax));
      }
      heads[name] = std::move(numbers);
    }
    cache.push_back(std::move(heads));
  }
  llvm::json::Object root{{"activations", std::move(rows)}};
  if (!cache.empty())
    root["kv"] = std::move(cache);
  out << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(root)));
  return llvm::Error::success();
}
