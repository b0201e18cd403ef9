#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Trains a byte-level BPE tokenizer and a small Qwen3-architecture language model on what prepare_text.py made.

Writes to --out a checkpoint that transformers loads as it is (config.json, generation_config.json, tokenizer.json,
tokenizer_config.json, model.safetensors in bf16) and, beside it, loss.csv and training.json.  Master weights are f32
under bf16 autocast.  The text is small (about two million tokens), so there is dropout on the embedding and on each
residual branch, which is there only while training and leaves no trace in the architecture, and the checkpoint that is
kept is the one with the lowest loss on the validation text.  What the model is worth on text that nothing saw is
evaluate.py's to say.
"""

import argparse
import csv
import json
import math
import platform
import time
from pathlib import Path

import numpy as np
import tokenizers
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

END_OF_TEXT = "<|endoftext|>"
# The pre-tokenizer of the Qwen2 and Qwen3 tokenizers.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def trainTokenizer(text, vocabSize):
    """A tokenizer of vocabSize entries, the last of which is END_OF_TEXT."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabSize - 1, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(text.split(END_OF_TEXT), trainer)
    tokenizer.add_special_tokens([END_OF_TEXT])
    if tokenizer.get_vocab_size() != vocabSize:
        raise SystemExit(f"train: the text yields {tokenizer.get_vocab_size()} tokens where {vocabSize} were asked for")
    return tokenizer


def modelConfig(vocabSize, endOfText):
    """Qwen3-0.6B's proportions at 7 million parameters; the RoPE keys as the checkpoints on the hub have them."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": endOfText,
        "eos_token_id": endOfText,
        "head_dim": 64,
        "hidden_act": "silu",
        "hidden_size": 256,
        "initializer_range": 0.02,
        "intermediate_size": 768,
        "max_position_embeddings": 2048,
        "max_window_layers": 6,
        "model_type": "qwen3",
        "num_attention_heads": 8,
        "num_hidden_layers": 6,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": vocabSize,
    }


def addDropout(model, rate):
    """Dropout on the embedding and on both residual branches of each layer, while model.training is set."""

    def drop(module, _, output):
        if not model.training:
            return output
        if isinstance(output, tuple):
            return (torch.nn.functional.dropout(output[0], rate), *output[1:])
        return torch.nn.functional.dropout(output, rate)

    model.model.embed_tokens.register_forward_hook(drop)
    for layer in model.model.layers:
        layer.self_attn.register_forward_hook(drop)
        layer.mlp.register_forward_hook(drop)


def validationLoss(model, tokens, length, device):
    """Mean negative log-likelihood per token over non-overlapping windows of length + 1 tokens, in bf16 autocast."""
    model.eval()
    windows = (len(tokens) - 1) // length
    total = 0.0
    for start in range(0, windows, 8):
        rows = [tokens[i * length : (i + 1) * length + 1] for i in range(start, min(start + 8, windows))]
        batch = torch.tensor(np.stack(rows).astype(np.int64), device=device)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            logits = model(input_ids=batch[:, :-1], use_cache=False).logits
        total += torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch[:, 1:].flatten(), reduction="sum"
        ).item()
    model.train()
    return total / (windows * length)


def learningRate(step, progress, arguments):
    """Linear warm-up, then a cosine down to a hundredth of the peak; progress runs from 0 to 1."""
    if step < arguments.warmup:
        return arguments.learning_rate * (step + 1) / arguments.warmup
    return arguments.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def parameterGroups(model, decay):
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]


def train(model, trainTokens, validationTokens, arguments, device):
    """Trains in place; returns the best state (on the CPU, f32) and the rows of loss.csv."""
    optimizer = torch.optim.AdamW(
        parameterGroups(model, arguments.weight_decay), betas=(0.9, 0.95), fused=device.type == "cuda"
    )
    data = torch.from_numpy(trainTokens.astype(np.int64)).to(device)
    generator = torch.Generator().manual_seed(arguments.seed)
    length, rows, best, bestLoss, bad = arguments.length, [], None, math.inf, 0
    begin, running = time.time(), []
    for step in range(arguments.steps):
        # Where the time is too short for all the steps, the cosine still reaches its end: cut off, it is worth little.
        progress = max((step + 1) / arguments.steps, (time.time() - begin) / (60 * arguments.minutes))
        for group in optimizer.param_groups:
            group["lr"] = learningRate(step, min(1.0, progress), arguments)
        starts = torch.randint(len(data) - length - 1, (arguments.batch,), generator=generator)
        index = (starts[:, None] + torch.arange(length + 1)[None, :]).to(device)
        batch = data[index]
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(input_ids=batch[:, :-1], use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        running.append(loss.detach())
        last = progress >= 1.0
        if (step + 1) % arguments.evaluate_every and not last:
            continue
        validation = validationLoss(model, validationTokens, length, device)
        row = {
            "step": step + 1,
            "epochs": round((step + 1) * arguments.batch * length / len(data), 2),
            "learning_rate": f"{optimizer.param_groups[0]['lr']:.3e}",
            "train_loss": round(torch.stack(running).mean().item(), 4),
            "validation_loss": round(validation, 4),
            "seconds": round(time.time() - begin, 1),
        }
        rows.append(row)
        running = []
        print(*row.values(), flush=True)
        if validation < bestLoss:
            best = {name: value.detach().float().cpu().clone() for name, value in model.state_dict().items()}
            bestLoss, bad = validation, 0
        else:
            bad += 1
        if last or bad >= arguments.patience:
            break
    return best, rows


def saveCheckpoint(folder, state, tokenizer, config):
    """The tied head is left out of the file, as transformers does; --out then loads with from_pretrained."""
    folder.mkdir(parents=True, exist_ok=True)
    endOfText = config["eos_token_id"]

    def write(name, value):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n")

    write("config.json", config)
    write(
        "generation_config.json",
        {
            "bos_token_id": endOfText,
            "do_sample": True,
            "eos_token_id": endOfText,
            "max_new_tokens": 256,
            "temperature": 0.8,
            "top_k": 40,
            "top_p": 0.95,
        },
    )
    write(
        "tokenizer_config.json",
        {
            "add_prefix_space": False,
            "bos_token": None,
            "clean_up_tokenization_spaces": False,
            "eos_token": END_OF_TEXT,
            "model_max_length": config["max_position_embeddings"],
            "pad_token": END_OF_TEXT,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    tensors = {name: value.to(torch.bfloat16).contiguous() for name, value in state.items() if name != "lm_head.weight"}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--text", type=Path, default=Path(__file__).parent / "build" / "text")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "build" / "model")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--length", type=int, default=1024, help="tokens of a training sequence")
    parser.add_argument("--batch", type=int, default=32, help="sequences of a step")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--warmup", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--dropout", type=float, default=0.3)
    parser.add_argument("--evaluate-every", type=int, default=100, help="steps from one validation to the next")
    parser.add_argument("--patience", type=int, default=15, help="validations without a new best until it stops")
    parser.add_argument("--minutes", type=float, default=6.0, help="squeeze the schedule into this long at most")
    parser.add_argument("--seed", type=int, default=1611)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    device = torch.device(arguments.device)

    texts = {part: (arguments.text / f"{part}.txt").read_text(encoding="utf-8") for part in ("train", "validation")}
    tokenizer = trainTokenizer(texts["train"], arguments.vocabulary)
    tokens = {part: np.array(tokenizer.encode(text).ids, dtype=np.int32) for part, text in texts.items()}
    config = modelConfig(arguments.vocabulary, tokenizer.token_to_id(END_OF_TEXT))
    # transformers turns the hub's older keys (rope_theta, torch_dtype) into its own while it reads them.
    model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config.from_dict(dict(config)))
    model.to(device=device, dtype=torch.float32).train()
    addDropout(model, arguments.dropout)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters} parameters; tokens:", {part: len(ids) for part, ids in tokens.items()}, flush=True)

    begin = time.time()
    best, rows = train(model, tokens["train"], tokens["validation"], arguments, device)
    saveCheckpoint(arguments.out, best, tokenizer, config)
    with open(arguments.out / "loss.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    best = min(rows, key=lambda row: row["validation_loss"])
    (arguments.out / "training.json").write_text(
        json.dumps(
            {
                "parameters": parameters,
                "training_tokens": len(tokens["train"]),
                "validation_tokens": len(tokens["validation"]),
                "best": best,
                "seconds": round(time.time() - begin, 1),
                "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
                "arguments": {k: v for k, v in vars(arguments).items() if k not in ("text", "out", "device")},
                "versions": {
                    "python": platform.python_version(),
                    "torch": torch.__version__,
                    "transformers": transformers.__version__,
                    "tokenizers": tokenizers.__version__,
                },
                "sources": json.loads((arguments.text / "sources.json").read_text()),
            },
            indent=2,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
