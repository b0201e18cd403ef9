// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How often this program has asked for memory with operator new, for tests of what must not.
#ifndef MJOLNIR_TEST_UNIT_LLM_ALLOCATIONCOUNT_H
#define MJOLNIR_TEST_UNIT_LLM_ALLOCATIONCOUNT_H

#include <cstddef>

size_t allocationCount();

#endif // MJOLNIR_TEST_UNIT_LLM_ALLOCATIONCOUNT_H
