// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which entries are run on which inputs.
#ifndef MJOLNIR_VERIFY_STEPS_H
#define MJOLNIR_VERIFY_STEPS_H

#include "ObservedPackage.h"

#include "mjolnir/Pipeline/Pipeline.h"

namespace mjolnir::verify {

/// One run of an entry. Of values over the entry's rows only the first `rows` count: the others are padding.
struct Step {
  std::string entry;
  Inputs inputs;
  int64_t rows = 0, entryRows = 0;           ///< tokens; 0: not a language model's
  int64_t sequences = 0, entrySequences = 0; ///< rows of logits
};

/// Feeds `tokens` to the language model as one sequence: all but the last through the largest prefill entry that they
/// fill, else the smallest, the last one through the smallest decode entry. With `entry` all through that one.
llvm::Expected<std::vector<Step>> stepsOf(const ObservedPackage &package, const std::vector<int32_t> &tokens,
                                          const std::string &entry);

/// One run of a plain entry on arrays of files, "NAME=@FILE.npy" each.
llvm::Expected<std::vector<Step>> stepOf(const ObservedPackage &package, const std::string &entry,
                                         const std::vector<std::string> &files);

/// Of a value over the entry's rows keeps only those that are not padding.
void dropPadding(Stored &value, const Step &step);

/// Options that make an oracle with the package's entries.
PipelineOptions oracleOptions(const ObservedPackage &package);

} // namespace mjolnir::verify

#endif // MJOLNIR_VERIFY_STEPS_H
