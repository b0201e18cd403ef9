#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Makes a tiny random checkpoint of each model family, and what transformers computes from it on the CPU.

Usage: make_goldens.py OUT-FOLDER, which then has one folder a checkpoint, versions.json and goldens.tar.gz of both.

The weights come from NumPy's PCG64 with a fixed seed and do not depend on torch.  They are large enough that attention
is far from uniform and logits spread over several units; norm weights lie around 1, biases are not zero.  The configs
are written out by hand, some in the style of the hub's older checkpoints (rope_theta, rope_scaling, torch_dtype) and
some in that of transformers 5 (rope_parameters, dtype); a reader must take both.

Beside a checkpoint (config.json, model*.safetensors) stand, with V the vocabulary and eager attention throughout:

  tokens.npy           int32 [4, 200], a batch of random prompts, each row padded with -1 after its length
  lengths.npy          int32 [4]; the last row is 200 long
  logits_f32.npy       f32 [200, V], logits at every position of the last row; the stored weights, computed in f32
  logits_bf16.npy      f32 [200, V], the same of model.to(bfloat16): its error is the yardstick for our own bf16 path
  last_logits_f32.npy  f32 [4, V], logits at the last position of each row, each run on its own
  greedy.npy           int32 [10 + 64], the first 10 tokens of row 3 and the 64 that follow greedily in f32
"""

import argparse
import json
import platform
import tarfile
from pathlib import Path

import numpy as np
import safetensors
import torch
import transformers
from safetensors.torch import save_file

LENGTHS = (1, 23, 96, 200)
PROMPT, GREEDY = 10, 64

LLAMA3_SCALING = {
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    # Short, so that of this head's frequencies some are kept, some blended and some divided.
    "original_max_position_embeddings": 32,
    "rope_type": "llama3",
}


def base(architecture, modelType, **more):
    """A config: what all of them share, then what `more` adds or replaces."""
    return {
        "architectures": [architecture],
        "model_type": modelType,
        "hidden_act": "silu",
        "hidden_size": 64,
        "initializer_range": 0.02,
        "intermediate_size": 176,
        "max_position_embeddings": 256,
        "num_hidden_layers": 2,
        "rms_norm_eps": 1e-06,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "use_cache": True,
        **more,
    }


# Each checkpoint: its config, the type it is stored in, the number of files, the seed of its weights.  The seeds are
# such that greedy text neither falls into a short loop nor comes near a tie; writeReferences checks it.
CHECKPOINTS = {
    # The heads together are wider than the hidden size, as in Qwen3-0.6B.
    "qwen3-tied-bf16": (
        base(
            "Qwen3ForCausalLM",
            "qwen3",
            attention_bias=False,
            attention_dropout=0.0,
            head_dim=32,
            max_window_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            rope_scaling=None,
            rope_theta=1000000,
            sliding_window=None,
            tie_word_embeddings=True,
            torch_dtype="bfloat16",
            use_sliding_window=False,
            vocab_size=160,
        ),
        torch.bfloat16,
        1,
        1,
    ),
    "qwen3-untied-f32": (
        base(
            "Qwen3ForCausalLM",
            "qwen3",
            attention_bias=False,
            attention_dropout=0.0,
            dtype="float32",
            head_dim=16,
            intermediate_size=120,
            layer_types=["full_attention", "full_attention"],
            num_attention_heads=4,
            num_key_value_heads=1,
            rope_parameters={"rope_theta": 10000.0, "rope_type": "default"},
            sliding_window=None,
            tie_word_embeddings=False,
            use_sliding_window=False,
            vocab_size=99,
        ),
        torch.float32,
        1,
        11,
    ),
    "qwen2-tied-bf16": (
        base(
            "Qwen2ForCausalLM",
            "qwen2",
            attention_dropout=0.0,
            dtype="bfloat16",
            layer_types=["full_attention", "full_attention"],
            num_attention_heads=4,
            num_key_value_heads=2,
            rope_parameters={"rope_theta": 1000000.0, "rope_type": "default"},
            tie_word_embeddings=True,
            use_sliding_window=False,
            vocab_size=176,
        ),
        torch.bfloat16,
        1,
        21,
    ),
    # Qwen2.5's configs name a window that use_sliding_window turns off; here it is short, so that obeying it shows.
    "qwen2-untied-f16": (
        base(
            "Qwen2ForCausalLM",
            "qwen2",
            attention_dropout=0.0,
            max_window_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            rope_theta=10000.0,
            sliding_window=16,
            tie_word_embeddings=False,
            torch_dtype="float16",
            use_sliding_window=False,
            vocab_size=160,
        ),
        torch.float16,
        1,
        31,
    ),
    # Llama 2 has no rope_theta, no head_dim, and as many key-value heads as heads.
    "llama2-sharded-bf16": (
        base(
            "LlamaForCausalLM",
            "llama",
            num_attention_heads=4,
            num_key_value_heads=4,
            pretraining_tp=1,
            rms_norm_eps=1e-05,
            rope_scaling=None,
            tie_word_embeddings=False,
            torch_dtype="bfloat16",
            vocab_size=144,
        ),
        torch.bfloat16,
        3,
        41,
    ),
    "llama3-tied-bf16": (
        base(
            "LlamaForCausalLM",
            "llama",
            attention_bias=False,
            attention_dropout=0.0,
            head_dim=32,
            mlp_bias=False,
            num_attention_heads=4,
            num_key_value_heads=2,
            pretraining_tp=1,
            rms_norm_eps=1e-05,
            rope_scaling=LLAMA3_SCALING,
            rope_theta=10000.0,
            tie_word_embeddings=True,
            torch_dtype="bfloat16",
            vocab_size=160,
        ),
        torch.bfloat16,
        1,
        51,
    ),
    # The same scaling in the newer style, with an untied head as in Llama 3.1 8B.
    "llama3-untied-f32": (
        base(
            "LlamaForCausalLM",
            "llama",
            dtype="float32",
            head_dim=16,
            hidden_size=48,
            intermediate_size=104,
            mlp_bias=False,
            num_attention_heads=6,
            num_key_value_heads=2,
            rms_norm_eps=1e-05,
            rope_parameters={**LLAMA3_SCALING, "rope_theta": 500000.0},
            tie_word_embeddings=False,
            vocab_size=97,
        ),
        torch.float32,
        1,
        62,
    ),
    "mistral-window-bf16": (
        base(
            "MistralForCausalLM",
            "mistral",
            attention_dropout=0.0,
            num_attention_heads=4,
            num_key_value_heads=2,
            rms_norm_eps=1e-05,
            rope_theta=10000.0,
            sliding_window=16,
            tie_word_embeddings=False,
            torch_dtype="bfloat16",
            vocab_size=160,
        ),
        torch.bfloat16,
        1,
        73,
    ),
    # Layers with a window and one without.
    "qwen2-mixed-bf16": (
        base(
            "Qwen2ForCausalLM",
            "qwen2",
            attention_dropout=0.0,
            dtype="bfloat16",
            layer_types=["sliding_attention", "full_attention", "sliding_attention", "sliding_attention"],
            num_attention_heads=4,
            num_hidden_layers=4,
            num_key_value_heads=2,
            rope_parameters={"rope_theta": 10000.0, "rope_type": "default"},
            sliding_window=16,
            tie_word_embeddings=False,
            use_sliding_window=True,
            vocab_size=160,
        ),
        torch.bfloat16,
        1,
        81,
    ),
}


def randomTensor(name, shape, generator):
    normal = generator.standard_normal(shape)
    if name.endswith("norm.weight"):
        return 1.0 + 0.2 * normal
    if name.endswith(".bias"):
        return 0.3 * normal
    if "embed_tokens" in name:
        return 0.3 * normal
    return normal * 1.5 / np.sqrt(shape[-1])


def writeCheckpoint(folder, config, dtype, files, seed):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(folder))
    generator = np.random.Generator(np.random.PCG64(seed))
    tensors = {}
    for name, value in sorted(model.state_dict().items()):
        if name == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        tensors[name] = torch.tensor(randomTensor(name, tuple(value.shape), generator), dtype=torch.float64).to(dtype)
    if files == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    # Dealt out in turn, so that the tensors of a layer lie in different files.
    names, weightMap = list(tensors), {}
    for number in range(files):
        file = f"model-{number + 1:05}-of-{files:05}.safetensors"
        part = {name: tensors[name] for name in names[number::files]}
        save_file(part, folder / file, metadata={"format": "pt"})
        weightMap.update({name: file for name in part})
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(weightMap.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def load(folder, dtype):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation="eager", output_loading_info=True
    )
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[problem]:
            raise SystemExit(f"make_goldens: {folder.name}: {problem} {info[problem]}")
    return model.eval()


def logits(model, tokens):
    return model(input_ids=torch.tensor(tokens.astype(np.int64))[None], use_cache=False).logits[0].float().numpy()


def greedy(model, prompt, steps):
    tokens = list(map(int, prompt))
    step = model(input_ids=torch.tensor([tokens]), use_cache=True)
    for _ in range(steps):
        tokens.append(int(step.logits[0, -1].argmax()))
        step = model(input_ids=torch.tensor([tokens[-1:]]), past_key_values=step.past_key_values, use_cache=True)
    return np.array(tokens, dtype=np.int32)


def writeReferences(folder, config, seed):
    """Writes the .npy files; returns a line that shows that they are worth comparing with."""
    generator = np.random.Generator(np.random.PCG64(seed + 1000))
    tokens = np.full((len(LENGTHS), max(LENGTHS)), -1, dtype=np.int32)
    for row, length in enumerate(LENGTHS):
        tokens[row, :length] = generator.integers(config["vocab_size"], size=length)
    model, half = load(folder, torch.float32), load(folder, torch.bfloat16)
    full, rounded = logits(model, tokens[-1]), logits(half, tokens[-1])
    lasts = [logits(model, tokens[row, :length])[-1] for row, length in enumerate(LENGTHS)]
    following = greedy(model, tokens[-1, :PROMPT], GREEDY)
    # Without a cache the same tokens must come, and no step may be a near tie that rounding could turn.
    again = logits(model, following[:-1])[PROMPT - 1 :]
    best = np.sort(again, axis=-1)
    margin = float((best[:, -1] - best[:, -2]).min())
    distinct = len(set(following[PROMPT:].tolist()))
    if again.argmax(-1).tolist() != following[PROMPT:].tolist() or margin < 2e-3 or distinct < 16:
        raise SystemExit(
            f"make_goldens: {folder.name}: smallest margin {margin}, {distinct} different tokens; change its seed"
        )
    for name, value in {
        "tokens": tokens,
        "lengths": np.array(LENGTHS, dtype=np.int32),
        "logits_f32": full,
        "logits_bf16": rounded,
        "last_logits_f32": np.stack(lasts),
        "greedy": following,
    }.items():
        np.save(folder / f"{name}.npy", value)
    return {
        "logits_standard_deviation": float(full.std()),
        "bf16_largest_error": float(np.abs(full - rounded).max()),
        "bf16_rms_error": float(np.sqrt(np.square(full - rounded).mean())),
        "greedy_smallest_margin": margin,
        "greedy_distinct_tokens": distinct,
    }


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    summary = {}
    for name, (config, dtype, files, seed) in CHECKPOINTS.items():
        writeCheckpoint(out / name, config, dtype, files, seed)
        summary[name] = writeReferences(out / name, config, seed)
        print(name, summary[name], flush=True)
    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    (out / "versions.json").write_text(json.dumps({"versions": versions, "checkpoints": summary}, indent=2) + "\n")
    with tarfile.open(out / "goldens.tar.gz", "w:gz") as archive:
        for name in (*CHECKPOINTS, "versions.json"):
            archive.add(out / name, arcname=name)


if __name__ == "__main__":
    main()
