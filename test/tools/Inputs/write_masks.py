#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Writes attention with constant masks as exporters write it, and the numbers that it makes, computed in f64 by numpy.

write_masks.py DIRECTORY: DIRECTORY/masks.mlir, an entry for each mask (one of them compared from row and key numbers)
over 40 rows of 4 heads in 2 groups and 57 keys; DIRECTORY/{q,k,v}.npy, its inputs; DIRECTORY/ENTRY.expected.npy.
"""
import pathlib
import sys

import numpy

HEADS, GROUPS, ROWS, KEYS, SIZE = 4, 2, 40, 57, 16


def visible():
    row, key = numpy.arange(ROWS)[:, None], numpy.arange(KEYS)[None, :]
    last = row + KEYS - ROWS
    return {
        "causal": key <= last,
        "window": (key <= last) & (key > last - 9),
        "compared": (key <= last) & (key != 20),
        "both_sides": abs(key - last) < 9,
        "first_apart": (row >= 12) | (key < 12),
        "holes": (key <= last) & (key % 3 != 1) | (key == last),
    }


def dense(values, kind):
    spell = {"i1": lambda v: "true" if v else "false", "f32": lambda v: "0.0" if v else "0xFF800000",
             "lowest": lambda v: "0.0" if v else "-3.40282347E+38"}[kind]
    return "dense<[" + ", ".join("[" + ", ".join(spell(v) for v in row) + "]" for row in values) + "]>"


def entry(name, mask, kind):
    scores, matrix = f"tensor<{HEADS}x{ROWS}x{KEYS}xf32>", f"tensor<{ROWS}x{KEYS}x"
    if name == "compared":
        integers = f"tensor<{ROWS}x{KEYS}xi64>"
        lasts, keys = (f"dense<{list(values)}>" for values in (range(KEYS - ROWS, KEYS), range(KEYS)))
        constant = f"""%lasts = arith.constant {lasts} : tensor<{ROWS}xi64>
  %keys = arith.constant {keys} : tensor<{KEYS}xi64>"""
        apply = f"""%l1 = mj.reshape %lasts : tensor<{ROWS}xi64> -> tensor<{ROWS}x1xi64>
  %all = arith.constant dense<0> : {integers}
  %twenty = arith.constant dense<20> : {integers}
  %lb = mj.broadcast %l1 like %all : tensor<{ROWS}x1xi64>, {integers} -> {integers}
  %kb = mj.broadcast %keys like %all : tensor<{KEYS}xi64>, {integers} -> {integers}
  %before = arith.cmpi sle, %kb, %lb : {integers}
  %other = arith.cmpi ne, %kb, %twenty : {integers}
  %mask = arith.andi %before, %other : {matrix}i1>
  %b = mj.broadcast %mask like %d : {matrix}i1>, {scores} -> tensor<{HEADS}x{ROWS}x{KEYS}xi1>
  %i = arith.constant dense<0xFF800000> : {scores}
  %m = arith.select %b, %d, %i : tensor<{HEADS}x{ROWS}x{KEYS}xi1>, {scores}"""
    elif kind == "i1":
        constant = f"%mask = arith.constant {dense(mask, kind)} : {matrix}i1>"
        apply = (f"%b = mj.broadcast %mask like %d : {matrix}i1>, {scores} -> tensor<{HEADS}x{ROWS}x{KEYS}xi1>\n"
                 f"  %i = arith.constant dense<0xFF800000> : {scores}\n"
                 f"  %m = arith.select %b, %d, %i : tensor<{HEADS}x{ROWS}x{KEYS}xi1>, {scores}")
    else:
        constant = f"%mask = arith.constant {dense(mask, kind)} : {matrix}f32>"
        apply = (f"%b = mj.broadcast %mask like %d : {matrix}f32>, {scores} -> {scores}\n"
                 f"  %m = arith.addf %d, %b : {scores}")
    once, repeated = f"tensor<{GROUPS}x1x{KEYS}x{SIZE}xf32>", f"tensor<{GROUPS}x{HEADS // GROUPS}x{KEYS}x{SIZE}xf32>"
    all_heads, rows = f"tensor<{HEADS}x{KEYS}x{SIZE}xf32>", f"tensor<{HEADS}x{ROWS}x{SIZE}xf32>"
    repeat = "".join(f"""  %{x}1 = mj.reshape %{x} : tensor<{GROUPS}x{KEYS}x{SIZE}xf32> -> {once}
  %{x}2 = mj.broadcast %{x}1 like %like : {once}, {repeated} -> {repeated}
  %{x}3 = mj.reshape %{x}2 : {repeated} -> {all_heads}
""" for x in "kv")
    return f"""func.func @{name}(%q: {rows} {{mj.name = "q"}}, %k: tensor<{GROUPS}x{KEYS}x{SIZE}xf32> {{mj.name = "k"}},
    %v: tensor<{GROUPS}x{KEYS}x{SIZE}xf32> {{mj.name = "v"}}) -> ({rows} {{mj.name = "y"}}) attributes {{mj.entry}} {{
  {constant}
  %like = arith.constant dense<0.0> : {repeated}
{repeat}  %s = mj.batch_matmul %q, %k3 {{transpose_b}} : {rows}, {all_heads} -> {scores}
  %c = arith.constant dense<0.25> : {scores}
  %d = arith.mulf %s, %c : {scores}
  {apply}
  %p = mj.softmax %m : {scores} -> {scores}
  %y = mj.batch_matmul %p, %v3 : {scores}, {all_heads} -> {rows}
  return %y : {rows}
}}
"""


def attend(q, k, v, mask):
    k, v = numpy.repeat(k, HEADS // GROUPS, axis=0), numpy.repeat(v, HEADS // GROUPS, axis=0)
    scores = numpy.where(mask, q @ k.transpose(0, 2, 1) / 4, -numpy.inf)
    weights = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ v


def main():
    directory = pathlib.Path(sys.argv[1])
    random = numpy.random.default_rng(1)
    q, k, v = (random.standard_normal((heads, rows, SIZE)).astype("<f4")
               for heads, rows in ((HEADS, ROWS), (GROUPS, KEYS), (GROUPS, KEYS)))
    text = 'module attributes {mj.phase = "input"} {\n'
    for index, (name, mask) in enumerate(visible().items()):
        text += entry(name, mask, ("i1", "f32", "lowest")[index % 3])
        expected = attend(*(x.astype("f8") for x in (q, k, v)), mask)
        numpy.save(directory / f"{name}.expected.npy", expected.astype("<f4"))
    (directory / "masks.mlir").write_text(text + "}\n")
    for name, value in (("q", q), ("k", k), ("v", v)):
        numpy.save(directory / f"{name}.npy", value)


main()
