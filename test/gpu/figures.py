# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Programs whose kernels are timed (test/gpu/figures/*.mlir), as packages without their random weights.

Comments of a program say what is packed and what is measured:

    // gpu-check: options --fp8        compiled with this, a package a line
    // gpu-check: steps 1x512 32x2048  of a language model: sequences and the tokens that each holds after the step
"""
import json
import os
import re
import subprocess

import numpy as np

import mjolnir_runtime as mj
import programs
import weights
from check_speed import filled

STEPS = re.compile(r"^// gpu-check: steps (.+?)\s*$", re.M)


def prepare(path, folder, compiler, target, scratch):
    """Compiles the program at `path` for `target` into `folder`."""
    name = os.path.basename(path).removesuffix(".mlir")
    with open(path, encoding="utf-8") as file:
        source = file.read()
    checkpoint, package = os.path.join(scratch, "checkpoint"), os.path.join(scratch, "package.mjp")
    programs.write_checkpoint(source, checkpoint, np.random.default_rng(0))
    os.makedirs(folder, exist_ok=True)
    steps = [[int(part) for part in step.split("x")] for line in STEPS.findall(source) for step in line.split()]
    facts = {"variants": [], "steps": steps}
    for number, options in programs.variants(source):
        command = [compiler, path, f"--checkpoint={checkpoint}", "--quiet", "-o", package, f"--target={target}", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"{' '.join(command)}: {done.stderr.strip()}")
        weights.strip(package, os.path.join(folder, f"{name}.{number}.bare"))
        facts["variants"].append({"name": f"{name}.{number}", "options": options})
    with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as file:
        json.dump(facts, file)


class Program:
    """What prepare() made of a program."""

    def __init__(self, context, name):
        self.name = name
        with open(context.path("figures", f"{name}.json"), encoding="utf-8") as file:
            facts = json.load(file)
        self.steps = [tuple(step) for step in facts["steps"]]
        self.variants = [(variant["options"], filled(context, variant["name"], "figures")) for variant in facts["variants"]]


def named(context, prefix):
    """The programs that were packed and whose names begin with `prefix`."""
    names = sorted(name.removesuffix(".json") for name in os.listdir(context.path("figures")) if name.endswith(".json"))
    return [Program(context, name) for name in names if name.startswith(prefix)]


def given_bytes(package):
    """Of each entry the bytes of its inputs and outputs."""
    package = mj.Package(package)
    found = {}
    for entry in package.entries.values():
        found[entry.name] = sum(int(np.prod(binding.shape, dtype=np.int64)) * binding.bits // 8
                                for binding in [*entry.inputs, *entry.outputs])
    package.close()
    return found
