# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""What a check is, and the list of them.

A check is a function of a Context that reports figures and failures. It runs in a process of its own, which is ended when
its time is up.
"""
import ctypes
import dataclasses
import json
import os
import shutil

CHECKS = {}
# What gpu-bundle packs, and the folder that it goes to.
PARTS = {"goldens": "goldens", "trained": "tiny-lm", "kernels": "kernels", "programs": "programs", "speed": "speed",
         "predictions": "predictions", "cublaslt": "cublaslt", "fp8": "fp8", "long": "long", "figures": "figures",
         "ablations": "ablations"}


class Skip(Exception):
    """The check cannot be made here; says why."""


@dataclasses.dataclass
class Check:
    name: str
    seconds: int
    help: str
    run: object
    needs: list    # of PARTS
    on_host: bool  # can be made with packages for the host, too

    def missing(self, folder):
        """A sentence on the parts that the bundle in `folder` lacks; "" when all are there."""
        parts = [f"'{part}'" for part in self.needs if not os.path.exists(os.path.join(folder, PARTS[part]))]
        if not parts:
            return ""
        return (f"the bundle lacks the part{'s' if len(parts) > 1 else ''} {' and '.join(parts)}: "
                f"pack {'them' if len(parts) > 1 else 'it'} with scripts/gpu-bundle --only={','.join(self.needs)}")


def check(name, seconds, needs, on_host=True):
    """Declares a check that may take `seconds` and uses the parts `needs` of a bundle; its documentation is its help."""
    def declare(function):
        CHECKS[name] = Check(name, seconds, function.__doc__.strip().split("\n")[0], function, needs.split(), on_host)
        return function
    return declare


class Context:
    """Where a check finds what was packed, and where it says what it found."""

    def __init__(self, folder, count=None):
        self.folder, self.count = folder, count
        with open(os.path.join(folder, "bundle.json"), encoding="utf-8") as file:
            self.bundle = json.load(file)
        self.figures, self.failures = {}, []

    def path(self, *parts, needed=True):
        path = os.path.join(self.folder, *parts)
        if needed and not os.path.exists(path):
            raise Skip(f"the bundle holds no {'/'.join(parts)}")
        return path

    def tool(self, name):
        """A program on this machine."""
        found = shutil.which(name)
        if not found and os.path.exists(f"/usr/local/cuda/bin/{name}"):
            found = f"/usr/local/cuda/bin/{name}"
        if not found:
            raise Skip(f"this machine has no {name}")
        return found

    def figure(self, name, value):
        self.figures[name] = value

    def fail(self, sentence):
        self.failures.append(sentence)

    def expect(self, name, value, limit):
        """Notes a figure that must not exceed `limit`."""
        self.figures[name] = value
        if not value <= limit:
            self.failures.append(f"{name} is {value:.4g}, more than {limit:.4g}")

    def gate(self, name, value, limit, at_least=False, **more):
        """Notes a figure beside its limit in a line, and whether it keeps it. Limits are of an H200: elsewhere the figure
        is noted alone."""
        if self.bundle["target"] != "cuda:sm_90a":
            limit = None
        keeps = limit is None or (value >= limit if at_least else value <= limit)
        line = {"value": value}
        if limit is not None:
            line.update({"at least" if at_least else "at most": limit, "verdict": "reached" if keeps else "MISSED"})
        self.figures[name] = {**line, **more}
        if not keeps:
            self.failures.append(f"{name} is {value:.4g}, {'less' if at_least else 'more'} than {limit:.4g}")


def find_device():
    """The GPU as a dictionary, or a Skip that says why there is none."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise Skip("no device: there is no CUDA driver (libcuda.so.1) on this machine") from None
    status = cuda.cuInit(0)
    if status:
        raise Skip(f"no device: the CUDA driver does not start (cuInit gives error {status})")
    count, version, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(128)
    cuda.cuDeviceGetCount(ctypes.byref(count))
    if count.value == 0:
        raise Skip("no device: the CUDA driver shows no GPU")
    cuda.cuDeviceGetName(name, 128, 0)
    cuda.cuDriverGetVersion(ctypes.byref(version))
    driver = f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    if os.path.exists("/sys/module/nvidia/version"):
        with open("/sys/module/nvidia/version", encoding="ascii") as file:
            driver = f"{file.read().strip()} ({driver})"
    return {"device": name.value.decode(), "driver": driver}


def free_device_memory():
    """Bytes free on the device, of the primary context; None without a device."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    context, free, total = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
    if cuda.cuInit(0) or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) or cuda.cuCtxPushCurrent_v2(context):
        return None
    cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
    cuda.cuCtxPopCurrent_v2(ctypes.byref(context))
    cuda.cuDevicePrimaryCtxRelease_v2(0)
    return free.value
