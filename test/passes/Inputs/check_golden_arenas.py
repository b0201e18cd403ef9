# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Plans all golden models and reads their remarks: usage: check_golden_arenas.py GOLDENS."""
import os
import re
import subprocess
import sys


def is_checkpoint(folder):
    """Whether transformers could load it: other goldens are no language models."""
    path = os.path.join(folder, "config.json")
    return os.path.exists(path) and "architectures" in open(path, encoding="utf-8").read()


models = sorted(name for name in os.listdir(sys.argv[1]) if is_checkpoint(os.path.join(sys.argv[1], name)))
arenas = 0
for model in models:
    for options in ([], ["--oracle"]):
        command = ["mjolnir-compile", os.path.join(sys.argv[1], model), "--target=host:x86-64-v3", "--batch=4",
                   "--compile-to=plan", "--remarks-filter=plan-memory", "-o", os.devnull, *options]
        remarks = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        found = re.findall(r"arena of @(\w+): (\d+) bytes for \d+ buffers, largest live set (\d+) bytes", remarks)
        assert found, remarks
        for entry, arena, live in found:
            assert int(live) <= int(arena) <= 1.10 * int(live), (model, entry, arena, live)
        arenas += len(found)
print(arenas, "arenas of", len(models), "models, none above 1.10 of its largest live set")
