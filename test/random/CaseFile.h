// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A program for another machine to run: what goes into its package and what has to come out.
//
// A folder of cases holds, for each seed and variant,
//
//   SEED-VARIANT.mjp            the package, and
//   SEED-VARIANT.safetensors    its inputs and expected outputs; or
//   SEED-VARIANT.refused        text: the target has no kernel for it, and why
//
// A tensor file has only F64 tensors, which hold numbers of every binding's type exactly. Steps are counted from 0 and
// run in order in one session; NAME is the binding's in the package.
//
//   STEP.input.NAME     what goes in
//   STEP.output.NAME    what real numbers would give
//   STEP.bound.NAME     how far each element may be from it, in units of `bound_factor`; infinity: anything goes
//   STEP.model.NAME     [1], where there is a model: the largest root mean square error, over elements of finite bound,
//   of
//                       runs that round every result; the package's may be `model_factor` times that
//
// and as metadata, all text: format "mjolnir-case-1", seed, variant, kv_pages (of the session; 0 where there is no
// cache), bound_factor, model_factor, steps, and STEP.entry, the entry that a step runs. `mjolnir_check_cases FOLDER`
// runs them with the runtime alone.
#ifndef MJOLNIR_TEST_RANDOM_CASEFILE_H
#define MJOLNIR_TEST_RANDOM_CASEFILE_H

#include "test/random/Arrays.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>

namespace mjolnir::differential {

struct Case {
  struct Output {
    Array array;           ///< with bounds
    double modelError = 0; ///< negative: there is no model
    Array felt;            ///< what has a bound is what the model's error is about
  };
  struct Step {
    std::string entry;
    std::map<std::string, Array> inputs;
    std::map<std::string, Output> outputs;
  };
  uint64_t seed = 0;
  std::string variant;
  int64_t kvPages = 0;
  double boundFactor = 0, modelFactor = 0;
  std::vector<Step> steps;
};

llvm::Error writeCase(llvm::StringRef path, const Case &data);

/// A tensor of a safetensors file (https://github.com/huggingface/safetensors): its type as that format calls it and
/// its bytes, little endian.
struct FileTensor {
  std::string dtype;
  llvm::SmallVector<int64_t> shape;
  std::string bytes;
};

llvm::Error writeTensors(llvm::StringRef path, const std::map<std::string, FileTensor> &tensors,
                         const std::map<std::string, std::string> &metadata = {});

/// Writes a file of text.
llvm::Error writeText(llvm::StringRef path, llvm::StringRef text);

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_CASEFILE_H
