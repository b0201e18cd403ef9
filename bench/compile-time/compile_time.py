#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Measures how long the passes take, and how that grows with the layers.

    compile_time.py [--compiler build/bin/mjolnir-compile] [--layers 28,56,112] [--runs 5] [--out RESULT.json]

Writes checkpoints of Qwen3-0.6B's shape whose weights are holes, compiles each to phase plan for the fewest buckets that a
package has, one for decode and one for prefill, and adds up what --mlir-timing says of the passes: twice the work of one
bucket. The median of the runs counts. Compiling to phase plan reads no weights; import and printing are not passes and
only part of the time of the process.
"""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SHAPE = {"vocab_size": 151936, "hidden_size": 1024, "intermediate_size": 3072, "num_attention_heads": 16,
         "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 40960, "tie_word_embeddings": "true"}
TOTAL = re.compile(r"Total Execution Time: ([\d.]+) seconds")
PASS = re.compile(r"^ +([\d.]+) \([ \d.]+%\) +(?:[\d.]+ \([ \d.]+%\) +)?([A-Z]\w+)$", re.M)


def measure(compiler, target, folder):
    command = [compiler, folder, f"--target={target}", "--batch=1", "--prefill=128", "--compile-to=plan",
               "-o", os.devnull, "--mlir-timing", "--mlir-timing-display=list"]
    start = time.monotonic()
    text = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    whole = time.monotonic() - start
    passes = {}
    for seconds, name in PASS.findall(text):
        if name not in ("Total", "Rest"):
            passes[name] = passes.get(name, 0.0) + float(seconds)
    return sum(map(float, TOTAL.findall(text))), whole, passes


def median_of(runs):
    passes = {name: statistics.median(run[2].get(name, 0.0) for run in runs) for name in runs[0][2]}
    slowest = sorted(passes.items(), key=lambda item: -item[1])[:5]
    return {"passes_seconds": round(statistics.median(run[0] for run in runs), 4),
            "process_seconds": round(statistics.median(run[1] for run in runs), 4),
            "slowest_passes_seconds": {name: round(seconds, 4) for name, seconds in slowest}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--compiler", default=str(ROOT / "build" / "bin" / "mjolnir-compile"))
    parser.add_argument("--target", default="host:x86-64-v3")
    parser.add_argument("--layers", default="28,56,112")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out")
    options = parser.parse_args()
    layers = [int(count) for count in options.layers.split(",")]
    result = {"what": "time in passes from input to plan, two buckets (decode and prefill), Qwen3-0.6B's shape",
              "target": options.target, "runs": options.runs,
              "machine": {"cores": os.cpu_count(), "system": platform.platform()}, "layers": {}}
    with tempfile.TemporaryDirectory() as scratch:
        for count in layers:
            folder = os.path.join(scratch, str(count))
            settings = [f"{key}={value}" for key, value in {**SHAPE, "num_hidden_layers": count}.items()]
            subprocess.run([sys.executable, str(ROOT / "test" / "import" / "tiny_checkpoint.py"), "qwen3", folder,
                            *settings], check=True)
            runs = [measure(options.compiler, options.target, folder) for _ in range(options.runs)]
            result["layers"][count] = median_of(runs)
            print(count, "layers:", json.dumps(result["layers"][count]), flush=True)
    first, last = layers[0], layers[-1]
    growth = result["layers"][last]["passes_seconds"] / result["layers"][first]["passes_seconds"]
    result["growth"] = {"layers": last / first, "passes": round(growth, 2)}
    print(f"{last / first:.1f} times the layers take {growth:.2f} times as long")
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
