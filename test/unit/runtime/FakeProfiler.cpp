// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A profiler's NVTX library, for tests: it takes the places of RangePushA and RangePop as NVTX 3 hands them out and
// writes what it hears, indented by depth, to the file that FAKE_PROFILER_LOG names.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

thread_local int depth = 0;
FILE *out = nullptr;

int push(const char *name) {
  fprintf(out, "%*s%s\n", 2 * depth, "", name);
  fflush(out);
  return depth++;
}
int pop() { return --depth; }

struct Callbacks {
  size_t size;
  int (*getModuleFunctionTable)(int module, void (****table)(), unsigned *size);
};
struct VersionInfo {
  size_t size;
  uint32_t version, reserved;
  void (*setInjectionVersion)(uint32_t version);
};

} // namespace

EXPORT int InitializeInjectionNvtx2(const void *(*getExportTable)(uint32_t)) {
  out = fopen(getenv("FAKE_PROFILER_LOG"), "w");
  auto *version = static_cast<const VersionInfo *>(getExportTable(3));
  auto *callbacks = static_cast<const Callbacks *>(getExportTable(1));
  void (***table)() = nullptr;
  unsigned size = 0;
  if (!out || !version || version->size < sizeof(VersionInfo) || version->version != 3 || !callbacks ||
      callbacks->getModuleFunctionTable(99, &table, &size) != 0 ||
      callbacks->getModuleFunctionTable(1, &table, &size) != 1 || size < 12 || !table[9] || !table[11])
    return 0;
  version->setInjectionVersion(3);
  *table[9] = reinterpret_cast<void (*)()>(push);
  *table[11] = reinterpret_cast<void (*)()>(pop);
  return 1;
}
