// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The KV cache in f8E4M3FN; part of quantize-fp8.
#ifndef MJOLNIR_PASSES_FP8CACHE_H
#define MJOLNIR_PASSES_FP8CACHE_H

#include "passes/Fp8Calibration.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include <map>
#include <string>

namespace mjolnir {

/// Stores the cache of entries in f8E4M3FN with a scale for the keys and one for the values of each head.
class Fp8Cache {
public:
  /// New tensors of the package go before the entries of `module`, named among its `symbols`. `amax` is the largest
  /// magnitude expected where `measured`, which was read from the file `calibration`, holds no layers.
  Fp8Cache(mlir::ModuleOp module, mlir::SymbolTable &symbols, float amax, const Fp8Calibration &measured,
           llvm::StringRef calibration)
      : module(module), symbols(symbols), amax(amax), measured(measured), calibration(calibration) {}

  /// Changes the cache of `entry` and all that reads or writes it; a diagnostic if the calibration is another model's.
  mlir::LogicalResult quantize(mlir::func::FuncOp entry);

private:
  mlir::LogicalResult narrow(mlir::func::FuncOp entry, mlir::BlockArgument argument);
  mlir::FailureOr<mlir::Value> getScales(mlir::Operation *user, mj::KvType kv, int64_t layer);
  mlir::InFlightDiagnostic refuse();

  mlir::ModuleOp module;
  mlir::SymbolTable &symbols;
  float amax;
  const Fp8Calibration &measured;
  llvm::StringRef calibration;
  std::map<std::string, mj::PrepareOp> prepared; ///< tensors of scales by name
};

} // namespace mjolnir

#endif // MJOLNIR_PASSES_FP8CACHE_H
