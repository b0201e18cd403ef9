# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""How fast the shapes of Qwen3-0.6B and Llama-3.2-1B run, with random weights."""
import os
import subprocess
import time

import numpy as np

import mjolnir_runtime as mj
import weights
from checks import Skip, check

CONTEXT = 512  # tokens that a sequence holds before the step
STEPS = 200


def filled(context, name):
    """The package of a large model, its weights made the first time it is asked for."""
    bare, package = context.path("speed", f"{name}.bare"), context.path("speed", f"{name}.mjp", needed=False)
    if not os.path.exists(package):
        weights.fill(bare, package + ".part", threads=len(os.sched_getaffinity(0)))
        os.replace(package + ".part", package)
    return package


def models(context):
    return sorted(name[:-len(".bare")] for name in os.listdir(context.path("speed")) if name.endswith(".bare"))


def _quantiles(seconds):
    milliseconds = np.sort(np.array(seconds)) * 1e3
    return {key: round(float(milliseconds[int(part * (len(milliseconds) - 1))]), 4)
            for key, part in (("median_ms", 0.5), ("p99_ms", 0.99))}


def _time(call, runs):
    for _ in range(5):
        call.run()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call.run()
        seconds.append(time.perf_counter() - start)
    return _quantiles(seconds)


def _session(package, sequences, tokens):
    return mj.Session(package, kv_pages=sequences * -(-tokens // package.kv.page_size))


@check("decode", 240)
def decode(context):
    """Whole decode steps with sampling, context 512, batches 1, 4, 32, 128: wall time of a call."""
    for name in models(context):
        package = mj.Package(filled(context, name))
        entries = [entry for key, entry in package.entries.items() if key.startswith("decode")]
        per = -(-(CONTEXT + 1) // package.kv.page_size)
        session = _session(package, max(entry.sequences for entry in entries), CONTEXT + 1)
        for entry in sorted(entries, key=lambda entry: entry.sequences):
            batch = [([5 + b], CONTEXT, list(range(b * per, (b + 1) * per))) for b in range(entry.sequences)]
            figure = _time(session.ragged(entry.name, batch, want_logits=False), STEPS)
            figure["tokens_per_second"] = round(entry.sequences * 1e3 / figure["median_ms"], 1)
            context.figure(f"{name} batch {entry.sequences}", figure)
        session.close()
        package.close()


@check("prefill", 240)
def prefill(context):
    """Prefill of one sequence that fills the bucket: wall time of a call."""
    for name in models(context):
        package = mj.Package(filled(context, name))
        for entry in package.entries.values():
            if not entry.name.startswith("prefill"):
                continue
            session = _session(package, 1, entry.tokens)
            pages = list(range(-(-entry.tokens // package.kv.page_size)))
            tokens = [int(token) for token in np.arange(entry.tokens) * 7919 % package.kv.vocabulary]
            figure = _time(session.ragged(entry.name, [(tokens, 0, pages)], want_logits=False), 20)
            figure["tokens_per_second"] = round(entry.tokens * 1e3 / figure["median_ms"], 1)
            context.figure(f"{name} {entry.tokens} tokens", figure)
            session.close()
        package.close()


@check("profile", 120, on_host=False)
def profile(context):
    """Time of each kernel of a decode step, by events between launches (which includes launching)."""
    for name in models(context):
        package = mj.Package(filled(context, name))
        per = -(-(CONTEXT + 1) // package.kv.page_size)
        for entry in package.entries.values():
            if not entry.name.startswith("decode"):
                continue
            session = _session(package, entry.sequences, CONTEXT + 1)
            batch = [([5 + b], CONTEXT, list(range(b * per, (b + 1) * per))) for b in range(entry.sequences)]
            call = session.ragged(entry.name, batch, want_logits=False)
            session.set_profiling(1)
            for _ in range(3):
                call.run()
            kernels = {}
            for kernel, tiles, nanoseconds in session.profile():
                kernels.setdefault((kernel, tiles), []).append(nanoseconds / 1e3)
            context.figure(f"{name} {entry.name}", {
                f"{kernel} ({tiles} tiles)": {"launches": len(times), "median_us": round(float(np.median(times)), 2)}
                for (kernel, tiles), times in sorted(kernels.items(), key=lambda item: -sum(item[1]))})
            session.close()
        package.close()


@check("load", 120)
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
