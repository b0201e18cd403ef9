# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Kernel classes and random programs on the GPU against what they have to compute, and all small models under compute-sanitizer."""
import os
import re
import subprocess

from checks import check
import programs

SUMMARY = re.compile(r"(\d+) passed, (\d+) failed, (\d+) refused by the compiler; worst error ([\d.]+) of its bound, ([\d.]+)")


@check("kernels", 180, "kernels")
def kernels(context):
    """Every kernel class over shapes and types (test/gpu/kernels) against the host's oracle."""
    folder, cases, worst = context.path("kernels"), 0, 0.0
    names = sorted(os.listdir(folder))
    for name in names:
        try:
            count, ratio, failures = programs.check(os.path.join(folder, name))
        except Exception as error:  # one that does not run is one failure, the others are checked all the same
            count, ratio, failures = 0, float("inf"), [f"{name}: {error}"]
        cases, worst = cases + count, max(worst, ratio)
        for failure in failures:
            context.fail(failure)
    context.figure("programs", len(names))
    context.figure("cases", cases)
    context.figure("worst error over the allowed", worst)


@check("programs", 300, "programs")
def random_programs(context):
    """Random programs against the reference interpreter, with graphs; four processes."""
    folder, parts = context.path("programs"), 4
    command = [context.path("bin", "mjolnir_check_cases"), folder]
    processes = [subprocess.Popen([*command, f"--part={part}/{parts}"], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True) for part in range(parts)]
    passed, worst = 0, [0.0, 0.0]
    for process in processes:
        said = process.communicate()[0].splitlines()
        summary = next((found for found in map(SUMMARY.match, said) if found), None)
        for line in said:
            if " FAILED: " in line:
                context.fail("program " + line.replace(" FAILED", ""))
        if not summary:
            context.fail(f"a process ended with exit code {process.returncode} in the program {said[-1] if said else '?'}")
            continue
        passed += int(summary[1])
        worst = [max(a, float(b)) for a, b in zip(worst, summary.groups()[3:])]
    context.figure("programs that passed", passed)
    context.figure("programs that the compiler refused", len([f for f in os.listdir(folder) if f.endswith(".refused")]))
    context.figure("worst error of its bound", worst[0])
    context.figure("worst rms error of the model's gate", worst[1])
    if not passed:
        context.fail("no program passed")


def _sanitize(context, tool):
    sanitizer, run = context.tool("compute-sanitizer"), context.path("bin", "mjolnir-run")
    jobs = [("tiny-lm", [run, context.path("tiny-lm", "model.mjp"), "--prompt", "It is a truth", "--max-new-tokens", "4",
                         "--temperature", "0.8", "--top-p", "0.9"])]
    for name in sorted(os.listdir(context.path("goldens"))):
        tokens = ",".join(str(1 + i % 90) for i in range(70))
        jobs.append((name, [run, context.path("goldens", name, "model.mjp"), "--tokens", tokens, "--max-new-tokens", "3",
                            "--print-tokens", "--ignore-eos"]))
    if os.path.exists(context.path("programs", needed=False)):
        jobs.append(("every tenth random program", [context.path("bin", "mjolnir_check_cases"), context.path("programs"),
                                                    "--part=0/10", "--no-graphs"]))
    for name, command in jobs:
        done = subprocess.run([sanitizer, "--tool", tool, "--error-exitcode", "99", *command], capture_output=True,
                              text=True, check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("=========")]
        if done.returncode:
            context.fail(f"{tool} of {name}: " + " | ".join(said[:6] or [done.stderr.strip()[-300:]]))
        elif not any("ERROR SUMMARY: 0 errors" in line or "RACECHECK SUMMARY: 0 hazards" in line for line in said):
            context.fail(f"{tool} of {name} gave no summary: {' | '.join(said[-3:])}")
    context.figure("programs that ran", len(jobs))


@check("memcheck", 300, "goldens trained", on_host=False)
def memcheck(context):
    """compute-sanitizer memcheck of all small models."""
    _sanitize(context, "memcheck")


@check("racecheck", 300, "goldens trained", on_host=False)
def racecheck(context):
    """compute-sanitizer racecheck of all small models."""
    _sanitize(context, "racecheck")
