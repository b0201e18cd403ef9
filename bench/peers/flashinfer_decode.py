#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Times FlashInfer's paged decode attention cache-cold, as mjolnir-bench times ours: launches back to back in one CUDA graph,
over caches that rotate through 512 MiB at least.

    flashinfer_decode.py [--rows ROWS.json] [--json OUT.json] [--build]

ROWS.json is a list of {"heads", "kv_heads", "size", "page", "kv": "bf16"|"fp8", "batch", "context"}; by default those of
test/gpu/figures. Each row is planned once, for its lengths, with FlashInfer's kernels for CUDA cores and with those for tensor
cores (fa2); `us` is the faster one's time. Queries and outputs are bf16, pages lie in order.

Needs PyTorch and FlashInfer, which compiles its kernels with nvcc when they are first asked for (eight modules, all at once). On a
machine that reaches no registry, FlashInfer is two wheels that another machine fetched (12 MiB; what else they name is not
imported for this):

    pip download --no-deps flashinfer-python==0.6.7 apache-tvm-ffi==0.1.15.post2 --only-binary=:all: --python-version 3.12 ...
    pip install --no-index --no-deps --target site *.whl;  PYTHONPATH=site flashinfer_decode.py

--build compiles the modules and ends; it needs no GPU where FLASHINFER_CUDA_ARCH_LIST is set (9.0a). What it leaves in
~/.cache/flashinfer/0.6.7/90a/cached_ops/NAME/NAME.so is taken as it is where it lies in site/flashinfer/data/aot/NAME/NAME.so:
3.5 MiB, compressed, for ten minutes of compiling.
"""
import argparse
import json
import sys

ROTATED = 512 << 20  # bytes
LEAST_LAUNCHES = 64
ROUNDS = 30
SHAPES = [(16, 8, 128, 64), (32, 8, 128, 64), (32, 8, 64, 32)]  # heads, of keys and values, size of one, tokens of a page
STEPS = [(1, 512), (4, 2048), (32, 512), (32, 2048), (32, 8192), (128, 2048)]


def default_rows():
    return [{"heads": heads, "kv_heads": kv_heads, "size": size, "page": page, "kv": kind, "batch": batch, "context": context}
            for heads, kv_heads, size, page in SHAPES for kind in ("bf16", "fp8") for batch, context in STEPS]


def types(torch):
    return {"bf16": torch.bfloat16, "fp8": torch.float8_e4m3fn}


def build(rows):
    """Compiles what the rows need, all modules at once."""
    import torch
    from flashinfer.jit.attention.modules import gen_batch_decode_module, gen_batch_prefill_module
    from flashinfer.jit.core import build_jit_specs
    specs, query, index = [], torch.bfloat16, torch.int32
    for size, kind in sorted({(row["size"], row["kv"]) for row in rows}):
        stored = types(torch)[kind]
        specs.append(gen_batch_decode_module(query, stored, query, index, size, size, 0, False, False))
        specs.append(gen_batch_prefill_module("fa2", query, stored, query, index, size, size, 0, False, False, False))
    build_jit_specs(specs)


def time_row(row, use_tensor_cores):
    """Microseconds of a launch."""
    import flashinfer
    import torch
    batch, context, page = row["batch"], row["context"], row["page"]
    stored, each = types(torch)[row["kv"]], -(-context // page)
    shape = (batch * each, 2, page, row["kv_heads"], row["size"])
    count = torch.Size(shape).numel() * stored.itemsize
    sets = -(-ROTATED // count)
    launches = max(sets, LEAST_LAUNCHES)
    caches = []
    for _ in range(sets):
        cache = torch.empty(shape, dtype=stored, device="cuda")
        for part in cache.view(-1, *shape[1:]).split(4096):  # of f32 there is no room for all
            part.copy_(torch.randn(part.shape, device="cuda"))
        caches.append(cache)
    queries = [torch.randn(batch, row["heads"], row["size"], device="cuda").to(torch.bfloat16) for _ in range(min(sets, 64))]
    out = torch.empty_like(queries[0])
    workspace = torch.zeros(256 << 20, dtype=torch.uint8, device="cuda")
    backend = {"backend": "fa2"} if use_tensor_cores else {}
    wrapper = flashinfer.BatchDecodeWithPagedKVCacheWrapper(workspace, "NHD", use_tensor_cores=use_tensor_cores, **backend)
    starts = torch.arange(batch + 1, dtype=torch.int32) * each
    pages = torch.arange(batch * each, dtype=torch.int32, device="cuda")
    last = torch.full((batch,), (context - 1) % page + 1, dtype=torch.int32)
    wrapper.plan(starts, pages, last, row["heads"], row["kv_heads"], row["size"], page, pos_encoding_mode="NONE",
                 q_data_type=torch.bfloat16, kv_data_type=stored)

    def launch_all():
        for i in range(launches):
            wrapper.run(queries[i % len(queries)], caches[i % sets], out=out)

    wrapper.run(queries[0], caches[0], out=out)
    torch.cuda.synchronize()
    if not torch.isfinite(out.float()).all():
        raise RuntimeError("FlashInfer's output is not finite")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        launch_all()
    out.zero_()
    graph.replay()
    torch.cuda.synchronize()
    if not out.any():
        raise RuntimeError("the graph does not hold FlashInfer's launches")
    microseconds = []
    for turn in range(ROUNDS + 2):
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begun.record()
        graph.replay()
        ended.record()
        ended.synchronize()
        if turn >= 2:
            microseconds.append(begun.elapsed_time(ended) * 1e3 / launches)
    return sorted(microseconds)[len(microseconds) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", help="what to time", metavar="FILE")
    parser.add_argument("--json", help="write to this file instead of standard output", metavar="FILE")
    parser.add_argument("--build", action="store_true", help="compile what is needed, and end")
    options = parser.parse_args()
    rows = default_rows()
    if options.rows:
        with open(options.rows, encoding="utf-8") as file:
            rows = json.load(file)
    build(rows)
    if options.build:
        return
    import flashinfer
    import torch
    found = {"version": flashinfer.__version__, "torch": torch.__version__, "device": torch.cuda.get_device_name(0), "rows": []}
    for row in rows:
        times = {}
        for name, use_tensor_cores in (("cuda_cores_us", False), ("tensor_cores_us", True)):
            try:
                times[name] = round(time_row(row, use_tensor_cores), 3)
            except (RuntimeError, ValueError) as error:
                print(f"{row} {name}: {error}", file=sys.stderr)
            torch.cuda.empty_cache()
        if not times:
            sys.exit(f"FlashInfer runs no kernel for {row}")
        found["rows"].append({**row, "us": min(times.values()), **times})
        print(found["rows"][-1], file=sys.stderr, flush=True)
    text = json.dumps(found, indent=1) + "\n"
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
