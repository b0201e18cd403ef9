# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Runs the programs of library calls on the tests' stand-ins for the driver and for cuBLASLt, against the host's oracle:

    check_library_calls.py GPU_FOLDER MJOLNIR_COMPILE SCRATCH

A variant that needs kernels, too, is none for the stand-ins: bf16 alone is one call an entry.
"""
import os
import sys

folder, compiler, scratch = sys.argv[1:]
sys.path.insert(0, folder)
import programs  # noqa: E402

with open(os.path.join(folder, "library", "products.mlir"), encoding="utf-8") as file:
    lines = [line for line in file if "gpu-check: options" not in line or "--precision=bf16" in line]
program = os.path.join(scratch, "products.mlir")
with open(program, "w", encoding="utf-8") as file:
    file.writelines(lines)
programs.prepare(program, os.path.join(scratch, "products"), compiler, "cuda:sm_90a", scratch)
count, worst, failures = programs.check(os.path.join(scratch, "products"))
print(f"{count} entries, worst error {worst:.2f} of the allowed")
sys.exit("\n".join(failures) or 0)
