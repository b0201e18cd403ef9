# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""How fast the shapes of Qwen3-0.6B and Llama-3.2-1B run, with random weights."""
import json
import os
import subprocess
import time

import numpy as np

import mjolnir_runtime as mj
import weights
from checks import check

CONTEXT = 512  # tokens that a sequence holds before the step
STEPS = 200    # that are timed


def filled(context, name, part="speed"):
    """The package of a large model, its weights made the first time it is asked for."""
    bare, package = context.path(part, f"{name}.bare"), context.path(part, f"{name}.mjp", needed=False)
    if not os.path.exists(package):
        weights.fill(bare, package + ".part", threads=len(os.sched_getaffinity(0)))
        os.replace(package + ".part", package)
    return package


def models(context, part="speed"):
    return sorted(name[:-len(".bare")] for name in os.listdir(context.path(part)) if name.endswith(".bare"))


def bench(context, name, *options, part="speed", tokens=CONTEXT):
    """What mjolnir-bench says of the package of a large model."""
    return bench_package(context, filled(context, name, part), name, f"--context={tokens}", *options)


def bench_package(context, package, name, *options):
    """What mjolnir-bench says of a package; None where it fails, which is noted under `name`."""
    out = os.path.join(context.folder, "bench.json")
    command = [context.path("bin", "mjolnir-bench"), package, "--json", out, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        context.fail(f"{name}: {done.stderr.strip() or f'mjolnir-bench ended with exit code {done.returncode}'}")
        return None
    with open(out, encoding="utf-8") as file:
        return json.load(file)


def entries_of(context, name, prefix, part="speed"):
    """The names of a package's entries that begin with `prefix`, with commas between."""
    package = mj.Package(filled(context, name, part))
    names = [key for key in package.entries if key.startswith(prefix)]
    package.close()
    return ",".join(names)


def note(context, name, found, key):
    """An entry's figures in a line: times in microseconds, the fraction of what memory can do."""
    for row in found["entries"]:
        figure = {"us": row["microseconds"]["median"], "p99_us": row["microseconds"]["p99"]}
        for source, short in (("run_ahead_microseconds", "run_ahead_us"), ("host_microseconds", "host_us"),
                              ("tokens_per_second", "tokens_per_second"), ("fraction", "fraction")):
            if source in row:
                figure[short] = row[source]
        context.figure(f"{name} {row[key]} {'sequences' if key == 'sequences' else 'tokens'}", figure)
        if key == "sequences" and found["target"] == "cuda" and row.get("host_microseconds", 0) > 15:
            context.fail(f"{name}: the host's part of a step of {row[key]} sequences is "
                         f"{row['host_microseconds']:.1f} us, more than 15")
    context.figure(f"{name} copies at", f"{found['copy_bytes_per_second'] / 1e9:.0f} GB/s")
    context.figure(f"{name} reads at", f"{found['read_bytes_per_second'] / 1e9:.0f} GB/s")


@check("decode", 240, "speed")
def decode(context):
    """Whole decode steps with sampling, context 512, batches 1, 4, 32, 128."""
    for name in models(context):
        found = bench(context, name, f"--runs={STEPS}", "--entry", entries_of(context, name, "decode"))
        if found:
            note(context, name, found, "sequences")


@check("prefill", 240, "speed")
def prefill(context):
    """Prefill of one sequence that fills the bucket."""
    for name in models(context):
        found = bench(context, name, "--runs=20", "--entry", entries_of(context, name, "prefill"))
        if found:
            note(context, name, found, "tokens")


@check("profile", 240, "speed", on_host=False)
def profile(context):
    """Each kernel of a decode step by itself, launched back to back over buffers that rotate through 512 MiB."""
    for name in models(context):
        found = bench(context, name, "--runs=20", "--kernels", "--entry", entries_of(context, name, "decode"))
        for row in found["entries"] if found else []:
            kernels = {}
            for kernel in sorted(row["kernels"], key=lambda kernel: -kernel["launches"] * kernel["microseconds"]["median"]):
                kernels[f"{kernel['kernel']} x{kernel['launches']}"] = {
                    "us": kernel["microseconds"]["median"], "fraction": kernel.get("fraction"),
                    "blocks": kernel["tiles"], "MiB": round((kernel.get("read_bytes", 0) + kernel.get("written_bytes", 0))
                                                            / 2**20, 2)}
            context.figure(f"{name} {row['entry']} ({row['microseconds']['median']} us)", kernels)


def _note_predictions(context, title, found):
    """By entry the kinds of kernels, and every kernel; the microseconds of all entries and of what was predicted well."""
    measured = near = 0.0
    for row in found["entries"]:
        predictions = row["predictions"]
        name = f"{title} {row['entry']} context {row['context']}"
        context.figure(name, {key: predictions[key] for key in ("predicted_microseconds", "measured_microseconds", "near",
                                                                 "start_microseconds", "runs")})
        context.figure(f"{name} by class", {kind["class"]: {"us": kind["measured_microseconds"], "ratio": kind["ratio"],
                                                             "share": kind["share"], "near": kind["near"]}
                                            for kind in predictions["classes"]})
        context.figure(f"{name} by kernel", {
            f"{kernel['kernel']} x{kernel['launches']}": {
                "us": kernel["measured_microseconds"], "predicted": kernel["predicted_microseconds"],
                "share": kernel["share"], "class": kernel["class"]} for kernel in predictions["kernels"]})
        measured += predictions["measured_microseconds"]
        near += predictions["measured_microseconds"] * predictions["near"]
    return measured, near


@check("predictions", 600, "speed predictions")
def predictions(context):
    """Each kernel within a step, predicted and measured; on what the constants were not fitted on, 80% within a quarter."""
    for part, others in (("speed", 2048), ("predictions", 2048)):
        for name in models(context, part):
            for tokens, prefix in ((CONTEXT, ""), (others, "decode")):
                package = mj.Package(filled(context, name, part))
                entries = ",".join(key for key in package.entries if key.startswith(prefix))
                package.close()
                found = bench(context, name, "--runs=20", "--predictions", "--entry", entries, part=part, tokens=tokens)
                if not found:
                    continue
                measured, near = _note_predictions(context, name, found)
                is_fitted = part == "speed" and tokens == CONTEXT
                title = f"{name}, context {tokens}: within 25%"
                context.figure(title, round(near / measured, 3))
                if not is_fitted and context.bundle["target"] == "cuda:sm_90a" and near < 0.8 * measured:
                    context.fail(f"{title}: {100 * near / measured:.0f}% of the time, less than 80%")


@check("load", 120, "speed")
def load(context):
    """From starting mjolnir-run to its first token, the file in the page cache: under 1 s for Qwen3-0.6B's shape."""
    for name in models(context):
        package, seconds = filled(context, name), []
        with open(package, "rb") as file:
            while file.read(1 << 26):
                pass
        for _ in range(3):
            start = time.perf_counter()
            done = subprocess.run([context.path("bin", "mjolnir-run"), package, "--tokens", "1,2,3", "--max-new-tokens",
                                   "1", "--print-tokens", "--stats"], capture_output=True, text=True, check=False)
            seconds.append(time.perf_counter() - start)
            if done.returncode:
                context.fail(f"{name}: {done.stderr.strip()}")
                return
        best = round(float(np.median(seconds)), 3)
        if name == "qwen3-0.6b" and context.bundle["target"].startswith("cuda"):
            context.expect(f"{name}: seconds to the first token", best, 1.0)
        else:
            context.figure(f"{name}: seconds to the first token", best)
