# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Inputs that hold every number of a format, and outputs against the tables of test/numerics/e4m3.

e4m3.py bf16 FILE.npy ROWS COLUMNS         the 65,536 bf16 numbers in the order of their bits
e4m3.py codes FILE.npy ROWS COLUMNS        the 256 codes
e4m3.py equal FILE.npy TABLE               fails where codes differ from the table's
e4m3.py values FILE.npy TABLE              fails where f32 differ from the table's; any NaN is a NaN
"""
import ast
import math
import struct
import sys


def split(path):
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<H", data[8:10])[0]
    return ast.literal_eval(data[10:10 + length].decode()), data[10 + length:]


def write(path, descr, shape, data):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data)


def main():
    command, path = sys.argv[1:3]
    if command == "bf16":
        write(path, "<u2", map(int, sys.argv[3:]), struct.pack("<65536H", *range(65536)))
    elif command == "codes":
        write(path, "|u1", map(int, sys.argv[3:]), bytes(range(256)))
    else:
        with open(sys.argv[3], "rb") as file:
            expected = file.read()
        header, data = split(path)
        assert len(data) == len(expected), (header, len(data), len(expected))
        if command == "values":
            unpack = lambda raw: [("nan" if math.isnan(v) else v, math.copysign(1, v)) for (v,) in struct.iter_unpack("<f", raw)]
            data, expected = unpack(data), unpack(expected)
        different = [i for i in range(len(data)) if data[i] != expected[i]]
        assert not different, [(hex(i), data[i], expected[i]) for i in different[:10]]
        print(len(data), "equal")


main()
