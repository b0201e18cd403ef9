// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Compiles host kernels and runs them in this process, for tests and benchmarks.
#ifndef MJOLNIR_TEST_UNIT_HOST_KERNELRUNNER_H
#define MJOLNIR_TEST_UNIT_HOST_KERNELRUNNER_H

#include "mjolnir/Support/FloatBits.h"
#include "targets/host/Element.h"
#include "targets/host/ObjectCode.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace mjolnir::host::testing {

using KernelFn = void (*)(void *const *operands, int64_t tile);

/// A loaded shared object. Symbols live as long as it does.
class KernelLibrary {
public:
  static std::unique_ptr<KernelLibrary> load(llvm::ArrayRef<char> image) {
    int file = memfd_create("kernels", 0);
    for (size_t written = 0; written < image.size();) {
      ssize_t bytes = write(file, image.data() + written, image.size() - written);
      if (bytes <= 0)
        return nullptr;
      written += bytes;
    }
    std::string path = "/proc/self/fd/" + std::to_string(file);
    void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      llvm::errs() << dlerror() << "\n";
      close(file);
      return nullptr;
    }
    return std::unique_ptr<KernelLibrary>(new KernelLibrary(handle, file));
  }
  ~KernelLibrary() {
    dlclose(handle);
    close(file);
  }
  KernelFn symbol(const char *name) const { return reinterpret_cast<KernelFn>(dlsym(handle, name)); }

private:
  KernelLibrary(void *handle, int file) : handle(handle), file(file) {}
  void *handle;
  int file; // stays open: dlopen takes equal paths for the same library
};

/// A context with everything kernels need, and a module to emit them into.
struct KernelModule {
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::OpBuilder builder;

  KernelModule()
      : context(registry()), module(mlir::ModuleOp::create(mlir::UnknownLoc::get(&context))), builder(&context) {
    context.loadAllAvailableDialects();
  }
  static const mlir::DialectRegistry &registry() {
    static const mlir::DialectRegistry result = [] {
      mlir::DialectRegistry registry;
      registerObjectCodeDialects(registry);
      return registry;
    }();
    return result;
  }
  std::unique_ptr<KernelLibrary> compile(const HostTarget &target) {
    auto image = compileToSharedObject(*module, target);
    return mlir::failed(image) ? nullptr : KernelLibrary::load(*image);
  }
};

/// Runs tiles 0 .. tiles-1 on `threads` threads, each taking the next tile when it is done with one.
inline void launch(KernelFn kernel, llvm::ArrayRef<void *> operands, int64_t tiles, int threads = 1) {
  std::atomic<int64_t> next = 0;
  auto work = [&] {
    for (int64_t tile; (tile = next++) < tiles;)
      kernel(operands.data(), tile);
  };
  std::vector<std::thread> others;
  for (int index = 1; index < threads; ++index)
    others.emplace_back(work);
  work();
  for (std::thread &thread : others)
    thread.join();
}

/// Cache-line aligned storage of `count` elements of `Element`, read and written as floats.
class Buffer {
public:
  Buffer(Element element, int64_t count) : element(element), count(count), guard(64) {
    size_t bytes = (count * elementBytes(element) + 63) / 64 * 64 + guard;
    memory = static_cast<char *>(std::aligned_alloc(64, bytes));
    std::memset(memory, 0xa5, bytes);
  }
  Buffer(const Buffer &) = delete;
  Buffer(Buffer &&other) : element(other.element), count(other.count), guard(other.guard), memory(other.memory) {
    other.memory = nullptr;
  }
  ~Buffer() { std::free(memory); }
  void *data() const { return memory; }
  float get(int64_t index) const {
    if (element == Element::F32)
      return reinterpret_cast<float *>(memory)[index];
    if (element == Element::F8)
      return widenE4M3(reinterpret_cast<uint8_t *>(memory)[index]);
    return widenBf16(reinterpret_cast<uint16_t *>(memory)[index]);
  }
  void set(int64_t index, float value) {
    if (element == Element::F32)
      reinterpret_cast<float *>(memory)[index] = value;
    else if (element == Element::F8)
      reinterpret_cast<uint8_t *>(memory)[index] = narrowToE4M3(value);
    else
      reinterpret_cast<uint16_t *>(memory)[index] = narrowToBf16(value);
  }
  /// Uniform in [-scale, scale], the same on every machine.
  void fill(uint32_t seed, float scale = 1.0f) {
    uint32_t state = seed * 2654435761u + 12345;
    for (int64_t index = 0; index < count; ++index) {
      state = state * 1664525u + 1013904223u;
      set(index, (static_cast<int32_t>(state) / 2147483648.0f) * scale);
    }
  }
  /// Whether nothing wrote behind the last element.
  bool guardIntact() const {
    size_t bytes = count * elementBytes(element);
    for (size_t index = bytes; index < (bytes + 63) / 64 * 64 + guard; ++index)
      if (static_cast<unsigned char>(memory[index]) != 0xa5)
        return false;
    return true;
  }
  const Element element;
  const int64_t count;

private:
  const size_t guard;
  char *memory;
};

} // namespace mjolnir::host::testing

#endif // MJOLNIR_TEST_UNIT_HOST_KERNELRUNNER_H
