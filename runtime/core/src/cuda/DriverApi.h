// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The part of the CUDA driver's interface that the runtime uses, declared here so that building it needs no toolkit.
// Names, values and layouts are those of the driver's ABI as documented in the CUDA Driver API reference (CUDA 12 and
// 13).
#ifndef MJOLNIR_RUNTIME_CUDA_DRIVERAPI_H
#define MJOLNIR_RUNTIME_CUDA_DRIVERAPI_H

#include <cstddef>
#include <cstdint>

namespace mjolnir::runtime::cuda {

using Result = int;
inline constexpr Result Success = 0;
inline constexpr Result ErrorOutOfMemory = 2;

using DeviceHandle = int;
using DevicePointer = uint64_t;
using Context = struct ContextTag *;
using Module = struct ModuleTag *;
using Function = struct FunctionTag *;
using Stream = struct StreamTag *;
using Event = struct EventTag *;
using Graph = struct GraphTag *;
using GraphExec = struct GraphExecTag *;

enum DeviceAttribute : int {
  AttributeMultiprocessorCount = 16,
  AttributeIntegrated = 18,
  AttributeComputeCapabilityMajor = 75,
  AttributeComputeCapabilityMinor = 76,
  AttributeMaxSharedMemoryPerBlockOptin = 97,
};

enum FunctionAttribute : int { FunctionMaxDynamicSharedSize = 8 };

inline constexpr unsigned StreamNonBlocking = 1;
inline constexpr unsigned EventDefault = 0, EventDisableTiming = 2;
inline constexpr int CaptureModeThreadLocal = 1;

/// CUlaunchAttribute: 4 bytes id, 4 bytes of padding, 64 bytes of value.
struct LaunchAttribute {
  int id;
  char padding[4];
  union {
    char bytes[64];
    int programmaticStreamSerializationAllowed;
  } value;
};
static_assert(sizeof(LaunchAttribute) == 72, "CUlaunchAttribute");
inline constexpr int LaunchAttributeProgrammaticStreamSerialization = 6;

/// CUlaunchConfig.
struct LaunchConfig {
  unsigned gridX, gridY, gridZ;
  unsigned blockX, blockY, blockZ;
  unsigned sharedBytes;
  Stream stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};
static_assert(offsetof(LaunchConfig, stream) == 32, "CUlaunchConfig");

/// CUtensorMap: 64 bytes of alignment are what the driver asks for, 128 what CUDA 13 declares.
struct alignas(128) TensorMap {
  uint64_t opaque[16];
};

enum TensorMapDataType : int {
  TensorMapUint8 = 0,
  TensorMapFloat16 = 6,
  TensorMapFloat32 = 7,
  TensorMapBfloat16 = 9,
};
inline constexpr int TensorMapInterleaveNone = 0, TensorMapSwizzle128 = 3, TensorMapL2Promotion128 = 2,
                     TensorMapFillZeros = 0;

enum JitOption : int {
  JitInfoLogBuffer = 3,
  JitInfoLogBufferBytes = 4,
  JitErrorLogBuffer = 5,
  JitErrorLogBufferBytes = 6
};

// Every function: what it is called here, its symbol in the driver (with the version that the ABI names), its
// parameters.
#define MJOLNIR_CUDA_FUNCTIONS(X)                                                                                      \
  X(init, "cuInit", (unsigned flags))                                                                                  \
  X(driverGetVersion, "cuDriverGetVersion", (int *version))                                                            \
  X(getErrorName, "cuGetErrorName", (Result error, const char **text))                                                 \
  X(getErrorString, "cuGetErrorString", (Result error, const char **text))                                             \
  X(deviceGetCount, "cuDeviceGetCount", (int *count))                                                                  \
  X(deviceGet, "cuDeviceGet", (DeviceHandle * device, int ordinal))                                                    \
  X(deviceGetName, "cuDeviceGetName", (char *name, int length, DeviceHandle device))                                   \
  X(deviceGetAttribute, "cuDeviceGetAttribute", (int *value, int attribute, DeviceHandle device))                      \
  X(primaryContextRetain, "cuDevicePrimaryCtxRetain", (Context * context, DeviceHandle device))                        \
  X(primaryContextRelease, "cuDevicePrimaryCtxRelease_v2", (DeviceHandle device))                                      \
  X(contextPush, "cuCtxPushCurrent_v2", (Context context))                                                             \
  X(contextPop, "cuCtxPopCurrent_v2", (Context * context))                                                             \
  X(memoryGetInfo, "cuMemGetInfo_v2", (size_t *free, size_t *total))                                                   \
  X(memoryAllocate, "cuMemAlloc_v2", (DevicePointer * pointer, size_t bytes))                                          \
  X(memoryFree, "cuMemFree_v2", (DevicePointer pointer))                                                               \
  X(hostAllocate, "cuMemHostAlloc", (void **pointer, size_t bytes, unsigned flags))                                    \
  X(hostFree, "cuMemFreeHost", (void *pointer))                                                                        \
  X(copyToDevice, "cuMemcpyHtoDAsync_v2", (DevicePointer to, const void *from, size_t bytes, Stream stream))           \
  X(copyToHost, "cuMemcpyDtoHAsync_v2", (void *to, DevicePointer from, size_t bytes, Stream stream))                   \
  X(copyOnDevice, "cuMemcpyDtoDAsync_v2", (DevicePointer to, DevicePointer from, size_t bytes, Stream stream))         \
  X(memorySet, "cuMemsetD8Async", (DevicePointer pointer, unsigned char value, size_t bytes, Stream stream))           \
  X(moduleLoad, "cuModuleLoadDataEx",                                                                                  \
    (Module * module, const void *image, unsigned count, int *options, void **values))                                 \
  X(moduleUnload, "cuModuleUnload", (Module module))                                                                   \
  X(moduleGetFunction, "cuModuleGetFunction", (Function * function, Module module, const char *name))                  \
  X(functionSetAttribute, "cuFuncSetAttribute", (Function function, int attribute, int value))                         \
  X(launchKernel, "cuLaunchKernelEx",                                                                                  \
    (const LaunchConfig *config, Function function, void **parameters, void **extra))                                  \
  X(streamCreate, "cuStreamCreate", (Stream * stream, unsigned flags))                                                 \
  X(streamDestroy, "cuStreamDestroy_v2", (Stream stream))                                                              \
  X(streamSynchronize, "cuStreamSynchronize", (Stream stream))                                                         \
  X(streamWaitEvent, "cuStreamWaitEvent", (Stream stream, Event event, unsigned flags))                                \
  X(streamBeginCapture, "cuStreamBeginCapture_v2", (Stream stream, int mode))                                          \
  X(streamEndCapture, "cuStreamEndCapture", (Stream stream, Graph * graph))                                            \
  X(graphInstantiate, "cuGraphInstantiateWithFlags", (GraphExec * exec, Graph graph, unsigned long long flags))        \
  X(graphUpload, "cuGraphUpload", (GraphExec exec, Stream stream))                                                     \
  X(graphLaunch, "cuGraphLaunch", (GraphExec exec, Stream stream))                                                     \
  X(graphExecDestroy, "cuGraphExecDestroy", (GraphExec exec))                                                          \
  X(graphDestroy, "cuGraphDestroy", (Graph graph))                                                                     \
  X(eventCreate, "cuEventCreate", (Event * event, unsigned flags))                                                     \
  X(eventDestroy, "cuEventDestroy_v2", (Event event))                                                                  \
  X(eventRecord, "cuEventRecord", (Event event, Stream stream))                                                        \
  X(eventSynchronize, "cuEventSynchronize", (Event event))                                                             \
  X(eventElapsed, "cuEventElapsedTime", (float *milliseconds, Event start, Event end))

// Likewise those that only some packages need, null where the driver is too old for them. Dimensions of a tensor map
// are the innermost first, `strides` are bytes of all but that.
#define MJOLNIR_CUDA_OPTIONAL_FUNCTIONS(X)                                                                             \
  X(tensorMapEncodeTiled, "cuTensorMapEncodeTiled",                                                                    \
    (TensorMap * map, int dataType, uint32_t rank, void *address, const uint64_t *sizes, const uint64_t *strides,      \
     const uint32_t *box, const uint32_t *elementStrides, int interleave, int swizzle, int l2Promotion, int fill))

} // namespace mjolnir::runtime::cuda

#endif // MJOLNIR_RUNTIME_CUDA_DRIVERAPI_H
