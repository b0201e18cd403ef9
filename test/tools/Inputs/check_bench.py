# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks what mjolnir-bench printed. Times are whatever they are; how they belong together is not.

check_bench.py entries FILE NAME:TOKENS:SEQUENCES:CONTEXT...
check_bench.py kernels FILE INSPECT NAME      the kernels of one entry, against mjolnir-inspect --json
check_bench.py grows SHORT LONG BYTES         of the first entry: so much more is read
check_bench.py predictions FILE REPORT        beside the report of the same compile, whose prefill has the same context
check_bench.py pair FILE NAME...
"""
import json
import math
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def check_times(times, runs):
    assert times["runs"] == runs, times
    assert 0 < times["least"] <= times["p50"] <= times["p99"], times
    assert times["least"] <= times["median"] <= times["p99"], times


def check_moved(row, whole):
    """The fraction is the time at the bandwidth of the same run over the time taken; the rounded figures allow a percent."""
    reading, writing, seconds = row["read_bytes"], row["written_bytes"], row["microseconds"]["median"] * 1e-6
    assert reading > 0 and writing >= 0, row
    copied = min(reading, writing)
    rest = max(reading, writing) - copied
    least = 2 * copied / whole["copy_bytes_per_second"]
    least += rest / whole["read_bytes_per_second" if reading > writing else "copy_bytes_per_second"]
    assert math.isclose(row["fraction"], least / seconds, rel_tol=0.01, abs_tol=2e-4), row
    assert math.isclose(row["bytes_per_second"], (reading + writing) / seconds, rel_tol=0.01), row


def check_predictions(found, launches):
    """Kernels make up classes, and classes the whole; near is what is off by a quarter at most."""
    near = dict.fromkeys((kind["class"] for kind in found["classes"]), 0.0)
    assert sum(kernel["launches"] for kernel in found["kernels"]) == launches, found
    for kernel in found["kernels"]:
        # Rounded to a thousandth; ratios at the border may fall on either side.
        assert math.isclose(kernel["ratio"], kernel["predicted_microseconds"] / kernel["measured_microseconds"],
                            rel_tol=0.02, abs_tol=0.002), kernel
        if 0.75 <= kernel["ratio"] <= 1.25:
            near[kernel["class"]] += kernel["measured_microseconds"] * kernel["launches"]
    for side in ("predicted_microseconds", "measured_microseconds"):
        whole = sum(kernel[side] * kernel["launches"] for kernel in found["kernels"])
        assert math.isclose(found[side], whole, rel_tol=0.01), (side, found)
    for kind in found["classes"]:
        mine = [kernel for kernel in found["kernels"] if kernel["class"] == kind["class"]]
        assert kind["launches"] == sum(kernel["launches"] for kernel in mine)
        time = sum(kernel["launches"] * kernel["measured_microseconds"] for kernel in mine)
        assert math.isclose(kind["share"], time / found["measured_microseconds"], abs_tol=0.01), kind
        assert math.isclose(kind["near"], near[kind["class"]] / time, abs_tol=0.01), kind
    assert math.isclose(found["near"], sum(near.values()) / found["measured_microseconds"], abs_tol=0.01), found


def main():
    command, path, *rest = sys.argv[1:]
    whole = read(path)
    assert whole["copy_bytes_per_second"] > 1e8 and whole["read_bytes_per_second"] > 1e8, whole
    rows = whole["entries"]
    if command == "entries":
        assert [f"{row['entry']}:{row['tokens']}:{row['sequences']}:{row['context']}" for row in rows] == rest, rows
        for row in rows:
            check_times(row["microseconds"], 5)
            check_moved(row, whole)
            assert math.isclose(row["tokens_per_second"], row["tokens"] / row["microseconds"]["median"] * 1e6, rel_tol=0.01)
    elif command == "kernels":
        entry = next(entry for entry in read(rest[0])["entries"] if entry["name"] == rest[1])
        launches = {}
        for step in entry["steps"]:
            launches[step["kernel"]] = launches.get(step["kernel"], 0) + 1
        kernels = rows[0]["kernels"]
        assert {kernel["kernel"]: kernel["launches"] for kernel in kernels} == launches, (kernels, launches)
        for kernel in kernels:
            check_times(kernel["microseconds"], 5 * kernel["launches"])
            check_moved(kernel, whole)
        for side in ("read_bytes", "written_bytes"):
            total = sum(kernel[side] * kernel["launches"] for kernel in kernels)
            assert abs(total - rows[0][side]) <= sum(launches.values()), (total, rows[0][side])
    elif command == "grows":
        long = read(rest[0])["entries"][0]
        assert long["read_bytes"] - rows[0]["read_bytes"] == int(rest[1]), (long, rows[0])
        assert long["written_bytes"] == rows[0]["written_bytes"]
    elif command == "predictions":
        report = {entry["name"]: entry for entry in read(rest[0])["entries"]}
        assert [row["entry"] for row in rows] == list(report)
        for row in rows:
            check_predictions(row["predictions"], len(report[row["entry"]]["launches"]))
            if report[row["entry"]]["kind"] == "prefill":
                said = report[row["entry"]]["predictedSeconds"] * 1e6
                assert math.isclose(row["predictions"]["predicted_microseconds"], said, rel_tol=1e-3), (row, said)
    else:
        assert [row["entry"] for row in rows] == rest, rows
        for row in rows:
            check_times(row["microseconds"], 6)
            check_times(row["versus_microseconds"], 6)
            assert 0 < row["ratio"]["least"] <= row["ratio"]["median"] <= row["ratio"]["largest"], row


main()
