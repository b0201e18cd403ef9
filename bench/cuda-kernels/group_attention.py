#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Causal attention of many rows over a paged cache, by GroupAttention (targets/cuda/device/flash_groups.cuh) and by
flash::attend, beside PyTorch's scaled_dot_product_attention over tensors.

    group_attention.py [--json FILE]
"""
import argparse
import concurrent.futures
import json
import os

import torch

import device

PAGE = 64  # tokens
SHAPES = [(512, 16, 8, 128), (777, 16, 8, 128), (8192, 16, 8, 128), (512, 32, 8, 64), (8192, 32, 8, 64)]  # rows, heads
SOURCE = """
#include "flash_groups.cuh"
extern "C" __global__ void __launch_bounds__({threads}, {blocks})
kernel(const bf16 *queries, const uint8_t *pool, const int32_t *block_tables, bf16 *out) {{
  extern __shared__ __align__(1024) uint8_t shared[];
  letNextStart();
  waitForInputs();
  const int head = blockIdx.x % {kv_heads}, tile = {tiles} - 1 - blockIdx.x / {kv_heads};
  const flash::PagedRows<{heads}, {group}, 0> rows{{head, tile * {tile_m}, 0, {rows}, {rows}}};
  const PagedCache<bf16, {page}, {size}, {kv_heads}, {page_bytes}> cache{{pool, block_tables}};
  const flash::PagedKeys<decltype(cache), bf16> keys{{cache, head}};
  {callee}(queries, rows, keys, flash::NoMask{{}}, {scale:.8e}f, 1.0f, out, shared);
}}
"""


def list_kernels(rows, heads, kv_heads, size):
    shape = dict(rows=rows, heads=heads, kv_heads=kv_heads, size=size, group=heads // kv_heads, page=PAGE,
                 page_bytes=2 * kv_heads * PAGE * size * 2, scale=size**-0.5)
    stride = size + 8
    kinds = [dict(name="mma.sync", tile_m=128, threads=256, blocks=1, shared=128 * stride * 2 + 2 * 64 * 2 * stride * 2,
                  callee=f"flash::attend<128, 1, 64, {size}, {size}>")]
    kinds += [dict(name=f"wgmma, {groups} groups, {keys} keys", tile_m=64 * groups, threads=128 * (groups + 1),
                   blocks=3 - groups, shared=64 * groups * size * 2 + 2 * keys * 4 * size + 64,
                   callee=f"flash::attendByGroups<{groups}, {keys}, {size}, {size}>")
              for groups in (1, 2) for keys in (64, 128)]
    for kind in kinds:
        tiles = -(-rows * shape["group"] // kind["tile_m"])
        yield {**shape, **kind, "tiles": tiles, "grid": tiles * kv_heads}


def make_pages(keys, values):
    """A pool of one layer, its pages in a random order, and the table of them."""
    rows, heads, size = keys.shape
    pages = -(-rows // PAGE)
    order = torch.randperm(pages, device="cuda")
    pool = torch.zeros(pages, 2, heads, PAGE, size, device="cuda", dtype=torch.bfloat16)
    for part, tensor in enumerate((keys, values)):
        padded = torch.zeros(pages * PAGE, heads, size, device="cuda", dtype=torch.bfloat16)
        padded[:rows] = tensor
        pool[order, part] = padded.view(pages, PAGE, heads, size).transpose(1, 2)
    return pool, order.to(torch.int32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", help="write all figures there", metavar="FILE")
    options = parser.parse_args()
    nvrtc, found = device.find_nvrtc(), []
    torch.manual_seed(1)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for rows, heads, kv_heads, size in SHAPES:
            kernels = list(list_kernels(rows, heads, kv_heads, size))
            cubins = pool.map(lambda kernel: device.compile_kernel(nvrtc, SOURCE.format(**kernel)), kernels)
            queries, keys, values = (torch.randn(rows, count, size, device="cuda", dtype=torch.bfloat16)
                                     for count in (heads, kv_heads, kv_heads))
            pages, table = make_pages(keys, values)
            whole = [tensor.repeat_interleave(heads // tensor.shape[1], 1).transpose(0, 1)[None].contiguous()
                     for tensor in (queries, keys, values)]
            attend = lambda: torch.nn.functional.scaled_dot_product_attention(*whole, is_causal=True)  # noqa: E731
            wanted, out = attend()[0].transpose(0, 1), torch.empty_like(queries)
            row = {"rows": rows, "heads": heads, "kv_heads": kv_heads, "head_dim": size,
                   "torch_us": round(device.time_launches([attend] * 10), 1), "kernels": {}}
            for kernel, cubin in zip(kernels, cubins):
                function = device.Kernel(cubin, kernel["shared"])
                launch = lambda: function.launch(kernel["grid"], kernel["threads"], (queries, pages, table, out))  # noqa: E731
                out.zero_()
                launch()
                torch.cuda.synchronize()
                row["kernels"][kernel["name"]] = {"us": round(device.time_launches([launch] * 10), 1),
                                                  "error": round(device.largest_error(out, wanted), 4),
                                                  "registers": function.attribute(device.REGISTERS)}
            found.append(row)
            print(json.dumps(row), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"device": torch.cuda.get_device_name(), "shapes": found}, file, indent=1)


if __name__ == "__main__":
    main()
