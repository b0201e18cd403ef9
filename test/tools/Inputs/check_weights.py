# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""check_weights.py FOLDER: h.npy, s.npy and c.npy of merged-weights.test against the checkpoint in FOLDER/weights."""
import importlib.util
import json
import os
import struct
import sys

sys.argv, folder = ["npy.py", "print", os.path.join(sys.argv[1], "h.npy")], sys.argv[1]
spec = importlib.util.spec_from_file_location("npy", os.path.join(os.path.dirname(os.path.abspath(__file__)), "npy.py"))
npy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(npy)


def half(value):
    return struct.unpack("<e", struct.pack("<e", value))[0]


def bf16(value):
    """To nearest even; value is an f32, or a product of two bf16, which f64 holds exactly."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return struct.unpack("<f", struct.pack("<I", (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000))[0]


with open(os.path.join(folder, "weights", "model.safetensors"), "rb") as file:
    data = file.read()
length = struct.unpack("<Q", data[:8])[0]
header, data = json.loads(data[8:8 + length]), data[8 + length:]
halves = struct.unpack("<6e", data[slice(*header["h"]["data_offsets"])])
narrow = struct.unpack("<48H", data[slice(*header["s"]["data_offsets"])])
table = [struct.unpack("<f", struct.pack("<I", bits << 16))[0] for bits in narrow]
part = [table[row * 8 + column] for row in (1, 3, 5) for column in (0, 2, 4, 6)]
expected = {"h": [half(value * half(0.3333)) for value in halves], "s": [bf16(value * bf16(0.1)) for value in part],
            "c": part + [table[row * 8 + column] for row in range(6) for column in range(3, 7)]}
for name, values in expected.items():
    assert list(npy.read(os.path.join(folder, name + ".npy"))[1]) == values, name
