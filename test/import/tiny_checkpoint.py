#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Writes a checkpoint of a family with tensors of zeros, tiny unless told otherwise, for tests of the importer.

usage: tiny_checkpoint.py FAMILY DIR [KEY=JSON ...]

KEY=JSON sets a setting of config.json. The settings that decide which tensors there are (layers, sizes, tied head,
biases) are honoured. --shards writes two files and an index.
"""
import json
import os
import struct
import sys

ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


def configuration(family):
    return {
        "architectures": [ARCHITECTURES[family]],
        "model_type": family,
        "vocab_size": 32,
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 4,
        "hidden_act": "silu",
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "sliding_window": None,
    }


def tensors(family, config):
    """Names and shapes, in the order of the model."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    q = config["num_attention_heads"] * config["head_dim"]
    kv = config["num_key_value_heads"] * config["head_dim"]
    qkv_bias = family == "qwen2" or config.get("attention_bias", False)
    o_bias = config.get("attention_bias", False)
    mlp_bias = config.get("mlp_bias", False)
    yield "model.embed_tokens.weight", [config["vocab_size"], hidden]
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", [hidden]
        yield prefix + "post_attention_layernorm.weight", [hidden]
        if family == "qwen3":
            yield prefix + "self_attn.q_norm.weight", [config["head_dim"]]
            yield prefix + "self_attn.k_norm.weight", [config["head_dim"]]
        for name, shape, bias in (("self_attn.q_proj", [q, hidden], qkv_bias), ("self_attn.k_proj", [kv, hidden], qkv_bias),
                                  ("self_attn.v_proj", [kv, hidden], qkv_bias), ("self_attn.o_proj", [hidden, q], o_bias),
                                  ("mlp.gate_proj", [inner, hidden], mlp_bias), ("mlp.up_proj", [inner, hidden], mlp_bias),
                                  ("mlp.down_proj", [hidden, inner], mlp_bias)):
            yield prefix + name + ".weight", shape
            if bias:
                yield prefix + name + ".bias", shape[:1]
    yield "model.norm.weight", [hidden]
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", [config["vocab_size"], hidden]


def write_safetensors(path, entries):
    header, place = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in entries:
        size = 2
        for dim in shape:
            size *= dim
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        # A hole of zeros: a model of any size takes no room.
        file.truncate(file.tell() + place)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--shards"]
    family, folder = arguments[:2]
    config = configuration(family)
    for setting in arguments[2:]:
        key, value = setting.split("=", 1)
        config[key] = json.loads(value)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=2)
    entries = list(tensors(family, config))
    if "--shards" not in sys.argv:
        write_safetensors(os.path.join(folder, "model.safetensors"), entries)
        return
    index = {}
    for number, part in enumerate((entries[::2], entries[1::2]), 1):
        name = f"model-{number:05}-of-00002.safetensors"
        write_safetensors(os.path.join(folder, name), part)
        index.update((entry[0], name) for entry in part)
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {}, "weight_map": index}, file, indent=2)


main()
