# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Counts the images of a package and of a portable one, and looks at the PTX."""
import sys
import zipfile

plain, portable = ({name: file.read(name) for name in file.namelist() if name.startswith(("kernels/", "runtime/"))}
                   for file in map(zipfile.ZipFile, sys.argv[1:]))
for images in (plain, portable):
    print(sum(name.endswith(".cubin") for name in images), "cubins,", sum(name.endswith(".ptx") for name in images), "PTX")
texts = [data for name, data in portable.items() if name.endswith(".ptx")]
print(".target sm_90, one entry each" if all(
    b".target sm_90\n" in text and text.count(b".entry ") == 1 for text in texts) else "other PTX")
