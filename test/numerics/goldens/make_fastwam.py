#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Makes the golden of examples/fastwam in ./fastwam: random weights, inputs, and what PyTorch computes from them.

    pip install torch numpy safetensors && python3 make_fastwam.py

examples/fastwam/reference.py is the model. Files:
model.safetensors; ENTRY.INPUT.npy and ENTRY.positions.npy; ENTRY.RESULT.npy, computed in f32; ENTRY.RESULT.bf16.npy, with
weights and activations in bf16 as a GPU would run it. The action expert reads the f32 caches of the video expert (in bf16 its
bf16 ones). fastwam.json has the versions, and the largest differences of the bf16 run.
"""
import json
import pathlib
import sys

import numpy as np
import safetensors.torch
import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "examples" / "fastwam"))
import fastwam  # noqa: E402
import reference  # noqa: E402


def main():
    sizes, generator = fastwam.SMALL, torch.Generator().manual_seed(7)
    folder = HERE / "fastwam"
    folder.mkdir(exist_ok=True)
    weights = reference.make_weights(sizes, generator)
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text("{}\n")

    def save(name, value):
        np.save(folder / f"{name}.npy", value.float().numpy() if value.is_floating_point() else value.numpy())

    differences, caches = {}, {}
    for expert in (sizes.video, sizes.action):
        values = {}
        for name, shape in fastwam.inputs(sizes)[expert.name]:
            values[name] = torch.randn(shape, generator=generator) * (0.5 if name == "t_mod" else 1.0)
            save(f"{expert.name}.{name}", values[name])
        save(f"{expert.name}.positions", torch.arange(expert.tokens, dtype=torch.int32))
        results = {}
        for dtype in (torch.float32, torch.bfloat16):
            with torch.no_grad():
                results[dtype] = reference.Block(sizes, expert, weights, dtype)(**values, cache=caches.get(dtype))
        if expert is sizes.video:
            caches = {dtype: result[1:] for dtype, result in results.items()}
        for index, name in enumerate(("y", "k", "v") if expert is sizes.video else ("y",)):
            exact, narrow = results[torch.float32][index], results[torch.bfloat16][index].float()
            save(f"{expert.name}.{name}", exact)
            save(f"{expert.name}.{name}.bf16", narrow)
            differences[f"{expert.name}.{name}"] = round((exact - narrow).abs().max().item(), 5)
    (folder / "fastwam.json").write_text(json.dumps(
        {"versions": {"torch": torch.__version__, "numpy": np.__version__, "safetensors": safetensors.__version__},
         "largest differences of bf16": differences}, indent=2) + "\n")


main()
