#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks that the code in the documents is the code in the tree.

A fenced block behind a line `<!-- from PATH -->` must stand in that file, line for line but for a common indentation; a
line of three dots alone leaves lines out.
"""
import argparse
import pathlib
import re
import sys
import textwrap

BLOCK = re.compile(r"^<!-- from (?P<path>\S+) -->\n```\S*\n(?P<text>.*?)^```$", re.S | re.M)


def normalize(lines):
    return [line.rstrip() for line in textwrap.dedent("\n".join(lines)).split("\n")]


def find(piece, source):
    """The first line of `source` from which on `piece` stands, or None."""
    for start in range(len(source) - len(piece) + 1):
        if normalize(source[start:start + len(piece)]) == piece:
            return start
    return None


def pieces_of(text):
    piece = []
    for line in text.rstrip("\n").split("\n"):
        if line.strip() == "...":
            yield piece
            piece = []
        else:
            piece.append(line)
    yield piece


def check(document, root):
    errors = []
    text = document.read_text()
    for block in BLOCK.finditer(text):
        line = text[:block.start()].count("\n") + 1
        path = root / block["path"]
        if not path.exists():
            errors.append(f"{document.name}:{line}: there is no {block['path']}")
            continue
        source = path.read_text().split("\n")
        for piece in pieces_of(block["text"]):
            if find(normalize(piece), source) is None:
                errors.append(f"{document.name}:{line}: not in {block['path']}:\n    " + "\n    ".join(piece))
    return errors, len(BLOCK.findall(text))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("documents", nargs="+", type=pathlib.Path)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()
    errors, blocks = [], 0
    for document in arguments.documents:
        found, count = check(document, arguments.root)
        errors += found
        blocks += count
    if blocks == 0:
        errors.append("no block names the file that it is from")
    print("\n".join(errors) if errors else f"{blocks} blocks are as their files have them")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
