#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""What transformers makes of the trained checkpoint: the reference that Mjolnir's tests compare with.

Everything is computed on the CPU with eager attention from the bf16 weights that train.py kept, in f32 unless said
otherwise.  Writes to --out:

  heldout_tokens.npy   int32 [N], the held-out text as token ids, <|endoftext|> between its documents included
  results.json         held-out perplexity, sampled text, versions
  window_losses.json   for each window of the f32 perplexity, the sum of its negative log-likelihoods
  greedy.json          for each prompt: its ids, 200 greedy ids (never stopped), their text, the smallest margin
  margins_f32.npy      f32 [prompts, 200], the best logit less the second best, of each greedy step
  argmax_bf16.npy      int32 [prompts, 200], argmax of the bf16 run, fed the same tokens (teacher forcing)
  error_bf16.npy       f32 [prompts, 200], largest absolute difference of a step's bf16 logits from the f32 ones
  logits_f32.npy       f32 [64, vocabulary], the logits of the first 64 greedy steps of the first prompt

Perplexity: the N ids are cut into consecutive windows of --window ids that do not overlap, the last one shorter.  Each
window is a sequence of its own, starting at position 0; every id in it but the first is predicted from the ones before
it in the window.  The perplexity is exp of the mean negative log-likelihood over all the predicted ids.
"""

import argparse
import json
import math
import platform
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers

PROMPTS = (
    "It is a truth universally acknowledged, that",
    "And the LORD spake unto Moses, saying,",
    "Elizabeth looked out of the window, and",
)
STEPS = 200
KEPT_LOGITS = 64


def load(folder, dtype):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()


def perplexity(model, ids, window):
    """(perplexity, number of predicted ids, loss of each window); the log-softmax and the sums are in f64."""
    losses, count = [], 0
    for start in range(0, len(ids), window):
        piece = torch.tensor(ids[start : start + window].astype(np.int64))[None]
        if piece.shape[1] < 2:
            continue
        logits = model(input_ids=piece, use_cache=False).logits[0, :-1]
        scores = torch.log_softmax(logits.double(), -1).gather(1, piece[0, 1:, None])
        losses.append(-scores.sum().item())
        count += scores.numel()
    return math.exp(sum(losses) / count), count, losses


def greedy(model, prompt, steps):
    """The ids that follow the prompt's, each the argmax, with a KV cache."""
    out = []
    step = model(input_ids=torch.tensor([prompt]), use_cache=True)
    for _ in range(steps):
        out.append(int(step.logits[0, -1].argmax()))
        step = model(input_ids=torch.tensor([out[-1:]]), past_key_values=step.past_key_values, use_cache=True)
    return out


def teacherForced(model, prompt, following):
    """f32 [len(following), vocabulary]: the logits from which each id of `following` is predicted."""
    ids = torch.tensor([prompt + following[:-1]])
    return model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 :].float()


def sample(model, tokenizer, prompt, seed):
    torch.manual_seed(seed)
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = model.generation_config
    out = model.generate(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        do_sample=True,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        max_new_tokens=160,
        pad_token_id=settings.eos_token_id,
    )
    return tokenizer.decode(out[0])


@torch.no_grad()
def main():
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=here / "build" / "model")
    parser.add_argument("--heldout", type=Path, default=here / "build" / "text" / "heldout.txt")
    parser.add_argument("--out", type=Path, default=here / "build" / "reference")
    parser.add_argument("--window", type=int, default=1024)
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
    plain = tokenizers.Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    text = arguments.heldout.read_text(encoding="utf-8")
    ids = np.array(plain.encode(text).ids, dtype=np.int32)
    if tokenizer(text)["input_ids"] != ids.tolist():
        raise SystemExit("evaluate: transformers and tokenizers disagree on the held-out text")
    np.save(out / "heldout_tokens.npy", ids)

    model, half = load(arguments.model, torch.float32), load(arguments.model, torch.bfloat16)
    value, count, losses = perplexity(model, ids, arguments.window)
    (out / "window_losses.json").write_text(json.dumps(losses, indent=1) + "\n")
    results = {
        "perplexity_f32": value,
        "perplexity_bf16": perplexity(half, ids, arguments.window)[0],
        "window": arguments.window,
        "tokens": len(ids),
        "predicted_tokens": count,
        "bytes": len(text.encode()),
        "bits_per_byte_f32": math.log2(value) * count / len(text.encode()),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
        "samples": [sample(model, tokenizer, prompt, 1) for prompt in PROMPTS],
    }
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n")

    records, margins, argmaxes, errors = [], [], [], []
    for prompt in PROMPTS:
        promptIds = plain.encode(prompt).ids
        following = greedy(model, promptIds, STEPS)
        full = teacherForced(model, promptIds, following)
        if full.argmax(-1).tolist() != following:
            raise SystemExit(f"evaluate: with and without a cache, greedy text differs after {prompt!r}")
        rounded = teacherForced(half, promptIds, following)
        best = full.topk(2, dim=-1).values
        margins.append((best[:, 0] - best[:, 1]).numpy())
        argmaxes.append(rounded.argmax(-1).numpy().astype(np.int32))
        errors.append((rounded - full).abs().amax(-1).numpy())
        records.append(
            {
                "prompt": prompt,
                "prompt_ids": promptIds,
                "ids": following,
                "text": plain.decode(following, skip_special_tokens=False),
                "smallest_margin_f32": float(margins[-1].min()),
            }
        )
        if len(records) == 1:
            np.save(out / "logits_f32.npy", full[:KEPT_LOGITS].numpy())
    (out / "greedy.json").write_text(json.dumps(records, indent=1) + "\n")
    np.save(out / "margins_f32.npy", np.stack(margins))
    np.save(out / "argmax_bf16.npy", np.stack(argmaxes))
    np.save(out / "error_bf16.npy", np.stack(errors))
    print(json.dumps({k: v for k, v in results.items() if k != "samples"}, indent=2))
    print(*results["samples"], sep="\n---\n")
    print([record["smallest_margin_f32"] for record in records], [float(e.max()) for e in errors])


if __name__ == "__main__":
    main()
