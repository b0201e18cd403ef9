# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
#
# Runs mjolnir-inspect on the golden package: check_inspect.py PACKAGE MJOLNIR_INSPECT, an emulator before it
# where it is for another machine
import json
import os
import subprocess
import sys
import tempfile

package, *inspect = sys.argv[1:]


def run(*arguments):
    result = subprocess.run([*inspect, *arguments], capture_output=True, text=True)
    return result.returncode, result.stdout, result.stderr


code, out, err = run("--json", package)
assert (code, err) == (0, ""), err
report = json.loads(out)
assert report["format"] == {"major": 1, "minor": 0}
assert report["target"]["triple"] == "x86_64-unknown-linux-gnu"
assert [member["name"] for member in report["members"]] == [
    "program.fb", "kernels.so", "notes.json", "weights.safetensors"]
assert [kernel["name"] for kernel in report["kernels"]] == ["add", "scale", "count", "stack", "append", "sum"]
affine, step = report["entries"][0], report["entries"][3]
assert affine["inputs"][0] == {"name": "a", "dtype": "f32", "shape": [4, 64]}
assert affine["steps"][1] == {
    "kind": "launch", "kernel": "scale", "tiles": 4,
    "operands": [{"space": "output", "index": 0, "offset": 0, "bytes": 1024},
                 {"space": "arena", "index": 0, "offset": 1024, "bytes": 1024},
                 {"space": "weight", "index": 0, "offset": 0, "bytes": 256}]}
assert affine["steps"][2]["kind"] == "copy"
assert (step["kind"], step["tokens"], step["sequences"], step["pages_per_sequence"]) == ("ragged", 8, 2, 4)
assert report["kv_pools"][0]["bytes_per_page"] == 256
assert report["weights"]["tensors"][2] == {
    "name": "packed", "dtype": "bf16", "shape": [8, 8], "encoding": "rows of 12, zero filled", "offset": 320,
    "bytes": 192}

code, out, err = run("--steps", "affine", "--check", package)
assert (code, err) == (0, ""), err
for line in ("entry step: ragged, up to 8 tokens of 2 sequences, 4 pages a sequence",
             "    1: scale x 4 (output y[0, +1024], arena[1024, +1024], weight w[0, +256])",
             "    2: copy arena[1024, +1024] -> output sum[0, +1024]",
             "  kv  f32[1 layers, 2, 1 heads, 4 tokens, 8]  256 B a page  64 B a token",
             "  packed  bf16[8,8]  192 B  at 320  rows of 12, zero filled"):
    assert line in out.splitlines(), out

code, out, err = run(package, "--steps", "nothing")
assert (code, out) == (1, "") and "has no entry 'nothing'" in err, err
code, out, err = run("/nowhere/model.mjp")
assert (code, out) == (1, "") and "No such file" in err, err
code, out, err = run()
assert (code, out) == (2, ""), (code, out)
code, out, err = run("--help")
assert code == 0 and "Exit code" in out

# Damaged weights are found when asked for, since loading does not read them.
with open(package, "rb") as file:
    data = bytearray(file.read())
weights = report["members"][3]
data[weights["offset"] + weights["bytes"] - 1] ^= 1
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "damaged.mjp")
    with open(path, "wb") as file:
        file.write(data)
    assert run(path)[0] == 0
    code, out, err = run("--check", path)
    assert code == 1 and "member 'weights.safetensors' is damaged" in err, err
print("ok")
