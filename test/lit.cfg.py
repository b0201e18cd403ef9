# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
#
# How lit runs the tests: .mlir files with RUN lines, in folders that mirror the sources.
import os

import lit.formats

config.name = "Mjolnir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = config.source_root
config.excludes = ["unit", "numerics", "random", "fuzz", "Inputs"]

config.environment["PATH"] = os.pathsep.join([config.mjolnir_tools, config.llvm_tools, config.environment["PATH"]])
config.substitutions.append(("%goldens", os.path.join(config.source_root, "numerics", "goldens")))
