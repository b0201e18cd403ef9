// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which pages of the session's KV memory are free.
#ifndef MJOLNIR_LLM_BLOCKPOOL_H
#define MJOLNIR_LLM_BLOCKPOOL_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mjolnir::llm {

class BlockPool {
public:
  explicit BlockPool(uint32_t pages);

  uint32_t total() const { return static_cast<uint32_t>(taken.size()); }
  uint32_t available() const { return static_cast<uint32_t>(freePages.size()); }

  /// Appends `count` pages to `pages`; if fewer are free, does nothing and returns false.
  bool allocate(uint32_t count, std::vector<int32_t> &pages);
  /// Gives pages back and clears `pages`. A page that was not taken is a bug of the caller: throws Error,
  /// MJ_ERROR_INTERNAL.
  void release(std::vector<int32_t> &pages);

private:
  std::vector<int32_t> freePages; // the next one at the back
  std::vector<bool> taken;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_BLOCKPOOL_H
