// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A package's ragged entries, run by a session of the core.
#ifndef MJOLNIR_LLM_PACKAGEPROGRAM_H
#define MJOLNIR_LLM_PACKAGEPROGRAM_H

#include "Ragged.h"

#include "mjolnir/llm.h"

namespace mjolnir::llm {

class PackageProgram : public Program {
public:
  /// What is measured of runs: deviceNanoseconds(), or what each kernel takes.
  struct Measuring {
    bool device = false;
    void (*profile)(void *user, const mj_run_profile *run) = nullptr;
    void *user = nullptr;
  };
  /// Makes a session. `package` must live longer. Throws Error: no ragged entries, or what mj_session_create says.
  PackageProgram(const mj_package *package, const mj_session_options &options, const Measuring &measuring);
  ~PackageProgram() override;

  void wait() override;
  void drain() override;
  uint64_t deviceNanoseconds() const override;
  uint64_t captureNanoseconds() const override { return mj_session_capture_nanoseconds(session); }
  bool gainsFromRunningAhead() const override { return mj_session_is_asynchronous(session) != 0 && !measuring.profile; }
  const mj_session *get() const { return session; }

protected:
  void launch(size_t entry, unsigned turn, bool wantLogits, bool continues) override;

private:
  /// The tensors of an entry's step of one turn.
  struct Entry {
    size_t index; // in the package
    const char *name;
    std::vector<DLTensor> tensors;
    std::vector<int64_t> shapes; // of all tensors; their shapes point here
    std::vector<const DLTensor *> inputs, outputs;
    size_t logits = 0; // which output
  };
  void bind(const mj_package *package, const mj_entry_info &info, Entry &entry, RaggedStep &step);

  const Measuring measuring;
  mj_session *session = nullptr;
  std::vector<Entry> entries; // by ragged entry, then turn
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_PACKAGEPROGRAM_H
