# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""count_launches.py FILE ENTRY=MOST ...: prints the launches of entries of a planned program; fails if there are more."""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    entries = {part.split()[0].lstrip("@"): len(re.findall(r"\bexec\.(?:launch|library_call|copy)\b", part))
               for part in file.read().split("exec.entry ")[1:]}
for argument in sys.argv[2:]:
    name, most = argument.split("=")
    print(f"{name}: {entries[name]} launches")
    assert 0 < entries[name] <= int(most), f"more than {most}"
