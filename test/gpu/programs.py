# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Programs over tensors (test/gpu/kernels/*.mlir) and what the host computes of them.

A program is IR in phase input. Its weights are random: bf16 and f32 ones normal with a standard deviation of 1 over the
square root of the last axis, vectors near 1. Inputs are normal; comments say what differs:

    // gpu-check: input rows in 0..7           values of an input, both ends included; integers need it
    // gpu-check: options --precision=f32      compiled with this (a line a variant; without one: as it is)

Every entry is run by two packages of the host, the oracle and one compiled as the GPU's is. An output's error against the
oracle may be twice the host's, or a unit roundoff of the largest value where the host is exact by luck.
"""
import json
import os
import re
import subprocess

import numpy as np

import mjolnir_runtime as mj

WEIGHT = re.compile(r'mj\.weight @\S+ : tensor<((?:\d+x)+)(bf16|f16|f32|i32|i8|f8E4M3FN)> from "([^"]+)"')
INPUT = re.compile(r"^// gpu-check: input (\S+) in (\S+?)\.\.(\S+)\s*$", re.M)
OPTIONS = re.compile(r"^// gpu-check: options (.+?)\s*$", re.M)
SAFETENSORS = {"bf16": "BF16", "f16": "F16", "f32": "F32"}


def _write_checkpoint(text, folder, generator):
    header, parts, offset = {}, [], 0
    for sizes, element, name in WEIGHT.findall(text):
        if name in header:
            continue
        if element not in SAFETENSORS:
            raise ValueError(f"the weight '{name}' is {element}: give bf16, f16 or f32")
        shape = [int(size) for size in sizes[:-1].split("x")]
        values = generator.standard_normal(shape, np.float32)
        values = 1 + values / 10 if len(shape) == 1 else values / np.sqrt(np.float32(shape[-1]))
        data = {"bf16": mj.to_bf16, "f16": np.float16, "f32": np.float32}[element](values).tobytes()
        header[name] = {"dtype": SAFETENSORS[element], "shape": shape, "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        file.write("{}\n")
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded + b"".join(parts))


def _random_input(binding, bounds, generator):
    if binding.name in bounds:
        low, high = bounds[binding.name]
        if binding.dtype.kind != "f" and not binding.is_bfloat:
            return generator.integers(int(low), int(high), binding.shape, endpoint=True).astype(binding.dtype)
        values = generator.uniform(float(low), float(high), binding.shape).astype(np.float32)
    elif binding.dtype.kind == "f" or binding.is_bfloat:
        values = generator.standard_normal(binding.shape, np.float32)
    else:
        raise ValueError(f"say what the integers of the input '{binding.name}' may be: "
                         f"// gpu-check: input {binding.name} in LOW..HIGH")
    return mj.to_bf16(values) if binding.is_bfloat else values.astype(binding.dtype)


def variants(source):
    """(name, options) of each way to compile a program."""
    found = OPTIONS.findall(source)
    return [(str(number), options.split()) for number, options in enumerate(found)] or [("0", [])]


def prepare(path, folder, compiler, target, scratch, seed=0):
    """Compiles the program at `path` for `target` into `folder`, and writes what the host computes beside it."""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    generator = np.random.default_rng(seed)
    checkpoint = os.path.join(scratch, "checkpoint")
    _write_checkpoint(source, checkpoint, generator)
    bounds = {name: (low, high) for name, low, high in INPUT.findall(source)}
    os.makedirs(folder, exist_ok=True)

    def compiled(output, *options):
        command = [compiler, path, f"--checkpoint={checkpoint}", "--quiet", "-o", output, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"{' '.join(command)}: {done.stderr.strip()}")
        return output

    oracle = mj.Package(compiled(os.path.join(scratch, "oracle.mjp"), "--oracle", "--target=host"))
    for name, options in variants(source):
        compiled(os.path.join(folder, f"{name}.mjp"), f"--target={target}", *options)
        host = mj.Package(compiled(os.path.join(scratch, "host.mjp"), "--target=host", *options))
        arrays = {}
        for entry in oracle.entries.values():
            if entry.is_ragged:
                raise ValueError(f"the entry {entry.name} is a language model's: programs here are over tensors")
            inputs = {binding.name: _random_input(binding, bounds, generator) for binding in entry.inputs}
            arrays.update({f"{entry.name}/input/{key}": value for key, value in inputs.items()})
            for kind, package in (("oracle", oracle), ("host", host)):
                session = mj.Session(package, threads=2)
                for binding, value in zip(package.entries[entry.name].outputs,
                                          session.run(entry.name, inputs).values()):
                    arrays[f"{entry.name}/{kind}/{binding.name}"] = binding.to_f32(value)
                session.close()
        host.close()
        np.savez_compressed(os.path.join(folder, f"{name}.npz"), **arrays)
    oracle.close()


def compare(output, host, oracle, roundoff):
    """(largest error, allowed), where an error is no larger than 1 if all is well: of the largest and of the rms error."""
    if not np.issubdtype(output.dtype, np.floating):
        return 0.0 if np.array_equal(output, host) else float("inf")
    if not np.array_equal(np.isfinite(output), np.isfinite(oracle)):
        return float("inf")
    finite = np.isfinite(oracle)
    output, host, oracle = (array[finite].astype(np.float64) for array in (output, host, oracle))
    if output.size == 0:
        return 0.0
    error, reference = np.abs(output - oracle), np.abs(host - oracle)
    rms = lambda values: float(np.sqrt(np.mean(values**2)))
    tiny = np.finfo(np.float64).tiny
    return max(float(error.max()) / (max(2 * reference.max(), roundoff * np.abs(oracle).max()) + tiny),
               rms(error) / (max(2 * rms(reference), roundoff * rms(oracle)) + tiny))


def check(folder):
    """Runs the packages in `folder` on what prepare() wrote: (worst ratio of an error to what is allowed, failures)."""
    worst, failures = 0.0, []
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".npz"):
            continue
        name = file[:-len(".npz")]
        arrays = np.load(os.path.join(folder, file))
        package = mj.Package(os.path.join(folder, f"{name}.mjp"))
        session = mj.Session(package)
        for entry in package.entries.values():
            prefix = f"{entry.name}/input/"
            inputs = {key[len(prefix):]: arrays[key] for key in arrays.files if key.startswith(prefix)}
            outputs = session.run(entry.name, inputs)
            for binding in entry.outputs:
                host, oracle = (arrays[f"{entry.name}/{kind}/{binding.name}"] for kind in ("host", "oracle"))
                value = binding.to_f32(outputs[binding.name])
                # The unit roundoff of what the host rounded to, or of the sums where it did not.
                roundoff = 2.0**-8 if host.size and np.abs(host - oracle).max() > 1e-4 * np.abs(oracle).max() else 2.0**-16
                ratio = compare(value, host, oracle, roundoff)
                worst = max(worst, ratio)
                if not ratio <= 1:
                    failures.append(f"{os.path.basename(folder)} variant {name}, entry {entry.name}: "
                                    f"'{binding.name}' errs {ratio:.2f} times what is allowed")
        session.close()
        package.close()
    return worst, failures
