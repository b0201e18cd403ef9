#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Counts the kernels that PyTorch launches for one block of each expert of FastWAM, eager and with torch.compile, in bf16.

    python3 count_kernels.py [--small]

Needs a CUDA device. A kernel is what torch.profiler sees on the device in one call after warm-up, copies and fills among
them. The time is the median of 50 replays of a CUDA graph of the call. Prints JSON. docs/fastwam.md has the results.
"""
import argparse
import collections
import json
import pathlib
import statistics
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples" / "fastwam"))
import fastwam  # noqa: E402
import reference  # noqa: E402


def count(call):
    """Names of the kernels of one call."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]) as profile:
        call()
        torch.cuda.synchronize()
    return collections.Counter(event.name for event in profile.events()
                               if event.device_type == torch.autograd.DeviceType.CUDA)


def time_replay(call):
    """Median milliseconds of a replay."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    times = []
    for _ in range(50):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="the golden's sizes instead of the model's")
    sizes = fastwam.SMALL if parser.parse_args().small else fastwam.FULL
    weights = {name: value.cuda() for name, value in reference.make_weights(sizes, torch.Generator().manual_seed(7)).items()}
    cache = [torch.randn(sizes.video.tokens, sizes.heads, sizes.head_dim, device="cuda", dtype=torch.bfloat16)
             for _ in range(2)]
    report = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "blocks": {}}
    for expert in (sizes.video, sizes.action):
        block = reference.Block(sizes, expert, weights, torch.bfloat16, is_complex=False)
        values = {name: torch.randn(shape, device="cuda", dtype=torch.bfloat16)
                  for name, shape in fastwam.inputs(sizes)[expert.name]}
        values["cache"] = cache if expert is sizes.action else None
        for name, function in (("eager", block.__call__), ("compiled", torch.compile(block.__call__, fullgraph=True)),
                               ("max-autotune", torch.compile(block.__call__, fullgraph=True,
                                                              mode="max-autotune-no-cudagraphs"))):
            torch._dynamo.reset()
            with torch.no_grad():
                for _ in range(3):
                    function(**values)
                torch.cuda.synchronize()
                kernels = count(lambda: function(**values))
                report["blocks"][f"{expert.name} {name}"] = {
                    "kernels": sum(kernels.values()), "milliseconds": round(time_replay(lambda: function(**values)), 4),
                    "names": {kernel[:60]: number for kernel, number in sorted(kernels.items())}}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
