# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Makes the tables that E4M3 conversions are compared with, from two other implementations that must agree.

    pip install torch==2.11.0 ml_dtypes==0.6.0 numpy==2.4.6
    python make_tables.py            # writes the tables beside itself; --check compares instead

  by1.bin, by7.bin   65,536 bytes each: byte i is the code of f32(bf16 with bits i) * m, m = 1 and 7, the product in f32
                     (exact: 8 bits of significand times 3), infinity where it overflows.
  codes.f32          256 f32: the value of each code.

Neither library saturates: the conversion to float8_e4m3fn makes what rounds beyond 448 a NaN in both. So the product is
clamped to [-448, 448] first, which keeps NaN; between 448 and 464, where rounding alone would give 448 as well, that
changes nothing. Then both round to nearest even, and both keep the sign of a NaN and of a zero.
"""
import json
import pathlib
import sys

import ml_dtypes
import numpy
import torch

folder = pathlib.Path(__file__).parent


def by_torch(multiplier):
    bits = torch.arange(65536, dtype=torch.int32).to(torch.uint16)
    product = bits.view(torch.bfloat16).float() * multiplier
    return product.clamp(-448, 448).to(torch.float8_e4m3fn).view(torch.uint8).numpy()


def by_ml_dtypes(multiplier):
    wide = numpy.arange(65536, dtype=numpy.uint16).view(ml_dtypes.bfloat16).astype(numpy.float32)
    with numpy.errstate(over="ignore", invalid="ignore"):
        product = wide * numpy.float32(multiplier)
    return numpy.clip(product, -448, 448).astype(ml_dtypes.float8_e4m3fn).view(numpy.uint8)


def put(name, data):
    path = folder / name
    if "--check" in sys.argv:
        assert path.read_bytes() == data, name
    else:
        path.write_bytes(data)


for multiplier in (1, 7):
    ours, theirs = by_torch(multiplier), by_ml_dtypes(multiplier)
    different = numpy.flatnonzero(ours != theirs)
    assert different.size == 0, [(hex(i), hex(ours[i]), hex(theirs[i])) for i in different[:10]]
    put(f"by{multiplier}.bin", ours.tobytes())

codes = numpy.arange(256, dtype=numpy.uint8)
values = torch.from_numpy(codes).view(torch.float8_e4m3fn).float().numpy()
assert numpy.array_equal(values, codes.view(ml_dtypes.float8_e4m3fn).astype(numpy.float32), equal_nan=True)
put("codes.f32", values.astype("<f4").tobytes())

versions = {"python": sys.version.split()[0], "torch": torch.__version__, "ml_dtypes": ml_dtypes.__version__,
            "numpy": numpy.__version__}
if "--check" not in sys.argv:
    (folder / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
print(versions)
