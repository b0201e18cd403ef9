# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Puts .npy files into an .npz file as numpy.savez or numpy.savez_compressed does: npz.py stored|compressed FILE NAME=NPY ..."""
import sys
import zipfile

method = zipfile.ZIP_STORED if sys.argv[1] == "stored" else zipfile.ZIP_DEFLATED
with zipfile.ZipFile(sys.argv[2], "w", method) as archive:
    for argument in sys.argv[3:]:
        name, path = argument.split("=", 1)
        archive.write(path, name + ".npy")
