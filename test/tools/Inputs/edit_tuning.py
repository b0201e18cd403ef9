# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Tuning tables for tests.

edit_tuning.py forget TABLE N             takes the last N comparisons out
edit_tuning.py again LOG TABLE N          all but N comparisons of a log were known, and the table holds each once
edit_tuning.py swap PACKAGE OLD NEW       another entry, whose name is as long, takes a candidate's place in the package
edit_tuning.py choose TABLE OUT WHAT      a table whose only row is the first schedule that was measured for a region
"""
import json
import struct
import sys
import zipfile
import zlib


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    command, path, *rest = sys.argv[1:]
    if command == "forget":
        table = read(path)
        del table["measured"][-int(rest[0]):]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(table, file)
    elif command == "again":
        with open(path, encoding="utf-8") as file:
            lines = [line for line in file if line.split()[0].split("/")[-1].isdigit() and "/" in line.split()[0]]
        known = sum("known: " in line for line in lines)
        measured = [(row["region"], row["schedule"]) for row in read(rest[0])["measured"]]
        assert known == len(lines) - int(rest[1]), (known, lines)
        assert len(measured) == len(set(measured)) == len(lines), (measured, lines)
    elif command == "swap":
        with zipfile.ZipFile(path) as archive:
            text = archive.read("tuning.json")
        old, new = (json.dumps(name).encode() for name in rest)
        assert text.count(old) == 1 and len(old) == len(new), text
        changed = text.replace(old, new)
        with open(path, "rb") as file:
            data = file.read()
        checksums = [struct.pack("<I", zlib.crc32(part)) for part in (text, changed)]
        assert data.count(text) == 1 and data.count(checksums[0]) == 2, "in the member's header and in the directory"
        with open(path, "wb") as file:
            file.write(data.replace(text, changed).replace(*checksums))
    else:
        out, what = rest
        row = next(row for row in read(path)["measured"] if row["what"].endswith(what))
        with open(out, "w", encoding="utf-8") as file:
            json.dump({"version": 1, "measured": [],
                       "rows": [{key: row[key] for key in ("target", "region", "schedule")}
                                | {"before_us": 9.0, "after_us": 8.0}]}, file)


main()
