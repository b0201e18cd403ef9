# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Looks at the files of a kernel cache: kernel_cache.py count|damage|forge FOLDER.

count: how many there are, and of how many the digest is wrong. damage: changes each in one of three ways. forge: makes each
say that its kernel has 3 registers, with a digest that is right.
"""
import hashlib
import os
import sys

HEAD = b"mjolnir kernel 1\n"


def main():
    command, folder = sys.argv[1:]
    damaged = 0
    names = sorted(name for name in os.listdir(folder) if name.startswith("llvmcache-"))
    for number, name in enumerate(names):
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            content = file.read()
        digest, rest = content[len(HEAD):len(HEAD) + 32], content[len(HEAD) + 32:]
        damaged += not content.startswith(HEAD) or hashlib.sha256(rest).digest() != digest
        middle = len(content) // 2
        if command == "damage":
            content = [content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:], content[:middle],
                       b""][number % 3]
        elif command == "forge":
            rest = (3).to_bytes(8, "little") + rest[8:]
            content = HEAD + hashlib.sha256(rest).digest() + rest
        with open(path, "wb") as file:
            file.write(content)
    if command == "count":
        print(f"{len(names)} entries, {damaged} damaged")


main()
