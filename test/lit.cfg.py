# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
#
# How lit runs the tests: .mlir files with RUN lines, in folders that mirror the sources.
import os
import shutil

import lit.formats

config.name = "Mjolnir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = config.source_root
config.excludes = ["unit", "numerics", "random", "fuzz", "gpu", "Inputs"]

config.environment["PATH"] = os.pathsep.join([config.mjolnir_tools, config.llvm_tools, config.environment["PATH"]])
# What compiles for GPUs needs NVRTC: named in the environment, or of a toolkit.
nvrtc = [os.environ.get("MJOLNIR_NVRTC", "")]
nvrtc += [os.path.join(os.environ.get(name, ""), "lib64", "libnvrtc.so") for name in ("CUDA_HOME", "CUDA_PATH")]
nvrtc = [path for path in nvrtc + ["/usr/local/cuda/lib64/libnvrtc.so"] if os.path.isabs(path) and os.path.exists(path)]
if nvrtc:
    config.available_features.add("nvrtc")
    config.environment["MJOLNIR_NVRTC"] = nvrtc[0]
# Compiled kernels are kept from test to test, and from run to run.
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
# A browser looks at reports.
if shutil.which("chromium"):
    config.available_features.add("chromium")
config.substitutions.append(("%goldens", os.path.join(config.source_root, "numerics", "goldens")))
config.substitutions.append(("%tiny_lm", os.path.join(os.path.dirname(config.source_root), "examples", "tiny-lm")))
config.substitutions.append(("%scripts", os.path.join(os.path.dirname(config.source_root), "scripts")))
config.substitutions.append(("%build", os.path.dirname(config.mjolnir_tools)))
