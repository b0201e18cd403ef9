# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Passes if a command ends with a given exit code: exits.py CODE COMMAND [ARGUMENT ...]."""
import subprocess
import sys

code = subprocess.run(sys.argv[2:], check=False).returncode
if code != int(sys.argv[1]):
    sys.exit(f"{' '.join(sys.argv[2:])} ended with {code}, not {sys.argv[1]}")
