// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A run neither allocates nor locks, on any thread. This program replaces malloc and its kin and the locks of pthreads
// with ones that count (glibc keeps its own under other names).
#include "TestPackage.h"

#include "mjolnir/runtime.hpp"

#include "gtest/gtest.h"

#include <atomic>
#include <cerrno>
#include <dlfcn.h>
#include <pthread.h>

namespace {
std::atomic<bool> Armed{false};
std::atomic<long> Allocations{0}, Frees{0}, Locks{0};

void count(std::atomic<long> &counter) {
  if (Armed.load(std::memory_order_relaxed))
    counter.fetch_add(1, std::memory_order_relaxed);
}

template <typename Function> Function *next(const char *name) {
  return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}
} // namespace

// Visible, so that shared libraries, the C++ library's operator new among them, use these too.
#pragma GCC visibility push(default)
extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

void *malloc(size_t bytes) {
  count(Allocations);
  return __libc_malloc(bytes);
}
void *calloc(size_t number, size_t bytes) {
  count(Allocations);
  return __libc_calloc(number, bytes);
}
void *realloc(void *memory, size_t bytes) {
  count(Allocations);
  return __libc_realloc(memory, bytes);
}
void *memalign(size_t alignment, size_t bytes) {
  count(Allocations);
  return __libc_memalign(alignment, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  *memory = memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}
void free(void *memory) {
  count(Frees);
  __libc_free(memory);
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
  static auto *original = next<int(pthread_mutex_t *)>("pthread_mutex_lock");
  count(Locks);
  return original(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t *lock) {
  static auto *original = next<int(pthread_rwlock_t *)>("pthread_rwlock_rdlock");
  count(Locks);
  return original(lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t *lock) {
  static auto *original = next<int(pthread_rwlock_t *)>("pthread_rwlock_wrlock");
  count(Locks);
  return original(lock);
}
}
#pragma GCC visibility pop

using namespace mjolnir;
using namespace mjolnir::test;

namespace {

struct Counts {
  long allocations, frees, locks;
};

template <typename Body> Counts counted(Body body) {
  Allocations = Frees = Locks = 0;
  Armed = true;
  body();
  Armed = false;
  return {Allocations, Frees, Locks};
}

TEST(Allocation, TheCountersCount) {
  Counts counts = counted([] {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    void *volatile memory = malloc(100);
    free(memory);
    auto *volatile object = new std::string(100, 'x');
    delete object;
  });
  EXPECT_GE(counts.allocations, 3);
  EXPECT_GE(counts.frees, 3);
  EXPECT_EQ(counts.locks, 1);
}

TEST(Allocation, RunsAllocateNothingAndLockNothing) {
  std::string path = temporaryPath("allocation.mjp");
  if (auto error = writeTestPackage(path, testImage()))
    FAIL() << error.message();
  auto package = Package::open(path);
  ASSERT_TRUE(package) << package.error().message;
  for (uint32_t threads : {1u, 2u, 4u}) {
    auto session = Session::create(*package, threads);
    ASSERT_TRUE(session) << session.error().message;

    constexpr DLDataType F32 = {kDLFloat, 32, 1}, I32 = {kDLInt, 32, 1}, I64 = {kDLInt, 64, 1};
    std::vector<float> floats(256, 1), y(256), sum(256);
    Tensor a(floats.data(), F32, {4, 64}), yTensor(y.data(), F32, {4, 64}), sumTensor(sum.data(), F32, {4, 64});
    const DLTensor *affineIn[] = {a.dl(), a.dl()}, *affineOut[] = {yTensor.dl(), sumTensor.dl()};
    const DLTensor *unwanted[] = {nullptr, sumTensor.dl()};

    // Entry `step` with two empty sequences: all padding.
    std::vector<int32_t> zeros(8, 0), padding(8, -1), next(2);
    std::vector<int64_t> seeds(2);
    std::vector<Tensor> stepIn = {{zeros.data(), I32, {8}},  {zeros.data(), I32, {8}},    {zeros.data(), I32, {3}},
                                  {zeros.data(), I32, {2}},  {zeros.data(), I32, {2, 4}}, {padding.data(), I32, {8}},
                                  {zeros.data(), I32, {2}},  {floats.data(), F32, {2}},   {zeros.data(), I32, {2}},
                                  {floats.data(), F32, {2}}, {seeds.data(), I64, {2}}};
    Tensor nextTensor(next.data(), I32, {2});
    std::vector<const DLTensor *> stepInputs;
    for (const Tensor &tensor : stepIn)
      stepInputs.push_back(tensor.dl());
    const DLTensor *stepOut[] = {nextTensor.dl(), nullptr};

    int failures = 0;
    Counts counts = counted([&] {
      for (int i = 0; i < 200; ++i) {
        mj_session_set_profiling(session->get(), i >= 100);
        failures += mj_session_run(session->get(), Affine, affineIn, 2, i % 2 ? affineOut : unwanted, 2) != MJ_OK;
        failures +=
            mj_session_start(session->get(), Step, stepInputs.data(), stepInputs.size(), stepOut, 2, 0) != MJ_OK;
        failures += mj_session_start(session->get(), Affine, affineIn, 2, unwanted, 2, 0) != MJ_OK;
        failures += mj_session_wait(session->get()) != MJ_OK;
        failures += mj_session_wait(session->get()) != MJ_OK;
      }
    });
    EXPECT_EQ(failures, 0) << mj_last_error();
    EXPECT_EQ(counts.allocations, 0);
    EXPECT_EQ(counts.frees, 0);
    EXPECT_EQ(counts.locks, 0);
    EXPECT_EQ(y[63], 2 * 64);
  }
}

} // namespace
