# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""run_fastwam.py GOLDEN FOLDER PACKAGE=BOUND ...: runs both entries of FOLDER/PACKAGE.mjp on the inputs of GOLDEN and compares
with what PyTorch computed in f32. Bounds are relative to the largest element, of bf16 absolute."""
import os
import subprocess
import sys

golden, folder = sys.argv[1:3]
compare = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npy.py")
ENTRIES = {"video": ({name: f"video.{name}" for name in ("x", "context", "t_mod", "positions")}, ("y", "k", "v")),
           "action": ({**{name: f"action.{name}" for name in ("x", "context", "t_mod", "positions")},
                       "cached_k": "video.k", "cached_v": "video.v"}, ("y",))}
for argument in sys.argv[3:]:
    package, bound = argument.split("=")
    for entry, (inputs, outputs) in ENTRIES.items():
        command = ["mjolnir-run", os.path.join(folder, f"{package}.mjp"), "--entry", entry]
        for name, file in inputs.items():
            command += ["--input", f"{name}=@{os.path.join(golden, file)}.npy"]
        made = {name: os.path.join(folder, f"{package}.{entry}.{name}.npy") for name in outputs}
        for name, file in made.items():
            command += ["--output", f"{name}=@{file}"]
        subprocess.run(command, check=True)
        for name, file in made.items():
            print(f"{package}, {entry} {name}: ", end="", flush=True)
            subprocess.run([sys.executable, compare, "within" if package == "bf16" else "compare", file,
                            os.path.join(golden, f"{entry}.{name}.npy"), bound], check=True)
