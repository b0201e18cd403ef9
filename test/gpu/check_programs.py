# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Kernel classes on the GPU against the host, and all small models under compute-sanitizer."""
import os
import subprocess

from checks import check
import programs


@check("kernels", 180)
def kernels(context):
    """Every kernel class over shapes and types (test/gpu/kernels) against the host's oracle."""
    folder, worst = context.path("kernels"), 0.0
    names = sorted(os.listdir(folder))
    for name in names:
        try:
            ratio, failures = programs.check(os.path.join(folder, name))
        except Exception as error:  # one that does not run is one failure, the others are checked all the same
            ratio, failures = float("inf"), [f"{name}: {error}"]
        worst = max(worst, ratio)
        for failure in failures:
            context.fail(failure)
    context.figure("programs", len(names))
    context.figure("worst error over the allowed", worst)


def _sanitize(context, tool):
    sanitizer, run = context.tool("compute-sanitizer"), context.path("bin", "mjolnir-run")
    jobs = [("tiny-lm", context.path("tiny-lm", "model.mjp"),
             ["--prompt", "It is a truth", "--max-new-tokens", "4", "--temperature", "0.8", "--top-p", "0.9"])]
    for name in sorted(os.listdir(context.path("goldens"))):
        tokens = ",".join(str(1 + i % 90) for i in range(70))
        jobs.append((name, context.path("goldens", name, "model.mjp"),
                     ["--tokens", tokens, "--max-new-tokens", "3", "--print-tokens", "--ignore-eos"]))
    for name, package, arguments in jobs:
        done = subprocess.run([sanitizer, "--tool", tool, "--error-exitcode", "99", run, package, *arguments],
                              capture_output=True, text=True, check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("=========")]
        if done.returncode:
            context.fail(f"{tool} of {name}: " + " | ".join(said[:6] or [done.stderr.strip()[-300:]]))
    context.figure("models", len(jobs))


@check("memcheck", 300, on_host=False)
def memcheck(context):
    """compute-sanitizer memcheck of all small models."""
    _sanitize(context, "memcheck")


@check("racecheck", 300, on_host=False)
def racecheck(context):
    """compute-sanitizer racecheck of all small models."""
    _sanitize(context, "racecheck")
