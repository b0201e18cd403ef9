# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Writes the programs of this folder: `python3 generate.py` rewrites all of them, `python3 generate.py FOLDER` elsewhere.

One file a class of kernels, one entry a case. Sizes are 1, what divides nothing, one past each tile of the CUDA schedules,
and what a model has.
"""
import pathlib
import re
import sys


def tensor(shape, element):
    return "tensor<" + "".join(f"{size}x" for size in shape) + element + ">"


class Entry:
    """A function: inputs in the order in which they are asked for, statements, results."""

    def __init__(self, name):
        self.name, self.inputs, self.lines, self.results, self.count = name, [], [], [], 0

    def input(self, shape, element):
        """Integers are named for what the file says of them: i8 `n0`, i32 `m0` and so on."""
        value = f"%{dict(i8='n', i32='m').get(element, 'a')}{len(self.inputs)}"
        self.inputs.append((value, tensor(shape, element)))
        return value

    def do(self, text):
        value = f"%v{self.count}"
        self.count += 1
        self.lines.append(f"  {value} = {text}")
        return value

    def constant(self, number, shape, element):
        return self.do(f"arith.constant dense<{number}> : {tensor(shape, element)}")

    def give(self, value, shape, element):
        self.results.append((value, tensor(shape, element)))

    def __str__(self):
        inputs = ", ".join(f'{value}: {kind} {{mj.name = "{value[1:]}"}}' for value, kind in self.inputs)
        kinds = ", ".join(kind for _, kind in self.results)
        values = ", ".join(value for value, _ in self.results)
        body = "\n".join(self.lines)
        return (f"func.func @{self.name}({inputs}) -> ({kinds}) attributes {{mj.entry}} {{\n{body}\n"
                f"  return {values} : {kinds}\n}}\n")


def f8(entry, shape, multiplier):
    """An input in f8E4M3FN: quantized, since random bytes would hold NaNs."""
    x = entry.input(shape, "bf16")
    return entry.do(f"mj.quantize {x} by {multiplier:.1f} : {tensor(shape, 'bf16')} -> {tensor(shape, 'f8E4M3FN')}")


# Attention over tensors


def sdpa(name, rows, heads, kv_heads, d, e, segments, element="bf16", mask=None, causal=False, window=None):
    entry = Entry(name)
    query, key_types, value_types, keys, values = entry.input([rows, heads, d], element), [], [], [], []
    for size in segments:
        keys.append(entry.input([size, kv_heads, d], element))
        values.append(entry.input([size, kv_heads, e], element))
        key_types.append(tensor([size, kv_heads, d], element))
        value_types.append(tensor([size, kv_heads, e], element))
    shape = ([heads] if mask and mask.startswith("head") else []) + [rows, sum(segments)]
    text, kind = "", ""
    if mask:
        of = "f32" if element == "f32" else "bf16"
        m = entry.input(shape, of)
        if mask.endswith("bool"):
            zero = entry.constant("0.0", shape, of)
            m, of = entry.do(f"arith.cmpf ogt, {m}, {zero} : {tensor(shape, of)}"), "i1"
        elif mask.endswith("lowest"):
            # Rows that see little; -3.39e38 is what exporters write for "not here".
            zero, lowest = entry.constant("0.0", shape, of), entry.constant("-3.38953139e38", shape, of)
            hidden = entry.do(f"arith.cmpf ogt, {m}, {zero} : {tensor(shape, of)}")
            m = entry.do(f"arith.select {hidden}, {lowest}, {zero} : {tensor(shape, 'i1')}, {tensor(shape, of)}")
        text, kind = f" mask {m}", f", {tensor(shape, of)}"
    result = tensor([rows, heads, e], element)
    y = entry.do(f"mj.sdpa {query} over [{', '.join(keys)}], [{', '.join(values)}]{text} scale {d ** -0.5:.6f}"
                 f"{' causal' if causal else ''}{f' window {window}' if window else ''} : {tensor([rows, heads, d], element)}, [{', '.join(key_types)}], "
                 f"[{', '.join(value_types)}]{kind} -> {result}")
    entry.give(y, [rows, heads, e], element)
    return entry


def sdpa_cases():
    yield sdpa("one", 1, 1, 1, 8, 8, [1])
    for d in (64, 80, 96, 128, 256):
        yield sdpa(f"head{d}", 33, 4, 2, d, d, [65])
        yield sdpa(f"head{d}_causal", 65, 4, 2, d, d, [65], causal=True)
    for d in (8, 24, 40, 72, 104, 136, 200):
        yield sdpa(f"odd_head{d}", 17, 3, 1, d, d, [49])
    yield sdpa("wider_values", 20, 3, 1, 40, 104, [37])
    yield sdpa("wider_keys", 20, 3, 1, 104, 40, [37])
    for rows in (1, 15, 16, 17, 63, 64, 65, 129):
        yield sdpa(f"rows{rows}", rows, 2, 2, 64, 64, [130])
    for keys in (1, 15, 16, 17, 63, 64, 65, 127, 129):
        yield sdpa(f"keys{keys}", 18, 2, 2, 64, 64, [keys])
    for group in (1, 2, 3, 4, 7, 16):
        yield sdpa(f"group{group}", 23, 2 * group, 2, 64, 64, [70], causal=True)
    # Tiles of 128, 64 and 32 query vectors on 132 multiprocessors; all others are of 16. Narrow, so that files stay small.
    yield sdpa("tile128", 140, 66, 66, 64, 16, [100])
    yield sdpa("tile128_causal", 140, 66, 66, 64, 16, [140], causal=True)
    yield sdpa("tile64_causal", 70, 66, 66, 128, 16, [70], causal=True)
    yield sdpa("tile64_256", 70, 66, 66, 16, 256, [67])
    yield sdpa("tile32_grouped", 40, 132, 66, 16, 40, [40], causal=True)
    yield sdpa("tile32_mask", 35, 66, 66, 16, 128, [150], mask="bool")
    for window in (1, 16, 40, 64, 100):
        yield sdpa(f"window{window}", 90, 4, 2, 64, 64, [120], causal=True, window=window)
    yield sdpa("window_tile64", 70, 66, 66, 64, 16, [170], causal=True, window=66)
    yield sdpa("segments", 44, 8, 8, 128, 128, [200, 44])
    yield sdpa("segments3", 6, 4, 2, 64, 64, [1, 63, 66], causal=True)
    yield sdpa("more_keys_causal", 9, 4, 2, 64, 64, [100], causal=True)
    yield sdpa("fewer_keys_causal", 40, 4, 2, 64, 64, [9], causal=True)
    for mask in ("float", "head_float", "bool", "head_bool", "lowest", "head_lowest"):
        yield sdpa(f"mask_{mask}", 37, 4, 2, 64, 64, [70], mask=mask)
    yield sdpa("mask_bool_causal", 70, 3, 1, 128, 128, [35, 35], mask="bool", causal=True)
    yield sdpa("mask_float_causal", 100, 4, 4, 128, 128, [100], mask="float", causal=True)
    for element in ("f16", "f32"):
        yield sdpa(f"{element}_plain", 33, 4, 2, 64, 64, [65], element)
        yield sdpa(f"{element}_causal", 33, 6, 2, 96, 96, [20, 33], element, causal=True)
        yield sdpa(f"{element}_mask", 9, 4, 4, 128, 128, [65], element, mask="bool")
    yield sdpa("no_multiple_of_8", 7, 2, 1, 9, 7, [31])
    yield sdpa("wide_heads", 5, 2, 1, 320, 320, [40])


# Products of stacks


def batch_matmul(name, stacks, m, n, k, element="bf16", transposed=False, result=None):
    entry = Entry(name)
    result = result or element
    a_shape, b_shape, shape = stacks + [m, k], stacks + ([n, k] if transposed else [k, n]), stacks + [m, n]
    a, b = entry.input(a_shape, element), entry.input(b_shape, element)
    y = entry.do(f"mj.batch_matmul {a}, {b}{' {transpose_b}' if transposed else ''} : {tensor(a_shape, element)}, "
                 f"{tensor(b_shape, element)} -> {tensor(shape, result)}")
    entry.give(y, shape, result)
    return entry


def batch_matmul_cases():
    for transposed in (False, True):
        t = "_t" if transposed else ""
        yield batch_matmul(f"one{t}", [1], 1, 1, 1, transposed=transposed)
        yield batch_matmul(f"odd{t}", [3], 17, 33, 7, transposed=transposed)
        for m, n, k in ((64, 64, 64), (65, 64, 72), (1, 72, 64), (63, 128, 136), (129, 136, 8), (96, 200, 40)):
            yield batch_matmul(f"m{m}n{n}k{k}{t}", [2, 3], m, n, k, transposed=transposed)
        yield batch_matmul(f"tile128{t}", [66], 129, 8, 72, transposed=transposed)
        yield batch_matmul(f"tile128_wide{t}", [70], 8, 136, 64, transposed=transposed)
        yield batch_matmul(f"unaligned{t}", [2], 70, 66, 65, transposed=transposed)
        yield batch_matmul(f"to_f32{t}", [2], 70, 72, 64, transposed=transposed, result="f32")
        for element in ("f16", "f32"):
            yield batch_matmul(f"{element}{t}", [5], 65, 72, 80, element, transposed)


# Reductions over rows, and over inner axes


def reduce(name, kind, shape, axes, element="bf16"):
    entry = Entry(name)
    x = entry.input(shape, element)
    kept = [size for axis, size in enumerate(shape) if axis not in axes]
    y = entry.do(f"mj.reduce {kind} {x} over [{', '.join(map(str, axes))}] : {tensor(shape, element)} -> "
                 f"{tensor(kept, element)}")
    entry.give(y, kept, element)
    return entry


def columns_cases():
    for kind in ("sum", "mean", "max", "min"):
        yield reduce(f"{kind}_rows", kind, [96, 1024], [0])
        yield reduce(f"{kind}_to_one", kind, [9, 33, 1], [0, 1])
    for element in ("bf16", "f16", "f32"):
        yield reduce(f"{element}_one", "sum", [1, 1], [0], element)
        yield reduce(f"{element}_line", "mean", [1000, 1], [0], element)
        yield reduce(f"{element}_odd", "sum", [7, 31], [0], element)
        yield reduce(f"{element}_one_past", "max", [257, 33], [0], element)
        yield reduce(f"{element}_outer_and_inner", "sum", [5, 40, 6], [0, 2], element)
        yield reduce(f"{element}_outer_two", "mean", [5, 40, 6], [0, 1], element)
        yield reduce(f"{element}_outer_three", "min", [5, 40, 6, 2], [0, 1, 2], element)
        yield reduce(f"{element}_long", "sum", [20000, 3], [0], element)
    yield reduce("many_columns", "mean", [3, 100000], [0])


def inner_cases():
    for element in ("bf16", "f32"):
        yield reduce(f"{element}_last", "sum", [9, 700], [1], element)
        yield reduce(f"{element}_middle", "mean", [9, 70, 33], [1], element)
        yield reduce(f"{element}_middle_long", "max", [3, 700, 33], [1], element)
        yield reduce(f"{element}_both", "min", [9, 70, 33], [1, 2], element)
        yield reduce(f"{element}_first_inner", "sum", [4, 5, 6, 7], [1, 3], element)
        yield reduce(f"{element}_many_lines", "sum", [3, 4, 5000], [1], element)


# Norms, softmax, rotary embeddings


def norm(name, kind, shape, element="bf16", weight=False, bias=False):
    entry = Entry(name)
    x = entry.input(shape, element)
    text, kinds = f"mj.norm {kind} {x}", tensor(shape, element)
    for word, wanted in (("weight", weight), ("bias", bias)):
        if wanted:
            text += f", {word} {entry.input(shape[-1:], element)}"
            kinds += f", {word} {tensor(shape[-1:], element)}"
    y = entry.do(f"{text} eps 1.0e-6 : {kinds} -> {tensor(shape, element)}")
    entry.give(y, shape, element)
    return entry


def softmax(name, shape, element="bf16"):
    entry = Entry(name)
    y = entry.do(f"mj.softmax {entry.input(shape, element)} : {tensor(shape, element)} -> {tensor(shape, element)}")
    entry.give(y, shape, element)
    return entry


def rope(name, rows, heads, d, pairs, element="bf16", normed=False):
    entry = Entry(name)
    x, table = entry.input([rows, heads, d], element), entry.input([rows, d // 2, 2], "f32")
    kind = tensor([rows, heads, d], element)
    if normed:
        x = entry.do(f"mj.norm rms {x} eps 1.0e-6 : {kind} -> {kind}")
    y = entry.do(f"mj.rope {pairs} {x}, {table} : {kind}, {tensor([rows, d // 2, 2], 'f32')} -> {kind}")
    entry.give(y, [rows, heads, d], element)
    return entry


def rows_cases():
    for element in ("bf16", "f16", "f32"):
        for kind in ("rms", "layer"):
            for rows, length in ((1, 1), (3, 7), (5, 33), (19, 1024), (2, 1030), (3, 5000)):
                yield norm(f"{element}_{kind}_{rows}x{length}", kind, [rows, length], element, weight=True,
                           bias=kind == "layer")
        yield norm(f"{element}_plain", "layer", [9, 3072], element)
        yield norm(f"{element}_heads", "rms", [9, 5, 128], element, weight=True)
        yield norm(f"{element}_vector", "layer", [700], element)
        for shape in ([1, 1], [3, 7], [65, 700], [2, 20000], [9, 4, 33], [700]):
            yield softmax(f"{element}_softmax_{'x'.join(map(str, shape))}", shape, element)
        yield rope(f"{element}_rope_half", 9, 3, 64, "half", element)
        yield rope(f"{element}_rope_interleaved", 9, 3, 80, "interleaved", element, normed=True)


# Elements


def pointwise_cases():
    unary = {"exp": "math.exp", "tanh": "math.tanh", "erf": "math.erf", "sin": "math.sin", "cos": "math.cos",
             "abs": "math.absf", "floor": "math.floor", "ceil": "math.ceil", "round": "math.roundeven",
             "neg": "arith.negf", "exp2": "math.exp2"}
    for element in ("bf16", "f16", "f32"):
        for shape in ([1], [7], [8], [2047], [2049], [3, 5, 7], [64, 1024], [100, 333]):
            entry = Entry(f"{element}_{'x'.join(map(str, shape))}")
            x, z, kind = entry.input(shape, element), entry.input(shape, element), tensor(shape, element)
            y = entry.do(f"arith.mulf {x}, {z} : {kind}")
            entry.give(entry.do(f"arith.addf {y}, {x} : {kind}"), shape, element)
            yield entry
        entry = Entry(f"{element}_functions")
        shape, kind = [33, 40], tensor([33, 40], element)
        x, z = entry.input(shape, element), entry.input(shape, element)
        for op in unary.values():
            entry.give(entry.do(f"{op} {x} : {kind}"), shape, element)
        positive = entry.do(f"math.absf {z} : {kind}")
        for op in ("math.sqrt", "math.log1p"):
            entry.give(entry.do(f"{op} {positive} : {kind}"), shape, element)
        for op in ("arith.subf", "arith.maximumf", "arith.minimumf", "math.powf"):
            left = positive if op == "math.powf" else x
            entry.give(entry.do(f"{op} {left}, {z} : {kind}"), shape, element)
        less = entry.do(f"arith.cmpf olt, {x}, {z} : {kind}")
        entry.give(entry.do(f"arith.select {less}, {x}, {positive} : {tensor(shape, 'i1')}, {kind}"), shape, element)
        yield entry
        entry = Entry(f"{element}_broadcasts")
        shape, kind = [9, 5, 24], tensor([9, 5, 24], element)
        y = entry.input(shape, element)
        for small in ([24], [1, 1, 24], [9, 1, 24], [9, 5, 1], [5, 24], [1, 5, 1]):
            wide = entry.do(f"mj.broadcast {entry.input(small, element)} like {y} : {tensor(small, element)}, {kind} -> {kind}")
            y = entry.do(f"arith.addf {y}, {wide} : {kind}")
        entry.give(y, shape, element)
        yield entry
    for element in ("bf16", "f32", "i32", "i8"):
        move = lambda e, text, source, result: (e.do(f"{text} : {tensor(source, element)} -> {tensor(result, element)}"),
                                                result, element)
        for source, order in (([33, 65], [1, 0]), ([5, 6, 7], [2, 0, 1]), ([5, 6, 7], [0, 2, 1]), ([2, 3, 4, 5], [3, 1, 2, 0])):
            entry = Entry(f"{element}_transpose_{''.join(map(str, order))}")
            x = entry.input(source, element)
            entry.give(*move(entry, f"mj.transpose {x} {order}", source, [source[axis] for axis in order]))
            yield entry
        entry = Entry(f"{element}_slice")
        x = entry.input([9, 20, 33], element)
        entry.give(*move(entry, f"mj.slice {x} from [2, 1, 3] by [1, 3, 2]", [9, 20, 33], [5, 6, 15]))
        entry.give(*move(entry, f"mj.slice {x} from [0, 8, 0] by [1, 1, 1]", [9, 20, 33], [9, 12, 33]))
        yield entry
        entry = Entry(f"{element}_concat")
        x, z = entry.input([9, 20], element), entry.input([9, 13], element)
        entry.give(entry.do(f"mj.concat {x}, {z}, {x} axis 1 : {tensor([9, 20], element)}, {tensor([9, 13], element)}, "
                            f"{tensor([9, 20], element)} -> {tensor([9, 53], element)}"), [9, 53], element)
        w = entry.input([4, 20], element)
        entry.give(entry.do(f"mj.concat {x}, {w} axis 0 : {tensor([9, 20], element)}, {tensor([4, 20], element)} -> "
                            f"{tensor([13, 20], element)}"), [13, 20], element)
        yield entry
        entry = Entry(f"{element}_reshape")
        x = entry.input([6, 20, 3], element)
        t, shape, _ = move(entry, f"mj.transpose {x} [1, 0, 2]", [6, 20, 3], [20, 6, 3])
        entry.give(*move(entry, f"mj.reshape {t}", shape, [4, 5, 18]))
        entry.give(*move(entry, f"mj.reshape {x}", [6, 20, 3], [120, 3]))
        yield entry
    entry = Entry("gather")
    table, bytes = entry.input([64, 100], "bf16"), entry.input([37], "i8")
    wide = entry.do(f"arith.extui {bytes} : {tensor([37], 'i8')} to {tensor([37], 'i32')}")
    index = entry.do(f"arith.andi {wide}, {entry.constant(63, [37], 'i32')} : {tensor([37], 'i32')}")
    entry.give(entry.do(f"mj.gather {table}[{index}] : {tensor([64, 100], 'bf16')}, {tensor([37], 'i32')} -> "
                        f"{tensor([37, 100], 'bf16')}"), [37, 100], "bf16")
    yield entry


# Matmuls


def matmul(name, m, n, k, element="bf16", weight=None, epilogue=False, transposed=True, scaled=False):
    """`weight`: the weight's element; f8 operands are quantized here. `scaled`: each column has a scale of its own."""
    entry = Entry(name)
    weight = weight or element
    x = f8(entry, [m, k], 7) if element == "f8E4M3FN" else entry.input([m, k], element)
    w_shape = [n, k] if transposed else [k, n]
    w = f8(entry, w_shape, 100) if weight == "f8E4M3FN" else entry.input(w_shape, weight)
    result = "bf16" if element == "f8E4M3FN" else element
    text, kinds = f"mj.matmul {x}, {w}", f"{tensor([m, k], element)}, {tensor(w_shape, weight)}"
    if scaled:
        text, kinds = f"{text} scaled by {entry.input([n], 'f32')}", f"{kinds}, {tensor([n], 'f32')}"
    # Undoes both multipliers.
    multiplier = (7 if element == "f8E4M3FN" else 1) * (100 if weight == "f8E4M3FN" else 1)
    attributes = (["transpose_b"] if transposed else []) + (
        [f"x_scale = {1 / multiplier:.9f} : f32"] if element == "f8E4M3FN" else [])
    kind = tensor([m, n], result)
    y = entry.do(f"{text} {{{', '.join(attributes)}}} : {kinds} -> {kind}")
    if epilogue:
        bias = entry.input([n], result)
        wide = entry.do(f"mj.broadcast {bias} like {y} : {tensor([n], result)}, {kind} -> {kind}")
        y = entry.do(f"arith.addf {y}, {wide} : {kind}")
        y = entry.do(f"arith.addf {y}, {entry.input([m, n], result)} : {kind}")
        # The f8 tensor cores of compute capability 9.0 keep some 14 bits of a sum. What bounds the result, such as tanh,
        # would ask for the error beside 1 instead of beside the largest sum.
        if not element == weight == "f8E4M3FN":
            y = entry.do(f"math.tanh {y} : {kind}")
    entry.give(y, [m, n], result)
    return entry


def matmul_cases():
    for m in (1, 2, 4, 7, 8, 9, 16, 17, 33, 63, 64, 65, 127, 129, 513):
        yield matmul(f"rows{m}", m, 200, 264, epilogue=True)
    for n, k in ((1, 8), (7, 16), (33, 7), (129, 65), (1000, 72), (40, 3000), (257, 512)):
        for m in (3, 70):
            yield matmul(f"m{m}n{n}k{k}", m, n, k)
    for element, weight in (("f32", "f32"), ("f16", "f16"), ("bf16", "f8E4M3FN"), ("f8E4M3FN", "f8E4M3FN"),
                            ("f32", "bf16"), ("f32", "f8E4M3FN"), ("f16", "bf16")):
        for m in (1, 5, 40, 65, 130, 300):
            yield matmul(f"{element}_{weight}_{m}", m, 136, 256, element, weight)
    for m, n, k in ((1, 1, 1), (5, 24, 40), (300, 24, 40), (130, 131, 65)):
        for element in ("bf16", "f32", "f8E4M3FN"):
            yield matmul(f"{element}_untransposed_m{m}n{n}k{k}", m, n, k, element, transposed=False)
    # K in steps of 128 bytes: less than one, one and a part, eight and a part; columns past a tile.
    for m, n, k in ((65, 33, 16), (129, 129, 208), (513, 264, 1040)):
        yield matmul(f"f8_m{m}n{n}k{k}", m, n, k, "f8E4M3FN", "f8E4M3FN", epilogue=True)
    yield matmul("f8_odd", 130, 72, 40, "f8E4M3FN", "f8E4M3FN", epilogue=True)
    yield matmul("f8_weights_odd", 5, 72, 40, "bf16", "f8E4M3FN", epilogue=True)
    # Codes by few rows: K in pieces of 256 and a part of one, slices, columns whose scales come in pairs or not.
    for m, n, k in ((1, 136, 528), (3, 137, 512), (4, 4096, 1024), (8, 72, 1040), (9, 136, 528), (33, 136, 528)):
        yield matmul(f"f8_scaled_m{m}n{n}k{k}", m, n, k, "bf16", "f8E4M3FN", scaled=True)
        yield matmul(f"f8_f8_scaled_m{m}n{n}k{k}", m, n, k, "f8E4M3FN", "f8E4M3FN", scaled=True)
    # Codes that stream: blocks that share a multiprocessor, or divide K among two or four; columns that end within a block.
    for m, n, k in ((1, 4096, 4096), (2, 4094, 4096), (3, 4096, 4096), (8, 4090, 4096), (12, 6144, 4096), (5, 6139, 4096),
                    (7, 8190, 8192), (1, 4096, 12288), (16, 4094, 12288)):
        yield matmul(f"f8_streamed_m{m}n{n}k{k}", m, n, k, "bf16", "f8E4M3FN", scaled=True)


def quantize_cases():
    for element in ("bf16", "f16", "f32"):
        for shape in ([1], [33], [64, 1024], [7, 5, 3]):
            entry = Entry(f"{element}_{'x'.join(map(str, shape))}")
            x = entry.input(shape, element)
            # 300 takes some elements of a normal distribution beyond 448.
            for multiplier in (7.0, 300.0, 0.01):
                q = entry.do(f"mj.quantize {x} by {multiplier} : {tensor(shape, element)} -> {tensor(shape, 'f8E4M3FN')}")
                entry.give(entry.do(f"mj.dequantize {q} by {1 / multiplier:.9f} : {tensor(shape, 'f8E4M3FN')} -> "
                                    f"{tensor(shape, element)}"), shape, element)
            yield entry


FILES = {"sdpa": sdpa_cases, "batch_matmul": batch_matmul_cases, "columns": columns_cases, "inner_reductions": inner_cases,
         "norms": rows_cases, "pointwise": pointwise_cases, "matmul": matmul_cases, "quantize": quantize_cases}


def ranges(text):
    """What the integers among the inputs may be."""
    found = sorted(set(re.findall(r'mj.name = "([nm][0-9]+)"', text)))
    return "".join(f"// gpu-check: input {name} in {'-128..127' if name[0] == 'n' else '-100000..100000'}\n" for name in found)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__)
    folder = folder if folder.is_dir() else folder.parent
    for name, cases in FILES.items():
        text = "".join(str(entry) for entry in cases())
        (folder / f"{name}.mlir").write_text(
            f"// Written by generate.py: cases for the CUDA kernels of class {name}.\n"
            f"// gpu-check: options --precision=bf16\n// gpu-check: options --precision=f32\n{ranges(text)}"
            f'module attributes {{mj.phase = "input"}} {{\n{text}}}\n')


main()
