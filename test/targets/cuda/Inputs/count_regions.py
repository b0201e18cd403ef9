# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Counts the regions of each entry in IR of phase fusion or schedule, read from standard input.

Prints a line an entry: all regions, the fewest and most of a layer, and how many regions hold pointwise operations
alone. A region is of the layer that its weights are of (@l3.o_proj), or whose cache it attends to.
"""
import collections
import re
import sys

POINTWISE = re.compile(r"(?:= |^\s*)(?:arith\.(?!constant)|math\.|mj\.(?:broadcast|quantize|dequantize))")


def main():
    weights, layers, lone, regions, body = {}, collections.Counter(), 0, 0, None
    entry = None
    for line in sys.stdin:
        found = re.search(r"func\.func @(\w+)", line)
        if found:
            entry, weights, layers, lone, regions = found.group(1), {}, collections.Counter(), 0, 0
        elif entry and re.match(r"    return|  return", line):
            counts = layers.values()
            print(f"{entry}: {regions} regions, {min(counts)} to {max(counts)} a layer of {len(layers)}, "
                  f"{lone} with pointwise operations alone")
            entry = None
        found = re.match(r"\s*(%\w+) = mj\.get_weight @l(\d+)\.", line)
        if found:
            weights[found.group(1)] = int(found.group(2))
        if "mj.fusion(" in line:
            regions, body = regions + 1, []
            used = {weights[name] for name in re.findall(r" = (%\w+) :", line) if name in weights}
        elif body is not None and "mj.yield" in line:
            attended = re.search(r"mj\.attention %\w+, %\w+\[(\d+)\]", "".join(body))
            if attended:
                used.add(int(attended.group(1)))
            assert len(used) < 2, line
            layers.update(used)
            lone += all(POINTWISE.search(op) for op in body if "arith.constant" not in op)
            body = None
        elif body is not None:
            body.append(line)


main()
