// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A package's ragged entries, run by a session of the core.
#ifndef MJOLNIR_LLM_PACKAGEPROGRAM_H
#define MJOLNIR_LLM_PACKAGEPROGRAM_H

#include "Ragged.h"

#include "mjolnir/runtime.h"

namespace mjolnir::llm {

class PackageProgram : public Program {
public:
  /// Makes a session. `package` must live longer. Throws Error: no ragged entries, or what mj_session_create says.
  PackageProgram(const mj_package *package, const mj_session_options &options);
  ~PackageProgram() override;

protected:
  void execute(size_t entry, RaggedStep &step, bool wantLogits) override;

private:
  struct Entry {
    size_t index; // in the package
    std::vector<DLTensor> tensors;
    std::vector<int64_t> shapes; // of all tensors; their shapes point here
    std::vector<const DLTensor *> inputs, outputs;
    size_t logits = 0; // which output
  };
  void bind(const mj_package *package, const mj_entry_info &info, Entry &entry, RaggedStep &step);

  mj_session *session = nullptr;
  std::vector<Entry> entries;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_PACKAGEPROGRAM_H
