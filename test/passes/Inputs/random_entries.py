# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Prints entries with random buffers and launches: usage: random_entries.py COUNT."""
import random
import sys

random.seed(7)
print("exec.kernel @two schedule <\"host.rows\"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {")
print("^bb0(%x: tensor<1xf32>):\n  exec.return %x : tensor<1xf32>\n}")
for entry in range(int(sys.argv[1])):
    buffers = random.randint(2, 24)
    print(f"exec.entry @e{entry} inputs [] outputs [] {{")
    for index in range(buffers):
        size = random.choice([1, 4, 63, 64, 65, 100, 1000, random.randint(1, 9000)])
        print(f"  %b{index} = exec.arena_buffer {size}")
    for _ in range(random.randint(buffers, 3 * buffers)):
        first = random.randrange(buffers)
        second = min(buffers - 1, first + random.randint(0, 4))
        print(f"  exec.launch @two(%b{first}, %b{second})")
    print("}")
