// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements AllocationCount.h by replacing the global operator new, in a file of its own so that nothing is inlined.

#include "AllocationCount.h"

#include <atomic>
#include <cstdlib>
#include <new>

static std::atomic<size_t> allocations{0};

size_t allocationCount() { return allocations; }

void *operator new(size_t bytes) {
  ++allocations;
  if (void *memory = std::malloc(bytes ? bytes : 1))
    return memory;
  throw std::bad_alloc();
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
