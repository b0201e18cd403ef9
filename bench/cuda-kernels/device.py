# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Kernels of targets/cuda/device on a GPU without the compiler: compiled by NVRTC, launched through the driver, timed.

Times are of graphs of launches back to back, with programmatic dependent launch as in packages; the median of eight replays.
Needs an H200 or H100, a CUDA 13 toolkit (NVRTC) and PyTorch.
"""
import ctypes
import glob
import os

import torch

DEVICE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "targets", "cuda", "device")
MAX_DYNAMIC_SHARED, LOCAL_BYTES, REGISTERS = 8, 3, 4  # CUfunction_attribute
PROGRAMMATIC_SERIALIZATION = 6                        # CUlaunchAttributeID
BF16, SWIZZLE_128, PROMOTE_L2_128 = 9, 3, 2           # of cuTensorMapEncodeTiled


class Attribute(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("padding", ctypes.c_int), ("value", ctypes.c_int), ("rest", ctypes.c_byte * 60)]


class LaunchConfig(ctypes.Structure):
    _fields_ = [("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared", ctypes.c_uint),
                ("padding", ctypes.c_uint), ("stream", ctypes.c_void_p), ("attributes", ctypes.POINTER(Attribute)),
                ("count", ctypes.c_uint)]


def _check(result, what):
    if result:
        raise RuntimeError(f"{what}: the driver's error {result}")


def find_nvrtc():
    """MJOLNIR_NVRTC, or the library of the toolkit in /usr/local/cuda."""
    found = os.environ.get("MJOLNIR_NVRTC") or max(glob.glob("/usr/local/cuda/lib64/libnvrtc.so.[0-9]*"), default=None)
    if not found:
        raise SystemExit("there is no NVRTC: set MJOLNIR_NVRTC to libnvrtc.so of CUDA 13")
    return ctypes.CDLL(found)


def compile_kernel(nvrtc, source):
    """The cubin of a CUDA source for sm_90a; what NVRTC says is the error."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    _check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None), "NVRTC")
    options = [b"--gpu-architecture=sm_90a", b"--std=c++17", b"-default-device", b"-I" + DEVICE.encode()]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    if failed:
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, log)
        raise RuntimeError(log.value.decode())
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    cubin = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, cubin)
    return cubin.raw


class Kernel:
    """The function `kernel` of a cubin."""

    def __init__(self, cubin, shared):
        self.driver, self.shared = ctypes.CDLL("libcuda.so.1"), shared
        module, self.function = ctypes.c_void_p(), ctypes.c_void_p()
        _check(self.driver.cuModuleLoadData(ctypes.byref(module), cubin), "loading a kernel")
        _check(self.driver.cuModuleGetFunction(ctypes.byref(self.function), module, b"kernel"), "finding the kernel")
        _check(self.driver.cuFuncSetAttribute(self.function, MAX_DYNAMIC_SHARED, shared), "setting shared memory")

    def attribute(self, which):
        value = ctypes.c_int()
        _check(self.driver.cuFuncGetAttribute(ctypes.byref(value), which, self.function), "asking the kernel")
        return value.value

    def launch(self, grid, threads, tensors, maps=()):
        """On PyTorch's stream: pointers to the tensors, then tensor maps by value."""
        pointers = [ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]
        places = [ctypes.addressof(value) for value in (*pointers, *maps)]
        attribute = Attribute(PROGRAMMATIC_SERIALIZATION, 0, 1)
        config = LaunchConfig((ctypes.c_uint * 3)(grid, 1, 1), (ctypes.c_uint * 3)(threads, 1, 1), self.shared, 0,
                              torch.cuda.current_stream().cuda_stream, ctypes.pointer(attribute), 1)
        _check(self.driver.cuLaunchKernelEx(ctypes.byref(config), self.function,
                                            (ctypes.c_void_p * len(places))(*places), None), "launching")


class TensorMap(ctypes.Structure):
    _fields_ = [("opaque", ctypes.c_uint64 * 16)]


def make_map(matrix, box_rows, box_columns):
    """The tensor map of a bf16 matrix, boxes swizzled within 128 bytes, zeros outside."""
    memory = (ctypes.c_byte * 256)()
    address = (ctypes.addressof(memory) + 127) // 128 * 128
    rows, columns = matrix.shape
    _check(ctypes.CDLL("libcuda.so.1").cuTensorMapEncodeTiled(
        ctypes.c_void_p(address), BF16, 2, ctypes.c_void_p(matrix.data_ptr()), (ctypes.c_uint64 * 2)(columns, rows),
        (ctypes.c_uint64 * 1)(columns * 2), (ctypes.c_uint32 * 2)(box_columns, box_rows), (ctypes.c_uint32 * 2)(1, 1), 0,
        SWIZZLE_128, PROMOTE_L2_128, 0), "encoding a tensor map")
    made = TensorMap.from_address(address)
    made.memory = memory
    return made


def time_launches(launches):
    """Microseconds of one of them."""
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    with torch.cuda.stream(stream):
        launches[0]()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, stream=stream):
            for launch in launches:
                launch()
    times = []
    for _ in range(8):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) * 1e3 / len(launches))
    return sorted(times)[len(times) // 2]


def largest_error(found, wanted):
    """Over the largest number that is wanted."""
    return ((found.float() - wanted.float()).abs().max() / wanted.float().abs().max()).item()
