# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Reads character vectors out of R's lazy-load data files (NAME.rdx with NAME.rdb), without R.

The layout is that of "R Internals", section 1.8 (serialization formats): the .rdx is a gzipped serialized list whose
`variables` give each object's offset and length in the .rdb; there each object is its unpacked size, four bytes,
and a zlib stream.  Only the node types that data made of text needs are known; any other raises ValueError.
"""

import struct
import zlib
from pathlib import Path

HAS_ATTRIBUTES, HAS_TAG, IS_LATIN1 = 0x200, 0x400, 1 << 14
SYMBOL, PAIRLIST, CHARS, LOGICALS, INTEGERS, DOUBLES, STRINGS, LIST = 1, 2, 9, 10, 13, 14, 16, 19
NIL, REFERENCE = 254, 255


class _Reader:
    def __init__(self, data):
        self.data, self.at, self.symbols = data, 0, []

    def bytes(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise ValueError("R data ends inside an object")
        self.at += count
        return self.data[self.at - count : self.at]

    def int(self):
        return struct.unpack(">i", self.bytes(4))[0]

    def object(self):
        flags = self.int()
        kind = flags & 0xFF
        if kind == NIL:
            return None
        if kind == REFERENCE:
            return self.symbols[(flags >> 8) - 1]
        if kind == SYMBOL:
            self.symbols.append(self.object())
            return self.symbols[-1]
        if kind == CHARS:
            length = self.int()
            if length == -1:  # NA
                return None
            return self.bytes(length).decode("latin-1" if flags & IS_LATIN1 else "utf-8")
        if kind == PAIRLIST:
            if flags & HAS_ATTRIBUTES:
                self.object()
            tag = self.object() if flags & HAS_TAG else None
            head = (tag, self.object())
            return [head] + (self.object() or [])
        count = self.int()
        if kind in (LOGICALS, INTEGERS):
            value = [self.int() for _ in range(count)]
        elif kind == DOUBLES:
            value = list(struct.unpack(f">{count}d", self.bytes(8 * count)))
        elif kind in (STRINGS, LIST):
            value = [self.object() for _ in range(count)]
        else:
            raise ValueError(f"R object of type {kind} is not read here")
        attributes = dict(self.object()) if flags & HAS_ATTRIBUTES else {}
        return dict(zip(attributes["names"], value)) if "names" in attributes else value


def _unserialize(data):
    reader = _Reader(data)
    if reader.bytes(2) != b"X\n":
        raise ValueError("not R's binary (XDR) serialization")
    version = reader.int()
    reader.bytes(8)  # the versions of R that wrote it and that can read it
    if version == 3:
        reader.bytes(reader.int())  # native encoding
    elif version != 2:
        raise ValueError(f"R serialization version {version} is not read here")
    return reader.object()


def load(stem):
    """The objects of STEM.rdx and STEM.rdb, by name."""
    index = _unserialize(zlib.decompress(Path(f"{stem}.rdx").read_bytes(), 47))
    pool = Path(f"{stem}.rdb").read_bytes()
    if index["compressed"] not in ([1], 1):
        raise ValueError(f"{stem}.rdb: only zlib compression is read here")
    return {
        name: _unserialize(zlib.decompress(pool[offset + 4 : offset + length]))
        for name, (offset, length) in index["variables"].items()
    }
