#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Measures Mjolnir's host target against llama.cpp's CPU build on the same weights, in alternating pairs of one run.

    compare.py --venv VENV --model FOLDER [--out RESULT.json]

VENV was made by `setup`, FOLDER by make_checkpoint.py; Mjolnir is what `scripts/build` left in build/.  Compiles the
checkpoint, checks that both programs compute the same logits, then measures decode at batch 1 and prefill: each pair
runs both, the first of them now the one, now the other, and what counts is the median of the pairs' ratios.  Both keep
their process, their threads and their mapped weights throughout; while one runs, the other waits.
"""

import argparse
import array
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Worker:
    """A process that answers each line with a line of JSON."""

    def __init__(self, name, command, env=None):
        self.name = name
        # What it says on stderr is shown only where it fails.
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=env
        )
        self.hello = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            sys.exit(f"compare: the {self.name} worker ended:\n{self.log.read()[-2000:]}")
        return json.loads(line)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.read()


def anonymousBytes(pid):
    """Anonymous memory of a process in bytes, 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 0


def compile(compiler, checkpoint, package):
    """Runs mjolnir-compile; seconds and peak anonymous memory."""
    begin = time.monotonic()
    process = subprocess.Popen([compiler, checkpoint, "-o", package, "--target=host"])
    peak = [0]

    def watch():
        while process.poll() is None:
            peak[0] = max(peak[0], anonymousBytes(process.pid))
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    seconds = time.monotonic() - begin
    watcher.join()
    if code:
        sys.exit(f"compare: mjolnir-compile failed with exit code {code}")
    return {
        "seconds": round(seconds, 2),
        "peak_anonymous_mib": round(peak[0] / 2**20, 1),
        "package_mib": round(package.stat().st_size / 2**20, 1),
    }


def compareLogits(workers, count):
    """How far the logits after a prompt are apart, both in bf16: a sign that the two compute the same function."""
    logits = []
    with tempfile.TemporaryDirectory() as folder:
        for worker in workers:
            path = Path(folder) / worker.name
            worker.ask("logits", count, path)
            logits.append(array.array("f", path.read_bytes()))
    a, b = logits
    if len(a) != len(b):
        sys.exit(f"compare: {len(a)} and {len(b)} logits")
    dot, aa, bb = math.fsum(map(float.__mul__, a, b)), math.fsum(x * x for x in a), math.fsum(x * x for x in b)
    result = {
        "prompt_tokens": count,
        "cosine": round(dot / math.sqrt(aa * bb), 6),
        "max_abs_difference": round(max(abs(x - y) for x, y in zip(a, b)), 4),
        "rms": round(math.sqrt(aa / len(a)), 4),
        "same_argmax": max(range(len(a)), key=a.__getitem__) == max(range(len(b)), key=b.__getitem__),
    }
    if not result["cosine"] > 0.999:
        sys.exit(f"compare: the two do not compute the same: {result}")
    return result


def measure(workers, pairs, tokens, *command):
    """Alternating pairs; ratios are the first worker's speed over the second's."""
    for worker in workers:
        worker.ask(*command)
    speeds = {worker.name: [] for worker in workers}
    for pair in range(pairs):
        for worker in workers if pair % 2 == 0 else workers[::-1]:
            # Threads of the other that wait by spinning have gone to sleep after this.
            time.sleep(0.1)
            speeds[worker.name].append(tokens / worker.ask(*command)["seconds"])
    first, second = (speeds[worker.name] for worker in workers)
    ratios = [x / y for x, y in zip(first, second)]
    return {
        "command": " ".join(map(str, command)),
        "pairs": pairs,
        "median_ratio": round(statistics.median(ratios), 4),
        "median_tokens_per_second": {name: round(statistics.median(values), 2) for name, values in speeds.items()},
        "ratios": [round(ratio, 4) for ratio in ratios],
        "tokens_per_second": {name: [round(value, 2) for value in values] for name, values in speeds.items()},
    }


def busyCores(seconds=2.0):
    """How many cores other programs use, on average over a moment in which this one waits."""

    def read():
        fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    total, idle = read()
    time.sleep(seconds)
    total, idle = read()[0] - total, read()[1] - idle
    return os.cpu_count() * (1 - idle / total)


def machine():
    info = Path("/proc/cpuinfo").read_text().splitlines()
    flags = next(line for line in info if line.startswith("flags")).split()
    return {
        "cpu": next(line for line in info if line.startswith("model name")).split(":", 1)[1].strip(),
        "vector_extensions": [flag for flag in flags if flag.startswith(("avx", "amx", "fma"))],
        "cores": os.cpu_count(),
        "system": platform.platform(),
    }


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--venv", type=Path, required=True, help="the environment with llama-cpp-python")
    parser.add_argument("--model", type=Path, required=True, help="the folder that make_checkpoint.py wrote")
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "host-vs-llamacpp.json")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--decode-prompt", type=int, default=8, help="tokens of the prompt before the decode steps")
    parser.add_argument("--decode-steps", type=int, default=32)
    parser.add_argument("--prefill", type=int, default=128, help="tokens of the prompt for prefill")
    parser.add_argument("--keep-package", action="store_true", help="use MODEL/model.mjp as it is, do not compile")
    parser.add_argument("--allow-busy", action="store_true", help="measure although other programs are running")
    arguments = parser.parse_args()

    busy = round(busyCores(), 2)
    if busy > 0.1 and not arguments.allow_busy:
        sys.exit(f"compare: other programs keep {busy} cores busy; nothing should run beside this (or --allow-busy)")
    package = arguments.model / "model.mjp"
    compiled = None
    if not arguments.keep_package:
        compiled = compile(arguments.build / "bin" / "mjolnir-compile", arguments.model / "checkpoint", package)
        print("compile:", compiled, flush=True)

    libraries = arguments.build / "lib"
    program = arguments.model / "mjolnir_worker"
    includes = [f"-I{ROOT}/runtime/{part}/include" for part in ("core", "llm")]
    subprocess.run(
        [os.environ.get("CC", "cc"), "-O2", "-o", program, HERE / "mjolnir_worker.c", *includes]
        + [f"-L{libraries}", f"-Wl,-rpath,{libraries.resolve()}", "-lmjolnir_llm", "-lmjolnir_runtime"],
        check=True,
    )
    python = arguments.venv / "bin" / "python"
    workers = [
        Worker("mjolnir", [program, package, str(arguments.threads)]),
        Worker("llama.cpp", [python, HERE / "llamacpp_worker.py", arguments.model / "model.gguf", str(arguments.threads)]),
    ]
    agreement = compareLogits(workers, arguments.decode_prompt)
    print("agreement:", agreement, flush=True)
    result = {"busy_cores": busy}
    for name, tokens, command in (
        ("decode", arguments.decode_steps, ("decode", arguments.decode_prompt, arguments.decode_steps)),
        ("prefill", arguments.prefill, ("prefill", arguments.prefill)),
    ):
        result[name] = measure(workers, arguments.pairs, tokens, *command)
        print(name, result[name]["median_ratio"], result[name]["median_tokens_per_second"], flush=True)

    show = "import llama_cpp, importlib.metadata as m; print(llama_cpp.__version__, m.version('numpy'))"
    record = {
        "what": "speed of Mjolnir's host target over llama.cpp's: bf16 weights of Qwen3-0.6B's shape, random, batch 1",
        "threads": arguments.threads,
        "machine": machine(),
        "mjolnir_commit": output("git", "rev-parse", "--short", "HEAD"),
        "llama_cpp_python": output(python, "-c", show).split()[0],
        "llama_cpp_system": workers[1].hello["system"],
        "date": time.strftime("%Y-%m-%d"),
        "compile": compiled,
        "load_seconds": workers[0].hello["load_seconds"],
        "agreement": agreement,
        **result,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
