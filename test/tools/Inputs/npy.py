# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Reads and writes .npy files without NumPy.

npy.py print FILE [FIRST [LAST]]          elements FIRST to LAST of the file, separated by commas
npy.py random FILE DTYPE SEED SIZE ...    numbers between -1 and 1; integers (i4) between 0 and 7
npy.py compare FILE OTHER TOLERANCE       fails if elements differ by more than TOLERANCE times the largest of OTHER
npy.py within FILE OTHER BOUND            fails if elements differ by BOUND or more
"""
import ast
import random
import struct
import sys

FORMATS = {"<f4": "f", "<i4": "i", "<i8": "q", "<u2": "H", "<f2": "e"}


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x93NUMPY\x01\x00", path
    length = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + length].decode())
    code = FORMATS[header["descr"]]
    values = struct.unpack(f"<{(len(data) - 10 - length) // struct.calcsize(code)}{code}", data[10 + length:])
    return header["shape"], values


def write(path, descr, shape, values):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
        file.write(struct.pack(f"<{len(values)}{FORMATS[descr]}", *values))


def main():
    command, path = sys.argv[1:3]
    if command == "print":
        values = read(path)[1]
        first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
        last = int(sys.argv[4]) if len(sys.argv) > 4 else len(values)
        print(",".join(str(value) for value in values[first:last]))
    elif command == "random":
        descr, seed, shape = sys.argv[3], int(sys.argv[4]), [int(size) for size in sys.argv[5:]]
        generator, count = random.Random(seed), 1
        for size in shape:
            count *= size
        write(path, descr, shape, [generator.randrange(8) if descr == "<i4" else generator.uniform(-1, 1)
                                   for _ in range(count)])
    elif command in ("compare", "within"):
        (shape, values), (other_shape, others) = read(path), read(sys.argv[3])
        assert shape == other_shape, (shape, other_shape)
        largest = max(abs(value) for value in others)
        # A NaN is larger than any bound.
        difference = max(abs(a - b) if a == a and b == b else float("inf") for a, b in zip(values, others))
        print(f"largest difference {difference / largest:.3g} of {largest:.3g}")
        bound = float(sys.argv[4])
        assert largest > 0 and (difference <= bound * largest if command == "compare" else difference < bound)


if __name__ == "__main__":
    main()
