#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Predicts the speed of large models on chips, with what bounds each: nothing is run.

    predict.py [--compiler build/bin/mjolnir-compile] [--targets cuda:sm_110f,cuda:sm_120f] [--models NAME,...]
               [--batch 1,4,32] [--prefill 512] [--out RESULT.json]

Writes checkpoints of the models' shapes whose weights are holes, compiles each to phase plan, in bf16 and with FP8 weights, activations
and KV cache, and prints a table of what the compiler's report says. Decode steps have the context that the report assumes, 1,024 tokens.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMMON = {"tie_word_embeddings": "true"}
MODELS = {
    "qwen3-0.6b": ("qwen3", dict(num_hidden_layers=28, hidden_size=1024, intermediate_size=3072, num_attention_heads=16,
                                 num_key_value_heads=8, head_dim=128, vocab_size=151936, max_position_embeddings=40960)),
    "llama-3.2-1b": ("llama", dict(num_hidden_layers=16, hidden_size=2048, intermediate_size=8192, num_attention_heads=32,
                                   num_key_value_heads=8, head_dim=64, vocab_size=128256,
                                   max_position_embeddings=131072)),
}
PRECISIONS = {"bf16": [], "FP8": ["--fp8=full", "--fp8-kv"]}


def bounds(entry):
    """What share of the predicted time is bound by what, the largest first: 'memory 80%, latency 20%'."""
    seconds = {}
    for launch in entry["launches"]:
        seconds[launch["bound"]] = seconds.get(launch["bound"], 0) + launch["predictedSeconds"]
    shares = [(bound, time / entry["predictedSeconds"]) for bound, time in sorted(seconds.items(), key=lambda row: -row[1])]
    return ", ".join(f"{bound} {100 * share:.0f}%" for bound, share in shares if share >= 0.05)


def predict(options, model, target, precision, folder):
    report = os.path.join(folder, "report.json")
    command = [options.compiler, os.path.join(folder, "model"), f"--target={target}", f"--batch={options.batch}",
               f"--prefill={options.prefill}", "--page-size=64", "--max-context=8192", "--compile-to=plan", "-o", os.devnull,
               "--quiet", f"--report={report}", *PRECISIONS[precision]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"predict.py: {model}, {target}, {precision}: {done.stderr.strip()}")
    with open(report, encoding="utf-8") as file:
        found = json.load(file)
    rows = []
    for entry in found["entries"]:
        rows.append({"model": model, "target": target, "product": found["profile"]["product"], "precision": precision,
                     "entry": entry["name"], "context": entry["assumed"]["contextTokens"],
                     "microseconds": round(entry["predictedSeconds"] * 1e6, 1),
                     "tokens_per_second": round(entry["predictedTokensPerSecond"]), "bounds": bounds(entry)})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--compiler", default=str(ROOT / "build" / "bin" / "mjolnir-compile"))
    parser.add_argument("--targets", default="cuda:sm_110f,cuda:sm_120f")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--batch", default="1,4,32")
    parser.add_argument("--prefill", default="512")
    parser.add_argument("--out")
    options = parser.parse_args()
    result = []
    print("| model | chip | step | bf16: tokens/s | bound by | FP8: tokens/s | bound by |\n|---|---|---|---|---|---|---|")
    for model in options.models.split(","):
        with tempfile.TemporaryDirectory() as folder:
            family, shape = MODELS[model]
            subprocess.run([sys.executable, str(ROOT / "test" / "import" / "tiny_checkpoint.py"), family,
                            os.path.join(folder, "model"),
                            *(f"{key}={value}" for key, value in {**shape, **COMMON}.items())], check=True)
            for target in options.targets.split(","):
                plain, narrow = (predict(options, model, target, precision, folder) for precision in PRECISIONS)
                for one, other in zip(plain, narrow):
                    print(f"| {model} | {target.split(':')[1]} ({one['product']}) | {one['entry']} "
                          f"| {one['tokens_per_second']:,} | {one['bounds']} | {other['tokens_per_second']:,} "
                          f"| {other['bounds']} |", flush=True)
                result += plain + narrow
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
