# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks scheduled entries pair by pair: usage: check_schedules.py SCHEDULED.mlir."""
import re
import sys

entries, steps, buffers = 0, [], {}


def touched(step):
    (read, written, _) = step
    return [(buffers[read], False), (buffers[written], True)]


def conflict(first, second):
    return any((w or x) and a < d and c < b
               for (a, b), w in touched(first) for (c, d), x in touched(second))


def check():
    before = []
    for index, step in enumerate(steps):
        reached = set()
        for earlier in step[2]:
            reached |= {earlier} | before[earlier]
        before.append(reached)
        for earlier in range(index):
            assert not conflict(steps[earlier], step) or earlier in reached, (index, earlier, "race")
        for earlier in step[2]:
            assert conflict(steps[earlier], step), (index, earlier, "no reason to wait")
            others = [other for other in step[2] if other != earlier]
            assert not any(earlier in before[other] for other in others), (index, earlier, "follows")


for line in open(sys.argv[1]):
    if re.search(r"exec.entry @", line):
        steps, buffers = [], {}
        entries += 1
    elif match := re.search(r"(%\w+) = exec.arena_buffer (\d+) at (\d+)", line):
        buffers[match[1]] = (int(match[3]), int(match[3]) + int(match[2]))
    elif match := re.search(r"exec.launch @two\((%\w+), (%\w+)\) after \[([\d, ]*)\]", line):
        steps.append((match[1], match[2], [int(number) for number in match[3].split(",") if number.strip()]))
    elif line.strip() == "}" and steps:
        check()
        steps = []
print(entries, "schedules are sound and as short as can be")
