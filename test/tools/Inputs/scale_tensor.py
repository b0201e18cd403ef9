# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Copies a checkpoint with one bf16 tensor multiplied: scale_tensor.py FOLDER COPY TENSOR FACTOR."""
import json
import os
import shutil
import struct
import sys

source, copy, name, factor = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
os.makedirs(copy)
shutil.copy(os.path.join(source, "config.json"), copy)
with open(os.path.join(source, "model.safetensors"), "rb") as file:
    data = bytearray(file.read())
length = struct.unpack("<Q", data[:8])[0]
tensor = json.loads(data[8:8 + length])[name]
assert tensor["dtype"] == "BF16", tensor
for place in range(*(8 + length + offset for offset in tensor["data_offsets"]), 2):
    value = struct.unpack("<f", b"\0\0" + data[place:place + 2])[0]
    data[place:place + 2] = struct.pack("<f", value * factor)[2:]
with open(os.path.join(copy, "model.safetensors"), "wb") as file:
    file.write(data)
