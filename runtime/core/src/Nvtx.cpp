// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The program's side of NVTX 3: the profiler's library asks for tables of places and writes its functions into those
// that it wants to hear of. Numbers and layouts are those of NVTX's ABI, which NVIDIA keeps stable for such libraries.
#include "Nvtx.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <mutex>

namespace mjolnir::runtime {

int (*NvtxRange::push)(const char *) = nullptr;
int (*NvtxRange::pop)() = nullptr;

namespace {

using AnyFunction = void (*)();
using FunctionTable = AnyFunction **; ///< places of functions, by number

enum Module : int { ModuleCore = 1, ModuleCore2 = 5 };
enum CoreFunction : size_t { CoreRangePushA = 9, CoreRangePop = 11, CoreFunctionCount = 16 };
constexpr size_t Core2FunctionCount = 16;
enum ExportTable : uint32_t { TableCallbacks = 1, TableVersion = 3 };
constexpr uint32_t NvtxVersion = 3;

AnyFunction coreFunctions[CoreFunctionCount], core2Functions[Core2FunctionCount];
AnyFunction *corePlaces[CoreFunctionCount + 1], *core2Places[Core2FunctionCount + 1]; // number 0 and the end: none

int getModuleFunctionTable(int module, FunctionTable *table, unsigned *size) {
  if (module != ModuleCore && module != ModuleCore2)
    return 0;
  if (table)
    *table = module == ModuleCore ? corePlaces : core2Places;
  if (size)
    *size = module == ModuleCore ? CoreFunctionCount : Core2FunctionCount;
  return 1;
}

struct Callbacks {
  size_t size;
  int (*getModuleFunctionTable)(int module, FunctionTable *table, unsigned *size);
};
struct VersionInfo {
  size_t size;
  uint32_t version, reserved;
  void (*setInjectionVersion)(uint32_t version);
};

const void *getExportTable(uint32_t id) {
  static const Callbacks callbacks = {sizeof(callbacks), getModuleFunctionTable};
  static const VersionInfo version = {sizeof(version), NvtxVersion, 0, [](uint32_t) {}};
  return id == TableCallbacks ? static_cast<const void *>(&callbacks) : id == TableVersion ? &version : nullptr;
}

} // namespace

void NvtxRange::initialize() {
  static std::once_flag once;
  std::call_once(once, [] {
    const char *path = getenv("NVTX_INJECTION64_PATH");
    void *library = path ? dlopen(path, RTLD_LAZY) : nullptr; // never closed: it stays until the process ends
    if (!library)
      return;
    auto start = reinterpret_cast<int (*)(const void *(*)(uint32_t))>(dlsym(library, "InitializeInjectionNvtx2"));
    for (size_t i = 1; i < CoreFunctionCount; ++i)
      corePlaces[i] = &coreFunctions[i];
    for (size_t i = 1; i < Core2FunctionCount; ++i)
      core2Places[i] = &core2Functions[i];
    if (!start || start(getExportTable) == 0)
      return;
    auto pushFunction = reinterpret_cast<int (*)(const char *)>(coreFunctions[CoreRangePushA]);
    auto popFunction = reinterpret_cast<int (*)()>(coreFunctions[CoreRangePop]);
    if (!pushFunction || !popFunction)
      return;
    push = pushFunction;
    pop = popFunction;
  });
}

} // namespace mjolnir::runtime
