# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks planned entries on its own: usage: check_plans.py PLANNED.mlir REMARKS."""
import re
import sys

plans, arena, buffers, launches = {}, 0, {}, []
for line in open(sys.argv[1]):
    if match := re.search(r"exec.entry @(\w+) arena (\d+)", line):
        buffers, launches = {}, []
        plans[match[1]] = (int(match[2]), buffers, launches)
    elif match := re.search(r"(%\w+) = exec.arena_buffer (\d+) at (\d+)", line):
        buffers[match[1]] = (int(match[2]), int(match[3]))
    elif match := re.search(r"exec.launch @two\((%\w+), (%\w+)\)", line):
        launches.append({match[1], match[2]})

remarks = open(sys.argv[2]).read()
largest = dict(re.findall(r"arena of @(\w+): \d+ bytes for \d+ buffers, largest live set (\d+) bytes", remarks))
for name, (arena, buffers, launches) in plans.items():
    lives = {}
    for step, used in enumerate(launches):
        for buffer in used:
            first, _ = lives.get(buffer, (step, step))
            lives[buffer] = (first, step)
    assert set(lives) == set(buffers), name
    end = 0
    for a, (size, begin) in buffers.items():
        assert begin % 64 == 0, (name, a)
        end = max(end, begin + (size + 63) // 64 * 64)
        for b, (other, place) in buffers.items():
            together = lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]
            assert a == b or not together or begin + size <= place or place + other <= begin, (name, a, b)
    live = max(sum((buffers[b][0] + 63) // 64 * 64 for b in buffers if lives[b][0] <= step <= lives[b][1])
               for step in range(len(launches)))
    assert end == arena, name
    assert live == int(largest[name]) <= arena <= 1.10 * live, (name, arena, live)
print(len(plans), "plans are sound, none above 1.10 of its largest live set")
