# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Writes a folder with random tensors for entries that are no language model.

write_checkpoint.py FOLDER NAME:DTYPE:SIZExSIZE ...

DTYPE is F32, F16 or BF16; numbers lie between -1 and 1.
"""
import json
import os
import random
import struct
import sys


def encode(dtype, values):
    if dtype == "BF16":
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    return struct.pack(f"<{len(values)}{'f' if dtype == 'F32' else 'e'}", *values)


def main():
    generator, header, data = random.Random(3), {}, b""
    for argument in sys.argv[2:]:
        name, dtype, sizes = argument.split(":")
        shape, count = [int(size) for size in sizes.split("x")], 1
        for size in shape:
            count *= size
        content = encode(dtype, [generator.uniform(-1, 1) for _ in range(count)])
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    os.makedirs(sys.argv[1], exist_ok=True)
    text = json.dumps(header).encode()
    with open(os.path.join(sys.argv[1], "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    with open(os.path.join(sys.argv[1], "config.json"), "w") as file:
        file.write("{}")


main()
