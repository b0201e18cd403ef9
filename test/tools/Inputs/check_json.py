# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks that the parts of mjolnir-inspect --json fit together, and prints the entries: check_json.py FILE."""
import json
import sys

with open(sys.argv[1]) as file:
    package = json.load(file)
for key in ("format", "producer", "target", "language_model", "members", "images", "kernels", "weights", "kv_pools",
            "entries"):
    assert key in package, key
members = {member["name"]: member for member in package["members"]}
ends = 0
for member in package["members"]:
    assert member["offset"] % 4096 == 0 and member["offset"] >= ends, member
    ends = member["offset"] + member["bytes"]
assert set(package["images"]) <= set(members)
assert len({kernel["name"] for kernel in package["kernels"]}) == len(package["kernels"])
print(" ".join(entry["name"] for entry in package["entries"]))
