#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Compares two packages member by member, but for the names of values (debug.json): they are locations, which IR as text
leaves out. Exit code 1 with a sentence where they differ."""
import sys
import zipfile


def members(path):
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist() if name != "debug.json"}


first, second = (members(path) for path in sys.argv[1:3])
if list(first) != list(second):
    sys.exit(f"members differ: {list(first)} and {list(second)}")
for name, data in first.items():
    if data != second[name]:
        sys.exit(f"{name} differs")
