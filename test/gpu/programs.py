# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Programs over tensors (test/gpu/kernels/*.mlir) against the host.

A program is IR in phase input. Its weights are random: bf16 and f32 ones normal with a standard deviation of 1 over the
square root of the last axis, vectors near 1. Inputs are normal; comments say what differs:

    // gpu-check: input rows in 0..7           values of an input, both ends included; integers need it
    // gpu-check: options --precision=f32      compiled with this (a line a variant; without one: as it is)
    // gpu-check: runs 3                       all entries so many times in turn, in one session, each run compared: for
                                               programs with states

Every entry is run by two packages for the host, the oracle and one compiled as the GPU's is, on the machine that has the GPU:
numbers take more room than programs. An output's error against the oracle may be twice the host's, or what two sums in
another order may differ by when each is rounded to the output's type: two unit roundoffs of the largest value.
"""
import json
import os
import re
import subprocess
import zlib

import numpy as np

import mjolnir_runtime as mj

WEIGHT = re.compile(r'mj\.weight @\S+ : tensor<((?:\d+x)+)(bf16|f16|f32|i32|i8|f8E4M3FN)> from "([^"]+)"')
INPUT = re.compile(r"^// gpu-check: input (\S+) in (\S+?)\.\.(\S+)\s*$", re.M)
HOST = "host:x86-64-v3"
RUNS = re.compile(r"^// gpu-check: runs (\d+)\s*$", re.M)
OPTIONS = re.compile(r"^// gpu-check: options (.+?)\s*$", re.M)
SAFETENSORS = {"bf16": "BF16", "f16": "F16", "f32": "F32"}


def write_checkpoint(text, folder, generator):
    """The weights that a program names, random: a folder as --checkpoint wants it."""
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


def _random_inputs(entry, bounds):
    """The inputs of an entry: those of its name, whichever package it is of."""
    generator = np.random.default_rng(zlib.crc32(entry.name.encode()))
    return {binding.name: _random_input(binding, bounds, generator) for binding in entry.inputs}


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


def prepare(path, folder, compiler, target, scratch):
    """Compiles the program at `path` for `target` and for the host into `folder`."""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    checkpoint = os.path.join(scratch, "checkpoint")
    write_checkpoint(source, checkpoint, np.random.default_rng(0))
    os.makedirs(folder, exist_ok=True)

    def compiled(name, *options):
        output = os.path.join(folder, f"{name}.mjp")
        command = [compiler, path, f"--checkpoint={checkpoint}", "--quiet", "-o", output, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ValueError(f"{' '.join(command)}: {done.stderr.strip()}")
        return output

    package = mj.Package(compiled("oracle", "--oracle", f"--target={HOST}"))
    facts = {"bounds": {name: (low, high) for name, low, high in INPUT.findall(source)}, "variants": [],
             "runs": int((RUNS.findall(source) or [1])[0])}
    for entry in package.entries.values():
        if entry.is_ragged:
            raise ValueError(f"the entry {entry.name} is a language model's: programs here are over tensors")
        _random_inputs(entry, facts["bounds"])  # complains now of what check() could not make
    package.close()
    for name, options in variants(source):
        compiled(name, f"--target={target}", *options)
        # Libraries are the GPU's.
        compiled(f"{name}.host", f"--target={HOST}", *(part for part in options if not part.startswith("--libraries")))
        facts["variants"].append(name)
    with open(os.path.join(folder, "program.json"), "w", encoding="utf-8") as file:
        json.dump(facts, file)


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


def _twice_roundoff(binding, outputs):
    """bf16 has 8 bits of precision, f16 11; sums in f32 are compared to 16, as their terms cancel."""
    if binding.is_bfloat:
        return 2.0**-7
    return 2.0**-10 if outputs[binding.name].dtype == np.float16 else 2.0**-16


def _run_all(path, bounds, runs):
    """Of each entry of a package, on its inputs: each output, as f32 where it is bf16, and two unit roundoffs of its type.
    Entries run one after the other, `runs` times."""
    package = mj.Package(path)
    session = mj.Session(package)
    results = {}
    for number in range(runs):
        for entry in package.entries.values():
            outputs = session.run(entry.name, _random_inputs(entry, bounds))
            results[entry.name + (f" run {number}" if number else "")] = {
                binding.name: (binding.to_f32(outputs[binding.name]), _twice_roundoff(binding, outputs))
                for binding in entry.outputs}
    session.close()
    package.close()
    return results


def check(folder):
    """Runs what prepare() made: (entries run, worst ratio of an error to what is allowed, failures)."""
    with open(os.path.join(folder, "program.json"), encoding="utf-8") as file:
        facts = json.load(file)
    count, worst, failures = 0, 0.0, []
    runs = facts["runs"]
    oracle = _run_all(os.path.join(folder, "oracle.mjp"), facts["bounds"], runs)
    for name in facts["variants"]:
        host = _run_all(os.path.join(folder, f"{name}.host.mjp"), facts["bounds"], runs)
        ours = _run_all(os.path.join(folder, f"{name}.mjp"), facts["bounds"], runs)
        for entry, outputs in ours.items():
            count += 1
            for key, value in outputs.items():
                expected, theirs = oracle[entry][key][0], host[entry][key][0]
                ratio = compare(value[0], theirs, expected, value[1])
                worst = max(worst, ratio)
                if not ratio <= 1:
                    failures.append(f"{os.path.basename(folder)} variant {name}, entry {entry}: '{key}' errs {ratio:.2f} "
                                    "times what is allowed")
    return count, worst, failures
