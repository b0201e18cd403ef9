#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Takes the large random weights out of a package, and puts others in.

    weights.py strip PACKAGE.mjp BARE      what is left: all but the bytes of the large matrices, compressed
    weights.py fill BARE PACKAGE.mjp       the package again, its matrices seeded random values

A matrix of bf16 gets a normal distribution of standard deviation 0.02, one of FP8 (E4M3) a normal distribution of standard
deviation 100 of its codes' values; norms, tables and scales, which are small or in f32, stay as they are. Speed does not
depend on the values, as long as they are no zeros and nothing overflows.
"""
import concurrent.futures
import json
import lzma
import struct
import sys
import zipfile
import zlib

import numpy as np

MAGIC = b"mjolnir bare package 1\n"
SMALLEST = 1 << 18  # bytes of a tensor that is taken out
CHUNK = 1 << 24     # elements that are made at once


def _matrices(path):
    """(offset in the file, bytes, dtype) of what is taken out."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        if "weights.safetensors" not in archive.namelist():
            return []
        member = archive.getinfo("weights.safetensors")
        file.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        start = member.header_offset + 30 + name + extra
        file.seek(start)
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
    tensors = []
    for key, tensor in header.items():
        if key != "__metadata__" and tensor["dtype"] in ("BF16", "F8_E4M3") and len(tensor["shape"]) > 1:
            begin, end = tensor["data_offsets"]
            if end - begin >= SMALLEST:
                tensors.append((start + 8 + length + begin, end - begin, tensor["dtype"]))
    return sorted(tensors)


def strip(package, bare):
    matrices = _matrices(package)
    with open(package, "rb") as file, open(bare, "wb") as out:
        size = file.seek(0, 2)
        head = json.dumps({"bytes": size, "matrices": matrices}).encode()
        out.write(MAGIC + struct.pack("<Q", len(head)) + head)
        packer = lzma.LZMACompressor(preset=1)
        at = 0
        for offset, length, _ in matrices + [(size, 0, "")]:
            file.seek(at)
            out.write(packer.compress(file.read(offset - at)))
            at = offset + length
        out.write(packer.flush())


def _normal_quantiles():
    """65536 equally likely values of the normal distribution: the inverse of its integral by bisection."""
    at = np.linspace(-5, 5, 200001)
    density = np.exp(-at * at / 2)
    integral = np.cumsum(density)
    return np.interp((np.arange(65536) + 0.5) / 65536, integral / integral[-1], at).astype(np.float32)


def _codes(dtype):
    """What 16 random bits become: the codes of random numbers in `dtype`."""
    values = _normal_quantiles()
    if dtype == "BF16":
        bits = (values * np.float32(0.02)).view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    code = np.arange(127)  # the positive numbers of E4M3: 3 bits of mantissa, bias 7, subnormals in steps of 2^-9
    exponent, mantissa = code >> 3, code & 7
    numbers = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0**(exponent - 10.0))
    nearest = np.searchsorted((numbers[1:] + numbers[:-1]) / 2, np.abs(values * 100))
    return (nearest | np.where(values < 0, 128, 0)).astype(np.uint8)


def fill(bare, package, seed=0, threads=8):
    with open(bare, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError(f"{bare} is no package without weights")
        head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        rest = lzma.decompress(file.read())
    with open(package, "wb") as out:
        out.truncate(head["bytes"])
    target = np.memmap(package, np.uint8, "r+")
    at = taken = 0
    for offset, length, _ in head["matrices"] + [(head["bytes"], 0, "")]:
        target[at:offset] = np.frombuffer(rest, np.uint8, offset - at, taken)
        taken, at = taken + offset - at, offset + length
    codes = {dtype: _codes(dtype) for _, _, dtype in head["matrices"]}

    def make(job):
        number, (offset, length, dtype) = job
        table, generator = codes[dtype], np.random.default_rng([seed, number])
        elements = target[offset:offset + length].view(table.dtype)
        for first in range(0, elements.size, CHUNK):
            part = elements[first:first + CHUNK]
            np.take(table, np.frombuffer(generator.bytes(2 * part.size), np.uint16), out=part, mode="clip")

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        list(pool.map(make, enumerate(head["matrices"])))
    target.flush()
    if head["matrices"]:
        _mend_checksum(package)


def _mend_checksum(path):
    """Makes the archive's directory tell the checksum of the weights that it now holds."""
    with zipfile.ZipFile(path) as archive:
        member, directory = archive.getinfo("weights.safetensors"), archive.start_dir
        names = [info.filename for info in archive.infolist()]
    data = np.memmap(path, np.uint8, "r+")
    at = member.header_offset
    name, extra = struct.unpack("<HH", data[at + 26:at + 30].tobytes())
    start, checksum = at + 30 + name + extra, 0
    for first in range(start, start + member.file_size, 1 << 26):
        checksum = zlib.crc32(data[first:min(first + (1 << 26), start + member.file_size)], checksum)
    field = np.frombuffer(struct.pack("<I", checksum), np.uint8)
    data[at + 14:at + 18] = field
    for entry in names:
        length = [int(n) for n in struct.unpack("<HHH", data[directory + 28:directory + 34].tobytes())]
        if entry == "weights.safetensors":
            data[directory + 16:directory + 20] = field
        directory += 46 + sum(length)
    data.flush()


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("strip", "fill"):
        sys.exit(__doc__)
    {"strip": strip, "fill": fill}[sys.argv[1]](sys.argv[2], sys.argv[3])
