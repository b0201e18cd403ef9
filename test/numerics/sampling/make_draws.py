#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Draws tokens from the golden logits with NumPy, as mj.sample does: the reference of SamplingTest.

Usage: make_draws.py GOLDENS-FOLDER OUT.json

The logits are those that transformers computed in f32 (logits_f32.npy of a golden checkpoint, see make_goldens.py).
All sums are in f64 and everything is sorted; the kernel does neither.  A draw:

  1. logits below the top_k-th largest are out (0: none is); what equals it stays;
  2. of the rest, with probabilities softmax(logits / temperature), the fewest most likely that together reach top_p
     stay, and what equals the least of them;
  3. u is a number of 24 bits in [0, 1) from Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
     3", SC 2011): counter (context length, 0, 0, 0), key (low, high half of the seed), the first word shifted right by
     8;
  4. the token is the first, in the order of the vocabulary, at which the running sum of the probabilities that stayed
     exceeds u.

A draw whose u, k-th largest logit or top_p lies so near to a boundary that an error of 1e-4 in the logits could turn it
is left out.  OUT.json holds the versions and for each checkpoint the draws: [position of the last token, temperature,
top_k, top_p, seed, token].
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np

CHECKPOINTS = ("qwen3-tied-bf16", "llama3-untied-f32", "mistral-window-bf16")
POSITIONS = (0, 22, 199)
PARAMETERS = (  # temperature, top_k, top_p
    (1.0, 0, 1.0),
    (0.3, 0, 1.0),
    (2.5, 0, 1.0),
    (1.0, 1, 1.0),
    (1.0, 2, 1.0),
    (1.5, 20, 1.0),
    (1.0, 0, 0.5),
    (1.0, 0, 0.9),
    (2.0, 0, 0.95),
    (1.3, 40, 0.8),
    (0.8, 5, 0.99),
    (1.0, 1000, 1.0),
    (0.0, 7, 0.5),
)
SEEDS = (0, 1, 17, 2**32 - 1, 2**32, 2**63 - 1, -1, 123456789012345)
LOGIT_ERROR = 1e-4


def philox(counter, key, rounds=10):
    """Four words from four words and a key of two; NumPy's own Philox has words of 64 bits."""
    mask = 0xFFFFFFFF
    for _ in range(rounds):
        first, second = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = (
            (second >> 32) ^ counter[1] ^ key[0],
            second & mask,
            (first >> 32) ^ counter[3] ^ key[1],
            first & mask,
        )
        key = ((key[0] + 0x9E3779B9) & mask, (key[1] + 0xBB67AE85) & mask)
    return counter


def draw(logits, temperature, topK, topP, seed, context):
    """(token, whether it is far from every boundary)"""
    logits = logits.astype(np.float64)
    ordered = np.sort(logits)[::-1]
    if temperature == 0:
        return int(logits.argmax()), ordered[0] - ordered[1] > 2 * LOGIT_ERROR
    safe = True
    stays = np.ones(logits.size, dtype=bool)
    if 0 < topK < logits.size:
        safe &= bool(ordered[topK - 1] - ordered[topK] > 2 * LOGIT_ERROR)
        stays = logits >= ordered[topK - 1]
    weights = np.where(stays, np.exp((logits - ordered[0]) / temperature), 0.0)
    # An error e in each logit multiplies each weight by at most exp(e / T), a share of the sum by at most exp(2 e / T).
    slack = np.expm1(2 * LOGIT_ERROR / temperature) + 1e-6
    if topP < 1:
        shares = np.cumsum(np.sort(weights)[::-1]) / weights.sum()
        last = int(np.argmax(shares >= topP))
        safe &= bool(np.abs(shares - topP).min() > slack and ordered[last] - ordered[last + 1] > 2 * LOGIT_ERROR)
        stays &= logits >= ordered[last]
        weights = np.where(stays, weights, 0.0)
    seed &= 2**64 - 1
    u = (philox((context, 0, 0, 0), (seed & 0xFFFFFFFF, seed >> 32))[0] >> 8) / 2**24
    shares = np.cumsum(weights) / weights.sum()
    safe &= bool(np.abs(shares[:-1] - u).min() > slack)
    return int(np.argmax(shares > u)), safe


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("goldens", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    # The known answers of the authors' Random123 distribution.
    assert philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    lines, count = [], 0
    for name in CHECKPOINTS:
        logits = np.load(arguments.goldens / name / "logits_f32.npy")
        draws = []
        for position in POSITIONS:
            for temperature, topK, topP in PARAMETERS:
                for seed in SEEDS:
                    token, safe = draw(logits[position], temperature, topK, topP, seed, position + 1)
                    count += 1
                    if safe:
                        draws.append([position, temperature, topK, topP, seed, token])
        print(f"{name}: {len(draws)} draws, {len({d[-1] for d in draws})} different tokens")
        lines.append(f'  "{name}": [\n' + ",\n".join(f"   {json.dumps(draw)}" for draw in draws) + "\n  ]")
    versions = json.dumps({"python": platform.python_version(), "numpy": np.__version__})
    text = '{\n "versions": ' + versions + ',\n "draws": {\n' + ",\n".join(lines) + "\n }\n}\n"
    json.loads(text)
    arguments.out.write_text(text)
    print(f"{count} tried")


if __name__ == "__main__":
    main()
