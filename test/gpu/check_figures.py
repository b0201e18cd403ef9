# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Figures with a stated limit beside those of check_speed: FP8 models, a long context, prefill beside the chip's own rate of
matmuls, and kernels alone. Each is a line with its limit; one that is missed is a failure."""
import importlib.util
import json
import os
import re
import subprocess
import sys

import figures
from check_runtime import steps_ahead
from check_speed import STEPS, bench, bench_package, entries_of, filled, models, note
from checks import Skip, check

LONG = 8192
RUNS = 30  # of graphs of many launches


@check("decode-fp8", 240, "fp8")
def decode_fp8(context):
    """Decode steps with weights and KV cache in FP8, context 512, alone and ahead; with and without the head in FP8."""
    ahead = {}
    for name in models(context, "fp8"):
        found = bench(context, name, f"--runs={STEPS}", "--entry", entries_of(context, name, "decode", "fp8"), part="fp8")
        if found:
            note(context, name, found, "sequences")
        for batch, figure in steps_ahead(filled(context, name, "fp8")).items():
            context.figure(f"{name} batch {batch} ahead", figure)
            ahead.setdefault(batch, {})[name] = figure["median_ms"]
    for batch, limit in ((1, 0.62), (32, 1.0)):
        if batch in ahead:
            best = min(ahead[batch], key=ahead[batch].get)
            context.gate(f"FP8 decode of batch {batch}, ms", ahead[batch][best], limit, package=best)


def _matmul_parameters(shape):
    """Elements of the matrices of a layer."""
    rows = shape["head_dim"] * (2 * shape["num_attention_heads"] + 2 * shape["num_key_value_heads"])
    return shape["hidden_size"] * (rows + 3 * shape["intermediate_size"])


@check("context-8192", 240, "long")
def long_context(context):
    """Whole decode steps of 8 sequences of 8192 tokens: at least 80% of copy bandwidth, weights and KV read once."""
    for name in models(context, "long"):
        shape = context.bundle["shapes"][name]
        for entry in entries_of(context, name, "decode", "long").split(","):
            found = bench(context, name, f"--runs={STEPS}", "--entry", entry, part="long", tokens=_longest(shape) - 1)
            if not found:
                continue
            note(context, name, found, "sequences")
            row = found["entries"][0]
            cached = (2 * 2 * shape["num_hidden_layers"] * shape["num_key_value_heads"] * shape["head_dim"]
                      * row["sequences"] * row["context"])
            weights = 2 * (shape["num_hidden_layers"] * _matmul_parameters(shape)
                           + shape["hidden_size"] * shape["vocab_size"])
            us, title = row["microseconds"]["median"], f"{name} {row['sequences']} sequences of {row['context']}"
            value = _fraction(weights + cached, us, found["copy_bytes_per_second"])
            more = {"us": us, "ahead_us": row.get("run_ahead_microseconds"), "MB": round((weights + cached) / 1e6),
                    "counted_MB": round(row.get("read_bytes", 0) / 1e6)}
            if row["sequences"] == 8:
                context.gate(f"{title}: fraction of copy bandwidth", value, 0.8, at_least=True, **more)
            else:
                context.figure(title, {"fraction": value, **more})


def _longest(shape):
    return min(LONG, shape["max_position_embeddings"])


def _fraction(count, microseconds, rate):
    return round(count / (microseconds * 1e-6) / rate, 4)


def _matmul_rate():
    """Operations/s of torch.matmul (cuBLAS) on square bf16 matrices of random normal numbers, as the middle of 50."""
    if importlib.util.find_spec("torch") is None:
        raise Skip("no PyTorch on this machine to measure the rate of its matmuls by")
    import torch
    if not torch.cuda.is_available():
        raise Skip("PyTorch sees no GPU on this machine")
    size = 8192
    a, b = (torch.randn(size, size, device="cuda").to(torch.bfloat16) for _ in range(2))
    out, milliseconds = torch.empty_like(a), []
    for turn in range(60):
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        torch.matmul(a, b, out=out)
        ended.record()
        ended.synchronize()
        if turn >= 10:
            milliseconds.append(begun.elapsed_time(ended))
    del a, b, out
    torch.cuda.empty_cache()
    return 2 * size**3 / (sorted(milliseconds)[len(milliseconds) // 2] * 1e-3)


def prefill_operations(shape, tokens):
    """Of one sequence: two for each element of a matrix and token, those of visible scores and values, the head of one row."""
    attention = 2 * 2 * shape["num_attention_heads"] * shape["head_dim"] * tokens * tokens / 2
    return (shape["num_hidden_layers"] * (2 * _matmul_parameters(shape) * tokens + attention)
            + 2 * shape["hidden_size"] * shape["vocab_size"])


@check("prefill-8192", 240, "long", on_host=False)
def long_prefill(context):
    """Prefill of 8192 tokens: at least half of the rate of PyTorch's bf16 matmuls, over the whole of it."""
    rate = _matmul_rate()
    context.figure("torch.matmul 8192x8192x8192 bf16", f"{rate / 1e12:.0f} TFLOP/s")
    for name in models(context, "long"):
        for entry in entries_of(context, name, "prefill", "long").split(","):
            found = bench(context, name, "--runs=20", "--entry", entry, part="long")
            for row in found["entries"] if found else []:
                operations = prefill_operations(context.bundle["shapes"][name], row["tokens"])
                median = row["microseconds"]["median"]
                context.gate(f"{name} prefill of {row['tokens']}: fraction of the matmul rate",
                             _fraction(operations, median, rate), 0.5, at_least=True, us=median,
                             TFLOP=round(operations / 1e12, 2), tokens_per_second=row["tokens_per_second"])


# FlashInfer 0.6.7 on an H200 that copied 4.27 TB/s, microseconds by sequences and context.
ROWS = [(1, 512), (4, 2048), (32, 512), (32, 2048), (32, 8192), (128, 2048)]
FLASHINFER = {
    ("16_8_128", "bf16"): (9.4, 15.6, 25.0, 72.4, 256, 264), ("16_8_128", "fp8"): (7.9, 17.5, 23.6, 60.4, 204, 221),
    ("32_8_128", "fp8"): (12.6, 17.5, 24.2, 60.7, 206, 223),
    ("32_8_64", "bf16"): (6.8, 13.5, 18.6, 45.3, 143, 155), ("32_8_64", "fp8"): (10.0, 15.9, 18.9, 43.1, 134, 145)}
FLASHINFER_COPY = 4.27e12


def _attention_rows(context):
    """(program, package, kv dtype, bytes of the cache's elements, rows) of each package of attention alone."""
    for program in figures.named(context, "attention"):
        for options, package in program.variants:
            kind = "fp8" if "--fp8-kv" in options else "bf16"
            page = next(int(option.removeprefix("--page-size=")) for option in options if option.startswith("--page-size="))
            yield program, package, kind, page


@check("flashinfer", 420, "figures", on_host=False)
def flashinfer(context):
    """FlashInfer's paged decode attention, where it is installed: what `attention` is compared with on this machine."""
    if importlib.util.find_spec("flashinfer") is None:
        raise Skip("no FlashInfer on this machine (bench/peers/flashinfer_decode.py says how to bring it)")
    rows, out = os.path.join(context.folder, "flashinfer-rows.json"), os.path.join(context.folder, "flashinfer.json")
    wanted = []
    for program, _, kind, page in _attention_rows(context):
        heads, kv_heads, size = (int(part) for part in program.name.split("_")[1:])
        wanted += [{"heads": heads, "kv_heads": kv_heads, "size": size, "page": page, "kv": kind, "batch": batch,
                    "context": tokens} for batch, tokens in program.steps]
    with open(rows, "w", encoding="utf-8") as file:
        json.dump(wanted, file)
    done = subprocess.run([sys.executable, context.path("bench", "peers", "flashinfer_decode.py"), "--rows", rows, "--json", out],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        context.fail(done.stderr.strip()[-2000:])
        return
    with open(out, encoding="utf-8") as file:
        found = json.load(file)
    context.figure("FlashInfer", found["version"])
    for row in found["rows"]:
        context.figure(f"{row['heads']}/{row['kv_heads']} x {row['size']} {row['kv']} b{row['batch']} c{row['context']}",
                       {key: row[key] for key in ("us", "cuda_cores_us", "tensor_cores_us") if key in row})


def flashinfer_times(context, copy):
    """Microseconds of FlashInfer by (attention, kv dtype, sequences, context), and where they were measured: beside ours if the
    check before this one could, else elsewhere, scaled by how fast the two machines copy."""
    path = context.path("flashinfer.json", needed=False)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        return {(f"{row['heads']}_{row['kv_heads']}_{row['size']}", row["kv"], row["batch"], row["context"]): row["us"]
                for row in found["rows"]}, "measured here"
    return {(*key, *row): round(us * FLASHINFER_COPY / copy, 2)
            for key, times in FLASHINFER.items() for row, us in zip(ROWS, times)}, "another run, by the floor"


@check("attention", 300, "figures")
def attention(context):
    """Paged decode attention alone: at most FlashInfer's time in bf16; FP8 pages at 75% of copy bandwidth from 32 x 2048 on."""
    for program, package, kind, _ in _attention_rows(context):
        shape = program.name.removeprefix("attention_")
        heads, kv_heads, size = shape.split("_")
        for tokens in sorted({tokens for _, tokens in program.steps}):
            entries = ",".join(f"decode_b{batch}" for batch, of in program.steps if of == tokens)
            found = bench_package(context, package, program.name, f"--context={tokens - 1}", "--entry", entries, "--kernels",
                                  f"--runs={RUNS}")
            if not found:
                continue
            copy = found["copy_bytes_per_second"]
            peer, source = flashinfer_times(context, copy)
            for row in found["entries"]:
                kernel = max((kernel for kernel in row["kernels"] if "attention" in kernel["kernel"]),
                             key=lambda kernel: kernel["launches"])
                us, batch = kernel["microseconds"]["median"], row["sequences"]
                count = 2 * int(kv_heads) * int(size) * (1 if kind == "fp8" else 2) * batch * tokens
                theirs = peer.get((shape, kind, batch, tokens))
                name = f"attention {heads}/{kv_heads} x {size} {kind} b{batch} c{tokens}"
                more = {"us": us, "fraction": _fraction(count, us, copy), "launches": kernel["launches"]}
                if "rotated_bytes" in kernel:
                    more["rotated_MiB"] = kernel["rotated_bytes"] >> 20
                if theirs:
                    more.update({"FlashInfer us": theirs, "FlashInfer": source})
                if kind == "bf16" and theirs:
                    context.gate(f"{name}: time over FlashInfer's", round(us / theirs, 3), 1.0, **more)
                elif kind == "fp8" and batch >= 32 and tokens >= 2048:
                    context.gate(f"{name}: fraction of copy bandwidth", more.pop("fraction"), 0.75, at_least=True, **more)
                else:
                    context.figure(name, more)


def _times(found):
    """(entry, microseconds of its kernels together) of what mjolnir-bench --kernels found."""
    for row in found["entries"] if found else []:
        yield row["entry"], sum(kernel["launches"] * kernel["microseconds"]["median"] for kernel in row["kernels"]), \
            len(row["kernels"])


@check("pointwise", 180, "figures")
def pointwise(context):
    """Arithmetic and norms on tensors of 64 MiB: at least 90% of copy bandwidth."""
    for program in figures.named(context, "pointwise"):
        for _, package in program.variants:
            found = bench_package(context, package, program.name, "--kernels", "--runs=20")
            counts = figures.given_bytes(package) if found else {}
            for entry, us, kernels in _times(found):
                context.gate(f"{program.name} {entry}: fraction of copy bandwidth",
                             _fraction(counts[entry], us, found["copy_bytes_per_second"]), 0.9, at_least=True, us=round(us, 2),
                             MiB=round(counts[entry] / 2**20, 1), kernels=kernels)


@check("products-fp8", 180, "figures")
def products(context):
    """1 to 16 rows times a matrix in FP8: at least 85% of read bandwidth as --fp8 chooses; each way of multiplying beside it."""
    for program in figures.named(context, "products"):
        ways = {}
        for options, package in program.variants:
            found = bench_package(context, package, program.name, "--kernels", f"--runs={RUNS}")
            counts = figures.given_bytes(package) if found else {}
            for entry, us, kernels in _times(found):
                n, k = (int(number) for number in re.match(r"n(\d+)_k(\d+)_m", entry).groups())
                ways.setdefault(entry, {})[" ".join(options)] = (
                    _fraction(n * k + counts[entry], us, found["read_bytes_per_second"]), round(us, 2), kernels)
        for entry, found in ways.items():
            more = {f"{options.removeprefix('--fp8=')} us": us for options, (_, us, _) in found.items() if options != "--fp8"}
            if "--fp8" in found:
                value, us, kernels = found["--fp8"]
                context.gate(f"{program.name} {entry}: fraction of read bandwidth", value, 0.85, at_least=True, us=us,
                             kernels=kernels, **more)
