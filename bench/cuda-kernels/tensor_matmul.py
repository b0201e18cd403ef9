#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Tiles of TensorMatmul (targets/cuda/device/tensor_matmul.cuh) beside PyTorch's matmul (cuBLAS), on shapes of Qwen3-0.6B and
Llama-3.2-1B: what the constants of cuda.tensor_matmul's choice are fitted to.

    tensor_matmul.py [--json FILE] [--rows 64,128,512,8192]

Weights rotate through some 300 MB; x stays in the cache, as in a model. N up to 2048: a residual is added; two matmuls: SiLU of
the first times the second, which cuBLAS does not do.
"""
import argparse
import concurrent.futures
import itertools
import json
import os

import torch

import device

SHAPES = [(4096, 1024, 1), (1024, 2048, 1), (3072, 1024, 2), (1024, 3072, 1),  # Qwen3-0.6B: N, K, matmuls
          (3072, 2048, 1), (2048, 2048, 1), (8192, 2048, 2), (2048, 8192, 1)]  # Llama-3.2-1B
TILES = [(128, 256), (128, 128), (128, 64), (128, 32), (64, 128), (64, 64)]
SOURCE = """
#include "epilogue.cuh"
#include "tensor_matmul.cuh"
extern "C" __global__ void __launch_bounds__(288, {blocks}) __cluster_dims__({splits})
kernel(const bf16 *residual, bf16 *y, const __grid_constant__ TensorMap x, const __grid_constant__ TensorMap w0,
       const __grid_constant__ TensorMap w1) {{
  extern __shared__ __align__(1024) uint8_t shared[];
  letNextStart();
  using Matmul = TensorMatmul<{m}, {k}, {tile_m}, {tile_n}, {stages}, {splits}, {weights}, bf16>;
  static_assert(Matmul::SharedBytes == {shared});
  Matmul matmul;
  matmul.shared = shared, matmul.rank = blockIdx.x % {splits}, matmul.x = &x, matmul.weights[0] = &w0;
  if constexpr ({weights} > 1)
    matmul.weights[{weights} - 1] = &w1;
  const int tile = blockIdx.x / {splits};
  matmul.row = tile % {row_tiles} * {tile_m}, matmul.column = tile / {row_tiles} * {tile_n}, matmul.end = {n};
  matmul.start();
  waitForInputs();
  constexpr bool kAdds = {n} <= 2048 && {weights} == 1;
  constexpr int kEarly = kAdds && {splits} == 1;
  const auto fetch = [&](int m, int n, float (&early)[2][8]) {{ loadVector(residual + int64_t(m) * {n} + n, early[0]); }};
  const auto compute = [&](int m, int n, const auto &acc, float (&values)[1]) {{
    if constexpr ({weights} > 1)
      values[0] = acc[0] / (1.0f + expf(-acc[0])) * acc[{weights} - 1];
    else if constexpr (kEarly)
      values[0] = acc[0] + acc[1];
    else
      values[0] = kAdds ? acc[0] + load(residual, int64_t(m) * {n} + n) : acc[0];
  }};
  const auto put = [&](int m, int n, const float (&values)[1]) {{ store(y, int64_t(m) * {n} + n, values[0]); }};
  const auto putFour = [&](int m, int n, const float (&values)[4][1]) {{
    storeFour(y, int64_t(m) * {n} + n, values[0][0], values[1][0], values[2][0], values[3][0]);
  }};
  const Epilogue<1, true, decltype(compute), decltype(put), decltype(putFour), kEarly, decltype(fetch)> epilogue{{
      compute, put, putFour, fetch}};
  matmul.run(epilogue);
}}
"""


def list_tiles(m, n, k, weights):
    """As TensorMatmulTile.cpp lists them, but for grids of many waves."""
    for (tile_m, tile_n), splits, blocks in itertools.product(TILES, (1, 2, 4), (1, 2)):
        stage, steps = (tile_m + weights * tile_n) * 128, -(-(-(-k // 64)) // splits)
        budget = min(227 << 10, (228 << 10) // blocks - 1024) - 128
        stages, sums = min(budget // stage, 8, max(steps, 3)), weights * tile_m * (tile_n + 4) * 4 if splits > 1 else 0
        tiles = -(-m // tile_m) * -(-n // tile_n)
        group_n = tile_n if tile_m == 128 else tile_n // 2
        if (stages < 3 or sums > budget or group_n < 32 or tile_m * tile_n * weights > 128 * 256 // blocks
                or (splits > 1 and (steps < 4 or tiles * splits > 132)) or tiles > 132 * 48):
            continue
        yield dict(m=m, n=n, k=k, weights=weights, tile_m=tile_m, tile_n=tile_n, splits=splits, blocks=blocks, stages=stages,
                   row_tiles=-(-m // tile_m), grid=tiles * splits, shared=max(stages * stage, sums) + 16 * stages)


def measure(tile, cubin, data):
    x, weights, residual, y, wanted = data
    kernel = device.Kernel(cubin, tile["shared"])
    maps = [(device.make_map(x, tile["tile_m"], 64), device.make_map(first, tile["tile_n"], 64),
             device.make_map(second, tile["tile_n"], 64)) for first, second in weights]
    launches = [lambda own=own: kernel.launch(tile["grid"], 288, (residual, y), own) for own in maps]
    launches[0]()
    torch.cuda.synchronize()
    error = device.largest_error(y, wanted)  # of the first weights: timing goes on to others
    return {"us": round(device.time_launches(launches), 2), "error": round(error, 4),
            "registers": kernel.attribute(device.REGISTERS), "local_bytes": kernel.attribute(device.LOCAL_BYTES)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", help="write all figures there", metavar="FILE")
    parser.add_argument("--rows", default="64,128,512,8192", help="rows of x")
    options = parser.parse_args()
    nvrtc, found = device.find_nvrtc(), []
    torch.manual_seed(1)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for m in map(int, options.rows.split(",")):
            for n, k, weights in SHAPES:
                tiles = list(list_tiles(m, n, k, weights))
                cubins = pool.map(lambda tile: device.compile_kernel(nvrtc, SOURCE.format(**tile)), tiles)
                count = max(4, min(24, int(300e6 / (n * k * 2 * weights))))
                x, residual = (torch.randn(m, columns, device="cuda", dtype=torch.bfloat16) for columns in (k, n))
                matrices = [[torch.randn(n, k, device="cuda", dtype=torch.bfloat16) * 0.05 for _ in range(2)]
                            for _ in range(count)]
                y, (first, second) = torch.empty(m, n, device="cuda", dtype=torch.bfloat16), matrices[0]
                wanted = x.float() @ first.float().T
                if weights > 1:
                    wanted = torch.nn.functional.silu(wanted) * (x.float() @ second.float().T)
                elif n <= 2048:
                    wanted = wanted + residual.float()
                cublas = device.time_launches([lambda own=own: [x @ w.T for w in own[:weights]] for own in matrices])
                rows = [{**{key: tile[key] for key in ("tile_m", "tile_n", "splits", "blocks", "stages", "grid")},
                         **measure(tile, cubin, (x, matrices, residual, y, wanted))} for tile, cubin in zip(tiles, cubins)]
                rows.sort(key=lambda row: row["us"])
                found.append({"m": m, "n": n, "k": k, "matmuls": weights, "cublas_us": round(cublas, 2), "tiles": rows})
                best = rows[0]
                print(f"{m:5} x {n:5} x {k:5} x {weights}: cuBLAS {cublas:7.1f} us, {best['us']:7.1f} us with "
                      f"{best['tile_m']} x {best['tile_n']}, {best['splits']} splits, {best['blocks']} blocks", flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"device": torch.cuda.get_device_name(), "shapes": found}, file, indent=1)


if __name__ == "__main__":
    main()
