# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""check_predictions.py H200 PRO: predictions of reports of one model for two chips, against arithmetic by hand.

The model has a hidden size of 64, 4 query and 2 key heads of 32 and a vocabulary of 160; the H200's constants are those that
docs/report.md describes, written down here once more.
"""
import json
import math
import re
import sys

COPY = 4.27e12
LAUNCH = 0.5e-6


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def near(value, wanted, what):
    assert math.isclose(value, wanted, rel_tol=1e-3), (what, value, wanted)


def memory(launch):
    """Read and write bandwidth are the same on this chip."""
    cost = launch["cost"]
    read_bytes, written = cost["bytesRead"], cost["bytesWritten"]
    return (read_bytes + written) / COPY


def parameters(kernel):
    return {key: int(value) for key, value in re.findall(r"(\w+) = (\d+) : i64", kernel["ir"].split("}")[0])}


def check_entry(report, entry):
    seen = set()
    for launch in entry["launches"]:
        kernel = report["kernels"][launch["kernel"]]
        p, latency = parameters(kernel), launch["latencySeconds"]
        near(launch["predictedSeconds"], LAUNCH + latency + max(launch["memorySeconds"], launch["computeSeconds"]), kernel["name"])
        if kernel["schedule"] == "cuda.sample":
            near(latency, 7.5e-6, "sample")
            near(launch["memorySeconds"], memory(launch), "sample")
        elif kernel["schedule"] == "cuda.decode_attention":
            # Two norms of heads; as many blocks as there are, of 132 multiprocessors, and eight warps take what two do.
            blocks = entry["tokens"] * 2 * p["splits"]
            near(latency, 3.4e-6 + 2 * 0.5e-6, "decode attention")
            near(launch["memorySeconds"], memory(launch) / min(1, blocks / 132 * max(p["threads"] / 128, 1)), "decode attention")
        elif kernel["schedule"] == "cuda.gather":
            near(latency, 1.6e-6, "gather")
        elif kernel["schedule"] == "cuda.small_matmul" and p["stages"] > 0 and p["splits"] == 1:
            shapes = re.findall(r"mj\.matmul .*?: tensor<(\d+)x(\d+)x\w+>, tensor<(\d+)x", kernel["ir"])
            rows, k = int(shapes[0][0]), int(shapes[0][1])
            widest = 2 if kernel["ops"].count("mj.matmul") == 2 else 1  # gate and up; q, k and v are three sets of one
            groups, warps = math.ceil(p["columns"] / p["group_columns"]), p["threads"] // 32
            rounds = math.ceil(groups * p["slices"] / warps)
            products = (groups * p["slices"] / warps * (k / p["slices"] / 16) * math.ceil(rows / 8)
                        * p["group_columns"] * widest / 16 * 16e-9)
            near(latency, 0.8e-6 + (1.6e-6 if rows > 1 else 0) + rows * k * 2 * 16e-12 + products / rounds, kernel["name"])
        else:
            continue
        seen.add(kernel["schedule"])
    return seen


def main():
    h200, pro = read(sys.argv[1]), read(sys.argv[2])
    seen = set()
    for entry in h200["entries"]:
        seen |= check_entry(h200, entry)
    assert seen == {"cuda.sample", "cuda.decode_attention", "cuda.gather", "cuda.small_matmul"}, seen
    # 1.98 GHz there, 2.62 here.
    for report, latency in ((h200, 7.5e-6), (pro, 7.5e-6 * 1.98 / 2.62)):
        sample = [launch["latencySeconds"] for launch in report["entries"][0]["launches"]
                  if report["kernels"][launch["kernel"]]["schedule"] == "cuda.sample"]
        assert len(sample) == 1
        near(sample[0], latency, "another clock")


main()
