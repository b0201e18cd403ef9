// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A stand-in for the CUDA driver (libcuda.so.1) that tests load where there is no device: device memory is memory of
// the process, an image is an ELF shared object with the host's kernels, a launch runs its blocks one after the other,
// a graph is a list of what was captured. It is strict where the driver is: everything needs a current context, what is
// captured does not run, memory that is freed twice or not at all is an error. And it is as late as a driver may be:
// what a stream is given runs when somebody waits for it.
//
// Environment: FAKE_CUDA_CAPABILITY ("90"), FAKE_CUDA_MEMORY (bytes), FAKE_CUDA_DEVICES ("1"), FAKE_CUDA_FAIL (the name
// of a function that fails), FAKE_CUDA_FAULT (the name of a kernel that reads where it must not: from then on the
// context is good for nothing), FAKE_CUDA_INTEGRATED ("0"), FAKE_CUDA_HASTE ("1": copies into a stream that is idle run
// at once, as early as they may). Tests that count calls find `fakeCudaCalls`. With FAKE_CUDA_OLD it is built as a
// driver that is too old for tensor maps.
#include "FakeTensorMap.h"

#include "cuda/DriverApi.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <dlfcn.h>
#include <elf.h>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace mjolnir::runtime::cuda;

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr Result ErrorInvalidValue = 1, ErrorInvalidContext = 201, ErrorInvalidHandle = 400, ErrorNotFound = 500,
                 ErrorNotReady = 600, ErrorMisalignedAddress = 716, ErrorNotSupported = 801;

using Work = std::function<void()>;
using Kernel = void (*)(void *const *operands, int64_t tile);

struct FakeFunction {
  Kernel kernel;
  size_t operands, tensorMaps;
};
struct FakeStream {
  std::vector<Work> captured;
  bool isCapturing = false;
  std::deque<Work> pending;
  uint64_t submitted = 0, finished = 0; // works

  void runUntil(uint64_t count) {
    while (finished < count) {
      Work work = std::move(pending.front());
      pending.pop_front();
      ++finished;
      work();
    }
  }
};
struct FakeEvent {
  FakeStream *stream = nullptr;
  uint64_t position = 0; // of the stream's works, when it was recorded
  uint64_t ticks = 0;
  bool hasTime = true;
};
struct FakeModule {
  void *handle;
  std::map<std::string, FakeFunction> functions;
};

std::recursive_mutex mutex; // of all that follows
thread_local std::vector<int> contexts;
std::map<void *, size_t> allocations;
std::set<FakeStream *> streams;
size_t allocatedBytes = 0;
bool hasFault = false;                 // for the rest of the process
uint64_t ticks = 0;                    // what events record
std::map<std::string, unsigned> calls; // by function, since fakeCudaCalls

size_t setting(const char *name, size_t fallback) {
  const char *text = getenv(name);
  return text ? strtoull(text, nullptr, 10) : fallback;
}

/// Whether `function` may run: it has a context, and no test wants it to fail.
Result enter(const char *function) {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  ++calls[function];
  const char *failing = getenv("FAKE_CUDA_FAIL");
  if (failing && !strcmp(failing, function))
    return ErrorNotSupported;
  return contexts.empty() ? ErrorInvalidContext : hasFault ? ErrorMisalignedAddress : Success;
}

void submit(Stream stream, Work work, bool isHasty = false) {
  auto *fake = reinterpret_cast<FakeStream *>(stream);
  if (fake->isCapturing) {
    fake->captured.push_back(std::move(work));
    return;
  }
  const bool wasIdle = fake->pending.empty();
  fake->pending.push_back(std::move(work));
  ++fake->submitted;
  if (isHasty && wasIdle && setting("FAKE_CUDA_HASTE", 0))
    fake->runUntil(fake->submitted);
}

/// The kernels of the tests' image and how many operands each has: a launch does not say.
const std::map<std::string, size_t> operandCounts = {{"test_add", 3},   {"test_scale", 3},   {"test_count", 3},
                                                     {"test_stack", 1}, {"test_append", 4},  {"test_sum", 5},
                                                     {"toy_append", 5}, {"toy_predict", 7},  {"toy_increment", 2},
                                                     {"test_show", 3},  {"mj_finish_run", 8}};
/// Those that take tensor maps: they find the addresses of copies behind their operands.
const std::map<std::string, size_t> tensorMapCounts = {{"test_show", 3}};

} // namespace

#define ENTER(function)                                                                                                \
  std::lock_guard<std::recursive_mutex> lock(mutex);                                                                   \
  if (Result entered = enter(function); entered != Success)                                                            \
  return entered

/// What was called since the last time this was: "cuEventRecord 2, cuGraphLaunch 1".
EXPORT const char *fakeCudaCalls() {
  static std::string text;
  std::lock_guard<std::recursive_mutex> lock(mutex);
  text.clear();
  for (const auto &[function, count] : calls)
    text += (text.empty() ? "" : ", ") + function + " " + std::to_string(count);
  calls.clear();
  return text.c_str();
}

// For the stand-in of cuBLASLt, which gives a stream what the library's kernels would do.
EXPORT bool fakeCudaHasContext() { return !contexts.empty(); }
EXPORT bool fakeCudaIsCapturing(Stream stream) { return reinterpret_cast<FakeStream *>(stream)->isCapturing; }
EXPORT void fakeCudaSubmit(Stream stream, const std::function<void()> &work, uint64_t milliseconds) {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  submit(stream, [work, milliseconds] {
    work();
    ticks += milliseconds;
  });
}

EXPORT Result cuInit(unsigned) { return Success; }
EXPORT Result cuDriverGetVersion(int *version) { return *version = 13000, Success; }
EXPORT Result cuGetErrorName(Result error, const char **text) {
  *text = error == ErrorOutOfMemory         ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == ErrorInvalidContext    ? "CUDA_ERROR_INVALID_CONTEXT"
          : error == ErrorNotFound          ? "CUDA_ERROR_NOT_FOUND"
          : error == ErrorMisalignedAddress ? "CUDA_ERROR_MISALIGNED_ADDRESS"
          : error == ErrorNotSupported      ? "CUDA_ERROR_NOT_SUPPORTED"
                                            : "CUDA_ERROR_INVALID_VALUE";
  return Success;
}
EXPORT Result cuGetErrorString(Result, const char **text) { return *text = "as the fake driver was told", Success; }
EXPORT Result cuDeviceGetCount(int *count) { return *count = int(setting("FAKE_CUDA_DEVICES", 1)), Success; }
EXPORT Result cuDeviceGet(DeviceHandle *device, int ordinal) { return *device = ordinal, Success; }
EXPORT Result cuDeviceGetName(char *name, int length, DeviceHandle) {
  snprintf(name, size_t(length), "Fake");
  return Success;
}
EXPORT Result cuDeviceGetAttribute(int *value, int attribute, DeviceHandle) {
  int capability = int(setting("FAKE_CUDA_CAPABILITY", 90));
  *value = attribute == AttributeComputeCapabilityMajor         ? capability / 10
           : attribute == AttributeComputeCapabilityMinor       ? capability % 10
           : attribute == AttributeMaxSharedMemoryPerBlockOptin ? 100 * 1024
           : attribute == AttributeIntegrated                   ? int(setting("FAKE_CUDA_INTEGRATED", 0))
                                                                : 1;
  return Success;
}
EXPORT Result cuDevicePrimaryCtxRetain(Context *context, DeviceHandle) {
  *context = reinterpret_cast<Context>(&mutex);
  return Success;
}
EXPORT Result cuDevicePrimaryCtxRelease_v2(DeviceHandle) {
  if (allocations.empty() || hasFault) // after a fault nothing can be freed, and all is with the context
    return Success;
  fprintf(stderr, "fake driver: %zu allocations were not freed\n", allocations.size());
  abort();
}
EXPORT Result cuCtxPushCurrent_v2(Context) {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  ++calls["cuCtxPushCurrent"];
  return contexts.push_back(0), Success;
}
EXPORT Result cuCtxPopCurrent_v2(Context *) {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  ++calls["cuCtxPopCurrent"];
  return contexts.pop_back(), Success;
}

EXPORT Result cuMemGetInfo_v2(size_t *free, size_t *total) {
  *total = setting("FAKE_CUDA_MEMORY", size_t(1) << 30);
  *free = *total - allocatedBytes;
  return Success;
}
EXPORT Result cuMemAlloc_v2(DevicePointer *pointer, size_t bytes) {
  ENTER("cuMemAlloc");
  if (allocatedBytes + bytes > setting("FAKE_CUDA_MEMORY", size_t(1) << 30))
    return ErrorOutOfMemory;
  void *memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset(memory, 0xcd, bytes); // fresh device memory is not zero
  allocations[memory] = bytes;
  allocatedBytes += bytes;
  *pointer = reinterpret_cast<DevicePointer>(memory);
  return Success;
}
static Result release(void *memory) {
  ENTER("cuMemFree");
  for (FakeStream *stream : streams) // freeing waits for the device
    stream->runUntil(stream->submitted);
  auto found = allocations.find(memory);
  if (found == allocations.end())
    abort();
  allocatedBytes -= found->second;
  allocations.erase(found);
  free(memory);
  return Success;
}
EXPORT Result cuMemFree_v2(DevicePointer pointer) { return release(reinterpret_cast<void *>(pointer)); }
EXPORT Result cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
  DevicePointer memory = 0;
  Result result = cuMemAlloc_v2(&memory, bytes);
  *pointer = reinterpret_cast<void *>(memory);
  return result;
}
EXPORT Result cuMemFreeHost(void *pointer) { return release(pointer); }

static Result copy(void *to, const void *from, size_t bytes, Stream stream) {
  ENTER("cuMemcpyAsync");
  submit(stream, [=] { memmove(to, from, bytes); }, true);
  return Success;
}
EXPORT Result cuMemcpyHtoDAsync_v2(DevicePointer to, const void *from, size_t bytes, Stream stream) {
  return copy(reinterpret_cast<void *>(to), from, bytes, stream);
}
EXPORT Result cuMemcpyDtoHAsync_v2(void *to, DevicePointer from, size_t bytes, Stream stream) {
  return copy(to, reinterpret_cast<void *>(from), bytes, stream);
}
EXPORT Result cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes, Stream stream) {
  return copy(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes, stream);
}
EXPORT Result cuMemsetD8Async(DevicePointer pointer, unsigned char value, size_t bytes, Stream stream) {
  ENTER("cuMemsetD8Async");
  submit(stream, [=] { memset(reinterpret_cast<void *>(pointer), value, bytes); });
  return Success;
}

EXPORT Result cuModuleLoadDataEx(Module *module, const void *image, unsigned, int *, void **) {
  ENTER("cuModuleLoadDataEx");
  // PTX is text. Of its kernels only their names count: they do nothing, which takes a millisecond, too.
  if (memcmp(image, "//", 2) == 0) {
    *module = reinterpret_cast<Module>(new FakeModule{nullptr, {}});
    return strstr(static_cast<const char *>(image), ".version") ? Success : ErrorInvalidValue;
  }
  Elf64_Ehdr header;
  memcpy(&header, image, sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return ErrorInvalidValue;
  size_t bytes = header.e_shoff + size_t(header.e_shnum) * header.e_shentsize;
  int fd = memfd_create("fake-cubin", 0);
  if (write(fd, image, bytes) != ssize_t(bytes))
    abort();
  auto *fake = new FakeModule{dlopen(("/proc/self/fd/" + std::to_string(fd)).c_str(), RTLD_NOW | RTLD_LOCAL), {}};
  *module = reinterpret_cast<Module>(fake);
  return fake->handle ? Success : ErrorInvalidValue;
}
EXPORT Result cuModuleUnload(Module module) {
  ENTER("cuModuleUnload");
  delete reinterpret_cast<FakeModule *>(module);
  return Success;
}
EXPORT Result cuModuleGetFunction(Function *function, Module module, const char *name) {
  ENTER("cuModuleGetFunction");
  auto *fake = reinterpret_cast<FakeModule *>(module);
  if (!fake->handle) {
    fake->functions[name] = {[](void *const *, int64_t) {}, 0, 0};
    *function = reinterpret_cast<Function>(&fake->functions[name]);
    return Success;
  }
  void *symbol = dlsym(fake->handle, name);
  auto count = operandCounts.find(name);
  if (!symbol || count == operandCounts.end())
    return ErrorNotFound;
  FakeFunction &known = fake->functions[name];
  if (const char *fault = getenv("FAKE_CUDA_FAULT"); fault && !strcmp(fault, name))
    symbol = reinterpret_cast<void *>(Kernel([](void *const *, int64_t) { hasFault = true; }));
  auto maps = tensorMapCounts.find(name);
  known = {reinterpret_cast<Kernel>(symbol), count->second, maps == tensorMapCounts.end() ? 0 : maps->second};
  *function = reinterpret_cast<Function>(&known);
  return Success;
}
EXPORT Result cuFuncSetAttribute(Function, int, int) { return enter("cuFuncSetAttribute"); }
EXPORT Result cuLaunchKernelEx(const LaunchConfig *config, Function function, void **parameters, void **) {
  ENTER("cuLaunchKernelEx");
  if (config->blockX == 0 || config->gridX == 0)
    return ErrorInvalidValue;
  const FakeFunction fake = *reinterpret_cast<FakeFunction *>(function);
  std::vector<void *> operands; // the driver copies parameters when it is called
  for (size_t i = 0; i < fake.operands; ++i)
    operands.push_back(*static_cast<void **>(parameters[i]));
  auto maps = std::make_shared<std::vector<TensorMap>>();
  for (size_t i = 0; i < fake.tensorMaps; ++i)
    maps->push_back(*static_cast<const TensorMap *>(parameters[fake.operands + i]));
  for (TensorMap &map : *maps)
    operands.push_back(&map);
  submit(config->stream, [fake, operands, maps, blocks = config->gridX] {
    for (unsigned block = 0; block < blocks; ++block)
      fake.kernel(operands.data(), block);
    ++ticks;
  });
  return Success;
}

#ifndef FAKE_CUDA_OLD
/// Refuses what the driver documents that it refuses.
EXPORT Result cuTensorMapEncodeTiled(TensorMap *map, int dataType, uint32_t rank, void *address, const uint64_t *sizes,
                                     const uint64_t *strides, const uint32_t *box, const uint32_t *elementStrides,
                                     int interleave, int swizzle, int l2Promotion, int fill) {
  ENTER("cuTensorMapEncodeTiled");
  const uint32_t elementBytes = dataType == TensorMapUint8 ? 1 : dataType == TensorMapFloat32 ? 4 : 2;
  if (reinterpret_cast<uintptr_t>(map) % 64 || reinterpret_cast<uintptr_t>(address) % 16 || rank != 2 ||
      strides[0] % 16 || strides[0] < sizes[0] * elementBytes || strides[0] >= uint64_t(1) << 40 ||
      box[0] * elementBytes % 16 || box[0] * elementBytes > 128)
    return ErrorInvalidValue;
  mjolnir::test::FakeTensorMap fake = {};
  for (int i = 0; i < 2; ++i) {
    if (sizes[i] == 0 || sizes[i] > uint64_t(1) << 32 || box[i] == 0 || box[i] > 256 || elementStrides[i] == 0)
      return ErrorInvalidValue;
    fake.sizes[i] = sizes[i];
    fake.box[i] = box[i];
    fake.elementStrides[i] = elementStrides[i];
  }
  fake.address = reinterpret_cast<uint64_t>(address);
  fake.pitch = strides[0];
  fake.dataType = uint32_t(dataType);
  fake.rank = rank;
  fake.interleave = uint32_t(interleave);
  fake.swizzle = uint32_t(swizzle);
  fake.l2Promotion = uint32_t(l2Promotion);
  fake.fill = uint32_t(fill);
  memcpy(map, &fake, sizeof(fake));
  return Success;
}
#endif

EXPORT Result cuStreamCreate(Stream *stream, unsigned) {
  ENTER("cuStreamCreate");
  auto *fake = new FakeStream;
  streams.insert(fake);
  *stream = reinterpret_cast<Stream>(fake);
  return Success;
}
EXPORT Result cuStreamDestroy_v2(Stream stream) {
  ENTER("cuStreamDestroy");
  auto *fake = reinterpret_cast<FakeStream *>(stream);
  fake->runUntil(fake->submitted);
  streams.erase(fake);
  delete fake;
  return Success;
}
EXPORT Result cuStreamSynchronize(Stream stream) {
  ENTER("cuStreamSynchronize");
  auto *fake = reinterpret_cast<FakeStream *>(stream);
  if (fake->isCapturing)
    return ErrorInvalidValue;
  fake->runUntil(fake->submitted);
  return hasFault ? ErrorMisalignedAddress : Success;
}
EXPORT Result cuStreamWaitEvent(Stream stream, Event event, unsigned) {
  ENTER("cuStreamWaitEvent");
  const FakeEvent recorded = *reinterpret_cast<FakeEvent *>(event);
  submit(stream, [recorded] {
    if (recorded.stream)
      recorded.stream->runUntil(recorded.position);
  });
  return Success;
}
EXPORT Result cuStreamBeginCapture_v2(Stream stream, int) {
  ENTER("cuStreamBeginCapture");
  reinterpret_cast<FakeStream *>(stream)->isCapturing = true;
  return Success;
}
EXPORT Result cuStreamEndCapture(Stream stream, Graph *graph) {
  auto *fake = reinterpret_cast<FakeStream *>(stream);
  fake->isCapturing = false;
  *graph = reinterpret_cast<Graph>(new std::vector<Work>(std::move(fake->captured)));
  fake->captured.clear();
  return enter("cuStreamEndCapture");
}
EXPORT Result cuGraphInstantiateWithFlags(GraphExec *exec, Graph graph, unsigned long long) {
  ENTER("cuGraphInstantiate");
  *exec = reinterpret_cast<GraphExec>(new std::vector<Work>(*reinterpret_cast<std::vector<Work> *>(graph)));
  return Success;
}
EXPORT Result cuGraphUpload(GraphExec, Stream) { return enter("cuGraphUpload"); }
EXPORT Result cuGraphLaunch(GraphExec exec, Stream stream) {
  ENTER("cuGraphLaunch");
  for (const Work &work : *reinterpret_cast<std::vector<Work> *>(exec))
    submit(stream, work);
  return Success;
}
EXPORT Result cuGraphExecDestroy(GraphExec exec) {
  delete reinterpret_cast<std::vector<Work> *>(exec);
  return Success;
}
EXPORT Result cuGraphDestroy(Graph graph) {
  delete reinterpret_cast<std::vector<Work> *>(graph);
  return Success;
}
EXPORT Result cuEventCreate(Event *event, unsigned flags) {
  auto *fake = new FakeEvent;
  fake->hasTime = !(flags & EventDisableTiming);
  *event = reinterpret_cast<Event>(fake);
  return Success;
}
EXPORT Result cuEventDestroy_v2(Event event) {
  delete reinterpret_cast<FakeEvent *>(event);
  return Success;
}
EXPORT Result cuEventRecord(Event event, Stream stream) {
  ENTER("cuEventRecord");
  auto *fake = reinterpret_cast<FakeEvent *>(event);
  submit(stream, [fake] { fake->ticks = ticks; });
  fake->stream = reinterpret_cast<FakeStream *>(stream);
  fake->position = fake->stream->submitted;
  return Success;
}
EXPORT Result cuEventSynchronize(Event event) {
  ENTER("cuEventSynchronize");
  auto *fake = reinterpret_cast<FakeEvent *>(event);
  if (fake->stream)
    fake->stream->runUntil(fake->position);
  return hasFault ? ErrorMisalignedAddress : Success;
}
/// A launch takes a millisecond.
EXPORT Result cuEventElapsedTime(float *milliseconds, Event start, Event end) {
  ENTER("cuEventElapsedTime");
  const auto *from = reinterpret_cast<FakeEvent *>(start), *to = reinterpret_cast<FakeEvent *>(end);
  for (const FakeEvent *event : {from, to})
    if (!event->hasTime || !event->stream)
      return ErrorInvalidHandle;
    else if (event->stream->finished < event->position)
      return ErrorNotReady;
  *milliseconds = float(to->ticks - from->ticks);
  return Success;
}
