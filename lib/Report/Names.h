// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the report calls things.
#ifndef MJOLNIR_LIB_REPORT_NAMES_H
#define MJOLNIR_LIB_REPORT_NAMES_H

#include "mlir/IR/Location.h"
#include "mlir/IR/Types.h"

#include <string>
#include <vector>

namespace mjolnir {

/// The model's modules that a location names, each once, in order: "model.layers.0.mlp.gate_proj".
std::vector<std::string> namesOf(mlir::Location location);

/// The first module that a location names, or else the place in a file, or "".
std::string describePlace(mlir::Location location);

/// "bf16", "f8E4M3FN": the element type as MLIR writes it.
std::string elementName(mlir::Type type);

/// A type as MLIR writes it.
std::string typeName(mlir::Type type);

} // namespace mjolnir

#endif // MJOLNIR_LIB_REPORT_NAMES_H
