# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks what mjolnir-verify --json wrote.

check_verify.py FILE all-zero ENTRY VALUE ...        no error anywhere, and these values are among what was compared
check_verify.py FILE first-failed ENTRY PREFIX       the first value that failed, and nothing before it did
"""
import json
import sys

with open(sys.argv[1]) as file:
    report = json.load(file)
values = sorted(report["values"], key=lambda value: value["order"])
assert [value["error"] for value in report["values"]] == sorted((value["error"] for value in values), reverse=True)
if sys.argv[2] == "all-zero":
    assert report["passed"] and all(value["error"] == 0 for value in values)
    names = {value["value"] for value in values if value["entry"] == sys.argv[3]}
    assert set(sys.argv[4:]) <= names, names
    assert len(values) > 20 and report["without_counterpart"] == 0
else:
    assert not report["passed"]
    first = next(value for value in values if value["failed"])
    assert report["first_failed"] == first["entry"] + " " + first["value"]
    assert first["entry"] == sys.argv[3] and first["value"].startswith(sys.argv[4]), first
    # Errors of bf16 only before it, and there is something before it.
    before = [value for value in values if value["order"] < first["order"]]
    assert before and all(value["error"] < 0.02 for value in before), before
    assert first["error"] > 0.1, first
