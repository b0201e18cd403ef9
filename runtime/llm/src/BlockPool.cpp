// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements BlockPool.h.

#include "BlockPool.h"

#include "Error.h"

namespace mjolnir::llm {

BlockPool::BlockPool(uint32_t pages) : taken(pages, false) {
  freePages.reserve(pages);
  for (uint32_t page = pages; page > 0; --page) // low pages first: a short run touches little memory
    freePages.push_back(static_cast<int32_t>(page - 1));
}

bool BlockPool::allocate(uint32_t count, std::vector<int32_t> &pages) {
  if (count > available())
    return false;
  for (uint32_t i = 0; i < count; ++i) {
    int32_t page = freePages.back();
    freePages.pop_back();
    taken[page] = true;
    pages.push_back(page);
  }
  return true;
}

void BlockPool::release(std::vector<int32_t> &pages) {
  // Last taken, first given back, so that the order of pages repeats from request to request.
  for (; !pages.empty(); pages.pop_back()) {
    int32_t page = pages.back();
    if (page < 0 || static_cast<size_t>(page) >= taken.size() || !taken[page])
      throw Error(MJ_ERROR_INTERNAL, "KV page " + std::to_string(page) + " is given back, but was not taken");
    taken[page] = false;
    freePages.push_back(page);
  }
}

} // namespace mjolnir::llm
