#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Adds up what lit (--output) and ctest (--output-junit) wrote: count_tests.py --lit FILE CODE --ctest FILE CODE.

CODE is the exit code of the tool.  Names the tests that failed, then prints `N passed, N failed[, N skipped]` as the last
line.  A tool that ran no test, or that failed although its tests did not, counts as one failed test.  Exit code 1 unless
nothing failed.
"""

import argparse
import json
import sys
import xml.etree.ElementTree as ElementTree

LIT_PASSED = {"PASS", "FLAKYPASS", "XFAIL"}
LIT_SKIPPED = {"SKIPPED", "UNSUPPORTED", "EXCLUDED"}


def litResults(path):
    """Pairs of (name, outcome); whatever is neither passed nor skipped has failed."""
    with open(path) as file:
        tests = json.load(file)["tests"]
    for test in tests:
        code = test["code"]
        yield test["name"], "passed" if code in LIT_PASSED else "skipped" if code in LIT_SKIPPED else "failed"


def ctestOutcome(case):
    if case.get("status") == "run":
        return "passed"
    # A test whose program is missing was not run either, but that is no skip: a skip was asked for by the test.
    skipped = case.find("skipped")
    asked = skipped is not None and skipped.get("message", "").startswith("SKIP_")
    return "skipped" if asked or case.get("status") == "disabled" else "failed"


def ctestResults(path):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        yield case.get("name"), ctestOutcome(case)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lit", nargs=2, required=True, metavar=("FILE", "CODE"))
    parser.add_argument("--ctest", nargs=2, required=True, metavar=("FILE", "CODE"))
    arguments = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for tool, (path, code), read in (
        ("lit", arguments.lit, litResults),
        ("ctest", arguments.ctest, ctestResults),
    ):
        try:
            results = list(read(path))
        except (OSError, ValueError, KeyError, ElementTree.ParseError) as error:
            print(f"{tool} left no results: {error}")
            results = []
        failed = [name for name, outcome in results if outcome == "failed"]
        for name in failed:
            print(f"failed: {name}")
        if not any(outcome != "skipped" for _, outcome in results):
            print(f"failed: {tool} ran no test")
            counts["failed"] += 1
        elif int(code) and not failed:
            print(f"failed: {tool} ended with exit code {code} although none of its tests failed")
            counts["failed"] += 1
        for _, outcome in results:
            counts[outcome] += 1
    line = f"{counts['passed']} passed, {counts['failed']} failed"
    print(line + (f", {counts['skipped']} skipped" if counts["skipped"] else ""))
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
