# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
#
# Reads a package with Python's zipfile, and its weights by the rules of the safetensors format (with the safetensors
# package, too, where it is installed).
import json
import struct
import sys
import zipfile

SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I8": 1, "U8": 1, "I32": 4, "I64": 8, "U32": 4, "U64": 8, "BOOL": 1}


def main(path):
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        names = package.namelist()
        assert names == ["program.fb", "kernels.so", "notes.json", "weights.safetensors"], names
        for info in package.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
        weights = package.read("weights.safetensors")

    (header_bytes,) = struct.unpack("<Q", weights[:8])
    header = json.loads(weights[8 : 8 + header_bytes])
    metadata = header.pop("__metadata__")
    assert all(isinstance(value, str) for value in metadata.values())
    data = weights[8 + header_bytes :]
    end = 0
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, stop = tensor["data_offsets"]
        assert begin == end, f"a hole before {name}"
        elements = 1
        for extent in tensor["shape"]:
            elements *= extent
        assert stop - begin == elements * SIZES[tensor["dtype"]], name
        if not name.startswith("__"):
            assert begin % 64 == 0 and (8 + header_bytes) % 64 == 0, f"{name} is not aligned"
        end = stop
    assert end == len(data)

    try:
        import safetensors
    except ImportError:
        print("ok (without the safetensors package)")
        return
    tensors = dict(safetensors.deserialize(weights))
    assert bytes(tensors["odd"]["data"]) == b"odd"
    assert set(tensors) == set(header)
    print("ok")


main(sys.argv[1])
