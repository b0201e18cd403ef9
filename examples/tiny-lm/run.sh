#!/bin/sh
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
# Trains the model on the text of prepare_text.py, computes the references, and packs both: run.sh OUT-FOLDER [option of
# train.py]...  Needs torch, transformers, tokenizers, safetensors and numpy; the network only where the text is made.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { echo "usage: $0 OUT-FOLDER [option of train.py]..." >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
[ -f "$here/build/text/train.txt" ] || python3 "$here/prepare_text.py"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$here/train.py" --out "$work/model" "$@"
python3 "$here/evaluate.py" --model "$work/model" --out "$work/reference"
tar -C "$work" -czf "$out/tiny-lm-model.tar.gz" model
tar -C "$work" -czf "$out/tiny-lm-reference.tar.gz" reference
