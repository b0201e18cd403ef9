# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks what mjolnir-verify says about FP8 against numbers that are computed here.

calibration.py tokens GOLDEN OUT.npy                     the last prompt of a golden model
calibration.py first-layer FILE GOLDEN TOKENS.npy        the rows of the first layer's projections: embeddings, normed
calibration.py scaled FILE OTHER PATTERN=FACTOR ...      numbers of OTHER are those of FILE, some times a power of two
calibration.py perplexity REPORT GOLDEN                  the oracle's perplexity is that of transformers' logits
calibration.py ranked REPORT NAME ...                    these come first, in any order, three times beyond the next
calibration.py same-errors REPORT OTHER                  every group makes the same error, to the bit
calibration.py saturated REPORT X.npy FACTOR VALUE       as many codes are the largest as numbers of X times FACTOR make
"""
import fnmatch
import json
import math
import os
import struct
import sys

from npy import read, write


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def prompt(golden):
    (count, longest), tokens = read(os.path.join(golden, "tokens.npy"))
    length = read(os.path.join(golden, "lengths.npy"))[1][-1]
    return tokens[(count - 1) * longest:][:length]


def tensor(golden, name):
    """A bf16 tensor as rows of floats."""
    with open(os.path.join(golden, "model.safetensors"), "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8:8 + length])[name]
    assert entry["dtype"] == "BF16"
    begin, end = (8 + length + offset for offset in entry["data_offsets"])
    columns = entry["shape"][-1]
    values = [struct.unpack("<f", b"\0\0" + data[place:place + 2])[0] for place in range(begin, end, 2)]
    return [values[row:row + columns] for row in range(0, len(values), columns)]


def check_first_layer(path, golden, tokens):
    activations = load(path)["activations"]
    eps = load(os.path.join(golden, "config.json"))["rms_norm_eps"]
    table, weight = tensor(golden, "model.embed_tokens.weight"), tensor(golden, "model.layers.0.input_layernorm.weight")[0]
    amax = 0
    for token in read(tokens)[1]:
        row = table[token]
        root = math.sqrt(sum(x * x for x in row) / len(row) + eps)
        amax = max(amax, max(abs(x / root * w) for x, w in zip(row, weight)))
    for name in ("l0.q_proj", "l0.k_proj", "l0.v_proj"):
        assert abs(activations[name] / amax - 1) < 1e-6, (name, activations[name], amax)


def numbers(calibration):
    yield from calibration["activations"].items()
    for layer, entry in enumerate(calibration["kv"]):
        for which, heads in entry.items():
            for head, amax in enumerate(heads):
                yield f"kv.{layer}.{which}.{head}", amax


def check_scaled(path, other, *factors):
    base, scaled = dict(numbers(load(path))), dict(numbers(load(other)))
    assert base.keys() == scaled.keys()
    patterns = dict(factor.split("=") for factor in factors)
    for name, amax in base.items():
        factor = next((float(value) for pattern, value in patterns.items() if fnmatch.fnmatch(name, pattern)), 1.0)
        assert scaled[name] == amax * factor, (name, scaled[name], amax, factor)
    assert all(any(fnmatch.fnmatch(name, pattern) for name in base) for pattern in patterns)


def check_perplexity(path, golden):
    report = load(path)
    tokens = prompt(golden)
    shape, logits = read(os.path.join(golden, "logits_f32.npy"))
    vocabulary = shape[-1]
    assert shape[0] == len(tokens)
    loss = 0
    for i, token in enumerate(tokens[1:]):
        row = logits[i * vocabulary:(i + 1) * vocabulary]
        loss += math.log(sum(math.exp(x - max(row)) for x in row)) + max(row) - row[token]
    expected = math.exp(loss / (len(tokens) - 1))
    assert report["predicted_tokens"] == len(tokens) - 1
    assert abs(report["perplexity"] / expected - 1) < 1e-4, (report["perplexity"], expected)


def check_ranked(path, *names):
    groups = load(path)["groups"]
    first, rest = groups[:len(names)], groups[len(names):]
    assert {group["name"] for group in first} == set(names), groups
    assert rest and min(group["error"] for group in first) > 3 * rest[0]["error"], groups


def check_same_errors(path, other):
    errors = [{group["name"]: group["error"] for group in load(file)["groups"]} for file in (path, other)]
    assert errors[0] == errors[1] and len(errors[0]) > 2, errors


def check_saturated(path, x, factor, name):
    # Numbers from the middle of the last two codes, 416 and 448, on: a tie goes to the even one, 448.
    single = lambda value: struct.unpack("<f", struct.pack("<f", value))[0]
    values = read(x)[1]
    expected = sum(abs(single(value * float(factor))) >= 432 for value in values)
    assert 0 < expected < len(values)
    row = next(value for value in load(path)["values"] if value["value"] == name)
    assert (row["codes"], row["saturated"]) == (len(values), expected), (row, expected)


def main():
    command, *arguments = sys.argv[1:]
    if command == "tokens":
        tokens = prompt(arguments[0])
        write(arguments[1], "<i4", [len(tokens)], tokens)
        return
    {"first-layer": check_first_layer, "scaled": check_scaled, "perplexity": check_perplexity, "ranked": check_ranked,
     "same-errors": check_same_errors, "saturated": check_saturated}[command](*arguments)


if __name__ == "__main__":
    main()
