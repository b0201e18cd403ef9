# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks what scripts/count_tests.py makes of results of lit and ctest: check_count_tests.py COUNT_TESTS."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def count(folder, lit, litCode, ctest, ctestCode):
    """(exit code, lines) for lit's codes by test name and for ctest's <testcase> elements; None: no file."""
    files = {"lit": folder / "lit.json", "ctest": folder / "ctest.xml"}
    for file in files.values():
        file.unlink(missing_ok=True)
    if lit is not None:
        tests = [{"name": name, "code": code} for name, code in lit.items()]
        files["lit"].write_text(json.dumps({"tests": tests}))
    if ctest is not None:
        files["ctest"].write_text("<testsuite>" + "".join(ctest) + "</testsuite>")
    command = [sys.executable, sys.argv[1], "--lit", files["lit"], str(litCode), "--ctest", files["ctest"], str(ctestCode)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


def case(name, status, inside=""):
    return f'<testcase name="{name}" status="{status}">{inside}</testcase>'


def main():
    good, fine = {"a": "PASS", "b": "XFAIL"}, [case("c", "run"), case("d", "run")]
    skip = '<skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>'
    missing = '<skipped message="Unable to find executable"/>'
    expectations = (
        ("all pass", (good, 0, fine, 0), 0, ["4 passed, 0 failed"]),
        (
            "skipped",
            ({**good, "u": "UNSUPPORTED"}, 0, [*fine, case("s", "notrun", skip), case("o", "disabled")], 0),
            0,
            ["4 passed, 0 failed, 3 skipped"],
        ),
        (
            "lit's failures",
            ({**good, "f": "FAIL", "x": "XPASS", "t": "TIMEOUT", "n": "UNRESOLVED"}, 1, fine, 0),
            1,
            ["failed: f", "failed: x", "failed: t", "failed: n", "4 passed, 4 failed"],
        ),
        (
            "ctest's failures",
            (good, 0, [*fine, case("f", "fail"), case("m", "notrun", missing)], 8),
            1,
            ["failed: f", "failed: m", "4 passed, 2 failed"],
        ),
        ("nothing ran", ({"u": "UNSUPPORTED"}, 0, fine, 0), 1, ["failed: lit ran no test", "2 passed, 1 failed, 1 skipped"]),
        (
            "the tool failed",
            (good, 0, fine, 8),
            1,
            ["failed: ctest ended with exit code 8 although none of its tests failed", "4 passed, 1 failed"],
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments, code, lines in expectations:
            found = count(Path(folder), *arguments)
            if found != (code, lines):
                sys.exit(f"{name}: expected {(code, lines)}, found {found}")
        code, lines = count(Path(folder), good, 0, None, 0)
        if code != 1 or lines[1:] != ["failed: ctest ran no test", "2 passed, 1 failed"]:
            sys.exit(f"no results of ctest: {code} {lines}")


if __name__ == "__main__":
    main()
