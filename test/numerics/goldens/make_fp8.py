# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Measures what FP8 costs the golden checkpoints in PyTorch, the yardstick for our own FP8 path.

    pip install torch==2.11.0 transformers==5.17.0 numpy==2.4.6 safetensors==0.8.0
    python make_fp8.py               # writes fp8.json beside itself

transformers runs each checkpoint in f32 over the last of its prompts with the rounding of Mjolnir's --fp8=full --fp8-kv put
in between, and nothing else: every linear layer but lm_head multiplies e4m3(bf16(x) * 7) / 7 by e4m3(w / scale) * scale with
scale = the largest magnitude of w's row / 448; keys (after their rotation) and values are e4m3 with a scale of 1. e4m3 is
PyTorch's conversion to float8_e4m3fn after clamping to 448, so that it saturates. The file holds the errors of the logits
against logits_f32.npy: largest, rms, and the cosine of the angle between the two.
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers

folder = pathlib.Path(__file__).parent


def e4m3(x):
    return x.clamp(-448, 448).to(torch.float8_e4m3fn).float()


def quantized(linear):
    weight = linear.weight.detach()
    scale = weight.abs().amax(dim=1, keepdim=True) / 448
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    codes = e4m3(weight / scale)

    def forward(x):
        rows = e4m3(x.to(torch.bfloat16).float() * 7) / 7
        return torch.nn.functional.linear(rows, codes * scale, linear.bias)

    return forward


def narrow_cache(kind):
    update = kind.update
    kind.update = lambda self, key, value, *rest, **named: update(self, e4m3(key), e4m3(value), *rest, **named)


narrow_cache(transformers.cache_utils.DynamicLayer)
if "update" in vars(transformers.cache_utils.DynamicSlidingWindowLayer):
    narrow_cache(transformers.cache_utils.DynamicSlidingWindowLayer)

results = {}
for path in sorted(folder.glob("*/logits_f32.npy")):
    checkpoint = path.parent
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager")
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            module.forward = quantized(module)
    tokens = np.load(checkpoint / "tokens.npy")[-1].astype(np.int64)
    with torch.no_grad():
        ours = model(input_ids=torch.tensor(tokens)[None], use_cache=True).logits[0].float().numpy().astype(np.float64)
    exact = np.load(path).astype(np.float64)
    error = ours - exact
    cosine = (ours * exact).sum() / np.sqrt((ours**2).sum() * (exact**2).sum())
    results[checkpoint.name] = {"largest": np.abs(error).max(), "rms": np.sqrt((error**2).mean()), "cosine": cosine}

versions = {"python": sys.version.split()[0], "numpy": np.__version__, "torch": torch.__version__,
            "transformers": transformers.__version__}
(folder / "fp8.json").write_text(json.dumps({"versions": versions, "checkpoints": results}, indent=2) + "\n")
print(json.dumps(results, indent=2))
