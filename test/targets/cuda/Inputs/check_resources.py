# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks what the kernels of reports (--report=FILE.json) take: check_resources.py FILE.json...

No kernel spills, and each fits the profile. Prints a line a report, with the fewest and most threads that a multiprocessor
holds of a kernel.
"""
import json
import sys


def main():
    failed = False
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        profile, kernels = report["profile"], report["kernels"]
        resident = []
        for kernel in kernels:
            taken = kernel["resources"]
            blocks = taken["blocksPerProcessor"]
            resident.append(blocks * taken["threads"])
            # Registers are given out by warps in units of 256.
            registers = -(-taken["threads"] // 32) * -(-taken["registers"] * 32 // 256) * 256
            problems = [text for text, isTrue in (
                (f"spills {taken['spillBytes']} bytes", taken["spillBytes"] > 0),
                ("has blocks of more shared memory than there is", taken["sharedBytes"] > profile["sharedBytesPerBlock"]),
                ("does not fit", blocks < 1),
                ("fits once more", (blocks + 1) * taken["threads"] <= profile["threadsPerProcessor"]
                 and (blocks + 1) * registers <= profile["registersPerProcessor"]
                 and (blocks + 1) * taken["sharedBytes"] <= profile["sharedBytesPerProcessor"]),
                ("has more blocks at a time than registers", blocks * registers > profile["registersPerProcessor"]),
                ("has no registers", taken["registers"] < 1)) if isTrue]
            for problem in problems:
                print(f"{path}: {kernel['name']} of {profile['name']} {problem}")
                failed = True
        print(f"{profile['name']}: {len(kernels)} kernels, {min(resident)} to {max(resident)} threads resident")
    sys.exit(failed)


main()
