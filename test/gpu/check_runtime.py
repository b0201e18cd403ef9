# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""What the runtime does around the kernels: running ahead, the host's part of a step, where loading spends its time."""
import ctypes as C
import json
import os
import re
import subprocess
import time

import numpy as np

import mjolnir_runtime as mj
from check_speed import CONTEXT, STEPS, filled, models
from checks import check

CONTINUE = 1  # mj_run_flags
NO_GRAPHS, NO_DEPENDENT_LAUNCHES = 1, 2  # mj_session_flags
HOST_MICROSECONDS = 15


def _generate(context, package, *options):
    """What mjolnir-run prints: (tokens, statistics)."""
    command = [context.path("bin", "mjolnir-run"), package, "--print-tokens", "--ignore-eos", *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr.strip())
    return ran.stdout.strip(), ran.stderr


@check("run-ahead", 180, "trained speed")
def run_ahead(context):
    """Tokens with and without running ahead, and kernel by kernel, on the trained model; a step's host and device part."""
    package = context.path("tiny-lm", "model.mjp")
    for sampling in ((), ("--temperature", "0.8", "--top-k", "40", "--top-p", "0.95", "--seed", "7")):
        options = ("--tokens", "5,6,7", "--max-new-tokens", "200", *sampling)
        ahead, stats = _generate(context, package, *options, "--stats")
        for name, other in (("step by step", ("--no-run-ahead",)), ("kernel by kernel", ("--trace", os.path.join(context.folder, "trace.json")))):
            if _generate(context, package, *options, *other)[0] != ahead:
                context.fail(f"{name}, other tokens are drawn {'with' if sampling else 'without'} sampling")
        context.figure("trained model, sampled" if sampling else "trained model", _step(stats))
    prompt = ",".join(str(5 + i % 1000) for i in range(CONTEXT))
    for name in models(context):
        _, stats = _generate(context, filled(context, name), "--tokens", prompt, "--max-new-tokens", str(STEPS), "--stats")
        step = _step(stats)
        context.figure(name, step)
        context.figure(f"{name}: loading, ms", _phases(stats))
        if context.bundle["target"].startswith("cuda"):
            context.expect(f"{name}: host part of a step, us", step["host_us"], HOST_MICROSECONDS)


def _step(stats):
    found = re.search(r"step +([\d.]+) us: host ([\d.]+) us, device ([\d.]+) us, printing ([\d.]+) us; "
                      r"(\d+) of (\d+) started ahead", stats)
    if not found:
        raise RuntimeError(f"mjolnir-run --stats says nothing of steps: {stats}")
    whole, host, device, printing, ahead, steps = map(float, found.groups())
    graphs = re.search(r"graphs +([\d.]+) ms", stats)
    return {"us": whole, "host_us": host, "device_us": device, "printing_us": printing, "ahead": int(ahead),
            "steps": int(steps), "graphs_ms": float(graphs[1]) if graphs else 0.0}


def _phases(stats):
    """Milliseconds by phase, from the indented lines."""
    return {name: float(value) for name, value in re.findall(r"^  ([a-z ]+?) +([\d.]+) ms$", stats, re.MULTILINE)}


def steps_ahead(path, flags=0):
    """Whole decode steps of a package, each started before the one before it has been waited for: of each batch the wall
    time of a step. Sequences grow by a token a step; half of the steps have less than CONTEXT before them. `flags` are
    the session's."""
    library, found = mj.library(), {}
    package = mj.Package(path)
    size = package.kv.page_size
    per = -(-(CONTEXT + 2 * STEPS) // size)
    entries = [entry for key, entry in package.entries.items() if key.startswith("decode")]
    session = mj.Session(package, kv_pages=max(entry.sequences for entry in entries) * per, flags=flags)
    for entry in sorted(entries, key=lambda entry: entry.sequences):
        first = CONTEXT - STEPS // 2  # the step in the middle has CONTEXT before it
        batch = [([5 + b], first, list(range(b * per, (b + 1) * per))) for b in range(entry.sequences)]
        calls = [session.ragged(entry.name, batch, want_logits=False) for _ in range(2)]
        places = {binding.name: i for i, binding in enumerate(entry.inputs)}

        def start(turn, position, flags):
            inputs = calls[turn].inputs
            inputs[places["positions"]][:] = position
            inputs[places["context_lengths"]][:] = position + 1
            inputs[places["slots"]][:] = [pages[position // size] * size + position % size for _, _, pages in batch]
            status = library.mj_session_start(session.handle, C.c_size_t(entry.index), calls[turn]._in,
                                              C.c_size_t(len(entry.inputs)), calls[turn]._out,
                                              C.c_size_t(len(entry.outputs)), C.c_uint32(flags))
            if status:
                raise mj.MjolnirError(library.mj_last_error().decode())

        seconds, last = [], time.perf_counter()
        start(0, first, 0)
        for step in range(1, STEPS):
            start(step % 2, first + step, CONTINUE)
            library.mj_session_wait(session.handle)
            now = time.perf_counter()
            seconds.append(now - last)
            last = now
        library.mj_session_wait(session.handle)
        milliseconds = np.sort(np.array(seconds[10:])) * 1e3
        median = float(milliseconds[len(milliseconds) // 2])
        found[entry.sequences] = {
            "median_ms": round(median, 4), "p99_ms": round(float(milliseconds[int(0.99 * (len(milliseconds) - 1))]), 4),
            "tokens_per_second": round(entry.sequences * 1e3 / median, 1)}
    session.close()
    package.close()
    return found


@check("decode-ahead", 240, "speed")
def decode_ahead(context):
    """Whole decode steps, each started before the one before it has been waited for: wall time of a step."""
    for name in models(context):
        for batch, figure in steps_ahead(filled(context, name)).items():
            context.figure(f"{name} batch {batch}", figure)


@check("ablations", 300, "ablations")
def ablations(context):
    """What passes, schedules and ways to launch are worth: decode steps without each, beside steps with all of them."""
    with open(context.path("ablations", "ablations.json"), encoding="utf-8") as file:
        titles = json.load(file)
    base = filled(context, "base", "ablations")
    ways = [(title, name, 0) for name, title in titles.items()]
    if context.bundle["target"].startswith("cuda"):
        ways += [("launched kernel by kernel, without graphs", "base", NO_GRAPHS),
                 ("without dependent launches", "base", NO_DEPENDENT_LAUNCHES)]
    before = steps_ahead(base)
    for title, name, flags in ways:
        other = steps_ahead(filled(context, name, "ablations"), flags)
        after = steps_ahead(base)
        for batch in before:
            whole = (before[batch]["median_ms"] + after[batch]["median_ms"]) / 2
            context.figure(f"batch {batch}: {title}", {"ms": other[batch]["median_ms"], "with_ms": round(whole, 4),
                                                       "times": round(other[batch]["median_ms"] / whole, 3)})
        before = after
