#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Makes a checkpoint of Qwen3-0.6B's shape with random bf16 weights, and the same weights as a GGUF file for llama.cpp.

    make_checkpoint.py OUT-FOLDER      OUT-FOLDER/checkpoint/{config.json,model.safetensors}, OUT-FOLDER/model.gguf

1.2 GB each; there is no tokenizer.  Needs the packages numpy and gguf.  Equal seeds give equal weights: a normal
distribution of standard deviation 0.02 for matrices, 1 +- 0.1 for norms, rounded to bf16 to nearest even.
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 1024,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "max_position_embeddings": 40960,
    "max_window_layers": 28,
    "model_type": "qwen3",
    "num_attention_heads": 16,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 151936,
}


def tensors(config):
    """(name in the checkpoint, name in GGUF, shape) of every tensor, in the order of the file."""
    hidden, ffn, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    yield "model.embed_tokens.weight", "token_embd.weight", (config["vocab_size"], hidden)
    for layer in range(config["num_hidden_layers"]):
        for name, short, shape in (
            ("input_layernorm", "attn_norm", (hidden,)),
            ("self_attn.q_proj", "attn_q", (queries, hidden)),
            ("self_attn.k_proj", "attn_k", (keys, hidden)),
            ("self_attn.v_proj", "attn_v", (keys, hidden)),
            ("self_attn.q_norm", "attn_q_norm", (head,)),
            ("self_attn.k_norm", "attn_k_norm", (head,)),
            ("self_attn.o_proj", "attn_output", (hidden, queries)),
            ("post_attention_layernorm", "ffn_norm", (hidden,)),
            ("mlp.gate_proj", "ffn_gate", (ffn, hidden)),
            ("mlp.up_proj", "ffn_up", (ffn, hidden)),
            ("mlp.down_proj", "ffn_down", (hidden, ffn)),
        ):
            yield f"model.layers.{layer}.{name}.weight", f"blk.{layer}.{short}.weight", shape
    yield "model.norm.weight", "output_norm.weight", (hidden,)


def toBf16(values):
    """f32 to the bits of bf16, uint16, to nearest even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def randomTensor(generator, shape):
    values = generator.standard_normal(shape, dtype=np.float32)
    values *= 0.02 if len(shape) == 2 else 0.1
    if len(shape) == 1:
        values += 1
    return toBf16(values)


def writeSafetensors(path, entries):
    """entries: (name, uint16 array of bf16 bits)."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, bits in entries:
        header[name] = {"dtype": "BF16", "shape": list(bits.shape), "data_offsets": [offset, offset + bits.nbytes]}
        offset += bits.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, bits in entries:
            bits.tofile(file)


def writeGguf(path, config, entries):
    """entries: (name, uint16 array of bf16 bits); norms become f32, as llama.cpp's own converter makes them."""
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    for name, bits in entries:
        if bits.ndim == 1:
            writer.add_tensor(name, (bits.astype(np.uint32) << 16).view(np.float32))
        else:
            writer.add_tensor(name, bits.view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    generator = np.random.default_rng(arguments.seed)
    names = list(tensors(CONFIG))
    values = [randomTensor(generator, shape) for _, _, shape in names]
    checkpoint = arguments.out / "checkpoint"
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    writeSafetensors(checkpoint / "model.safetensors", [(name, bits) for (name, _, _), bits in zip(names, values)])
    writeGguf(arguments.out / "model.gguf", CONFIG, [(name, bits) for (_, name, _), bits in zip(names, values)])
    print(f"{sum(bits.size for bits in values)} parameters in {len(values)} tensors")


if __name__ == "__main__":
    main()
