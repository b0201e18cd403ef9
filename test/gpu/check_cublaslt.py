# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Packages that call cuBLASLt, where this machine has it: what they compute, and how fast beside our own kernels."""
import ctypes
import glob
import os
import re
import site
import sys
import tempfile
import time

import mjolnir_runtime as mj
import programs
from check_models import check_goldens
from check_speed import bench, filled
from checks import Skip, check, find_device


def find_library():
    """The file of cuBLASLt: what the loader finds, else a toolkit's, else that of a Python package; of CUDA 13 where the
    driver is."""
    cuda = re.search(r"CUDA (\d+)", find_device()["driver"])
    majors = ["13", "12"] if int(cuda[1]) >= 13 else ["12"]
    for major in majors:
        name = f"libcublasLt.so.{major}"
        folders = ["/usr/local/cuda*/lib64", "/usr/local/cuda*/targets/*/lib", "/usr/lib/*-linux-gnu"]
        for root in [*site.getsitepackages(), site.getusersitepackages(), *sys.path]:
            folders += [f"{root}/nvidia/cublas/lib", f"{root}/nvidia/cu{major}/lib"]
        for path in [name, *(path for folder in folders for path in sorted(glob.glob(os.path.join(folder, name))))]:
            try:
                ctypes.CDLL(path)
                return path
            except OSError:
                continue
    raise Skip(f"no libcublasLt.so.{' or .'.join(majors)} on this machine: neither the loader, nor a CUDA toolkit, nor Python "
               "has it")


def _open_seconds(path):
    start = time.perf_counter()
    package = mj.Package(path)
    session = mj.Session(package)
    seconds = time.perf_counter() - start
    session.close()
    package.close()
    return round(seconds, 3)


@check("cublaslt", 420, "cublaslt", on_host=False)
def cublaslt(context):
    """Matmuls by cuBLASLt: single calls against the host, golden models, prefill in turn with our kernels."""
    os.environ["MJOLNIR_CUBLASLT"] = find_library()
    context.figure("library", os.environ["MJOLNIR_CUBLASLT"])
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        count, worst, failures = programs.check(context.path("cublaslt", "products"))
        for failure in failures:
            context.fail(failure)
        context.figure("calls against the host", count)
        context.figure("worst error over the allowed", worst)
        check_goldens(context, "cublaslt", "goldens")

        name, part, other = "qwen3-0.6b", os.path.join("cublaslt", "cublaslt"), os.path.join("cublaslt", "none")
        if not os.path.exists(context.path(part, f"{name}.bare", needed=False)):
            return
        package = filled(context, name, part)
        context.figure("seconds to load, algorithms tried and remembered",
                       {"first": _open_seconds(package), "second": _open_seconds(package)})
        for entry in ("prefill_t512", "prefill_t8192"):
            found = bench(context, name, "--runs=20", "--entry", entry, "--vs", filled(context, name, other), part=part)
            if not found:
                continue
            for row in found["entries"]:
                context.figure(f"{name} {entry}", {"with cuBLASLt, us": row["microseconds"]["median"],
                                                   "our kernels, us": row["versus_microseconds"]["median"],
                                                   "times faster": row["ratio"]["median"]})
