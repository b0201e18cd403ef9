#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Writes the .mlir files of this folder: single kernels whose speed has a limit that is stated."""
import os

SCORES = 151936  # Qwen3's vocabulary


def write(name, comments, lines):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.mlir"), "w", encoding="utf-8") as file:
        file.write("// Written by generate.py.\n" + "".join(f"// {comment}\n" for comment in comments))
        file.write("\n".join(lines) + "\n")


def step(name, hidden, vocabulary, layers, kv, body, weights, cached="%kv"):
    """A language model's step of these parts; `kv` is (layers, heads, size) of the cache."""
    cache = f"!mj.kv<{kv[0]} x {kv[1]} x {kv[2]} x f32>"
    model = (f'architecture = "{name}", head_dim = {kv[2]} : i64, heads = {hidden // kv[2]} : i64, hidden_size = {hidden} : i64, '
             f"kv_heads = {kv[1]} : i64, layers = {layers} : i64, max_context = 8704 : i64, vocabulary = {vocabulary} : i64")
    return [f'module attributes {{mj.model = {{{model}}}, mj.phase = "input"}} {{',
            *(f'mj.weight @{key} : {kind} from "{key}"' for key, kind in weights.items()),
            f'func.func @step(%batch: !mj.batch<? x ? x ?> {{mj.name = "batch"}}, %kv: {cache} {{mj.name = "kv"}}, '
            f'%sampling: !mj.sampling<?> {{mj.name = "sampling"}}) -> (tensor<?xi32> {{mj.name = "next_tokens"}}, '
            f'tensor<?x{vocabulary}xf32> {{mj.name = "logits"}}, {cache} {{mj.name = "kv"}}) attributes {{mj.entry}} {{',
            *(f"  {line}" for line in body),
            f"  %next = mj.sample %logits with %sampling at %batch : tensor<?x{vocabulary}xf32>, <?>, <? x ? x ?> -> tensor<?xi32>",
            f"  return %next, %logits, {cached} : tensor<?xi32>, tensor<?x{vocabulary}xf32>, {cache}", "}", "}"]


def attention(heads, kv_heads, size, page, steps):
    """Layers that only attend, so that buffers of several layers rotate. What is attended to is whatever the pages hold."""
    layers, hidden = 16, heads * size
    rows, cache = f"tensor<?x{heads}x{size}xf32>", f"<{layers} x {kv_heads} x {size} x f32>"
    body = [f"%table = mj.get_weight @queries : tensor<64x{hidden}xbf16>",
            "%tokens = mj.batch_field %batch[tokens] : <? x ? x ?>",
            f"%query = mj.gather %table[%tokens] : tensor<64x{hidden}xbf16>, tensor<?xi32> -> tensor<?x{hidden}xf32>",
            f"%x0 = mj.reshape %query : tensor<?x{hidden}xf32> -> {rows}"]
    for layer in range(layers):
        body.append(f"%x{layer + 1} = mj.attention %x{layer}, %kv[{layer}] over %batch scale {size ** -0.5:.9f} : "
                    f"{rows}, {cache}, <? x ? x ?> -> {rows}")
    body += [f"%flat = mj.reshape %x{layers} : {rows} -> tensor<?x{hidden}xf32>",
             f"%head = mj.get_weight @head : tensor<64x{hidden}xbf16>",
             "%last = mj.batch_field %batch[logit_rows] : <? x ? x ?>",
             f"%y = mj.gather %flat[%last] : tensor<?x{hidden}xf32>, tensor<?xi32> -> tensor<?x{hidden}xf32>",
             f"%logits = mj.matmul %y, %head {{transpose_b}} : tensor<?x{hidden}xf32>, tensor<64x{hidden}xbf16> -> tensor<?x64xf32>"]
    batches = ",".join(str(batch) for batch in sorted({batch for batch, _ in steps}))
    options = f"gpu-check: options --page-size={page} --max-context=8704 --batch={batches} --prefill=256"
    name = f"attention_{heads}_{kv_heads}_{size}"
    write(name, [f"Paged decode attention alone: {heads} query heads and {kv_heads} of keys and values, of {size}; pages of {page}.",
                 options, options + " --fp8-kv", "gpu-check: steps " + " ".join(f"{b}x{context}" for b, context in steps)],
          step(name, hidden, 64, layers, (layers, kv_heads, size), body,
               {"queries": f"tensor<64x{hidden}xbf16>", "head": f"tensor<64x{hidden}xbf16>"}))


def sampling():
    """Tokens out of scores of a standard deviation of 4: some hundred of them have 90% of the probability."""
    hidden = 64
    kind, x, rows = f"tensor<{SCORES}x{hidden}xbf16>", f"tensor<?x{hidden}xf32>", f"tensor<?x{SCORES}xf32>"
    body = [f"%table = mj.get_weight @embedding : {kind}",
            "%tokens = mj.batch_field %batch[tokens] : <? x ? x ?>",
            f"%small = mj.gather %table[%tokens] : {kind}, tensor<?xi32> -> {x}",
            "%number = arith.constant dense<1.250000e+03> : tensor<f32>",
            f"%factor = mj.broadcast %number like %small : tensor<f32>, {x} -> {x}",
            f"%x = arith.mulf %small, %factor : {x}",
            f"%key = mj.reshape %x : {x} -> tensor<?x1x{hidden}xf32>",  # a step has a cache
            f"%cached = mj.kv_append %kv[0], %key, %key at %batch : <1 x 1 x {hidden} x f32>, tensor<?x1x{hidden}xf32>, "
            f"tensor<?x1x{hidden}xf32>, <? x ? x ?> -> <1 x 1 x {hidden} x f32>",
            "%last = mj.batch_field %batch[logit_rows] : <? x ? x ?>",
            f"%y = mj.gather %x[%last] : {x}, tensor<?xi32> -> {x}",
            f"%head = mj.get_weight @head : {kind}",
            f"%logits = mj.matmul %y, %head {{transpose_b}} : {x}, {kind} -> {rows}"]
    write("sampling", ["Sampling alone. Both weights are filled with a standard deviation of 0.02: 0.0032 of a score, times 1250.",
                       "gpu-check: options --page-size=64 --max-context=512 --batch=1,32,128 --prefill=256",
                       "gpu-check: steps 1x64 32x64 128x64"],
          step("sampling", hidden, SCORES, 1, (1, 1, hidden), body, {"embedding": kind, "head": kind}, "%cached"))


def function(name, arguments, results, body, returned):
    inputs = ", ".join(f'%{key}: {kind} {{mj.name = "{key}"}}' for key, kind in arguments.items())
    return [f"func.func @{name}({inputs}) -> ({', '.join(results)}) attributes {{mj.entry}} {{",
            *(f"  {line}" for line in body), f"  return {', '.join(returned)} : {', '.join(results)}", "}"]


def pointwise(element, rows, columns):
    tensor, vector = f"tensor<{rows}x{columns}x{element}>", f"tensor<{columns}x{element}>"
    two, norm = {"x": tensor, "y": tensor}, {"x": tensor, "w": vector}
    cases = {
        "add": (two, [f"%z = arith.addf %x, %y : {tensor}"], ["%z"]),
        "silu_mul": (two, ["%one = arith.constant dense<1.000000e+00> : tensor<" + element + ">",
                           f"%negative = arith.negf %x : {tensor}", f"%power = math.exp %negative : {tensor}",
                           f"%ones = mj.broadcast %one like %x : tensor<{element}>, {tensor} -> {tensor}",
                           f"%sum = arith.addf %ones, %power : {tensor}", f"%silu = arith.divf %x, %sum : {tensor}",
                           f"%z = arith.mulf %silu, %y : {tensor}"], ["%z"]),
        "rmsnorm": (norm, [f"%z = mj.norm rms %x, weight %w eps 1.0e-6 : {tensor}, weight {vector} -> {tensor}"], ["%z"]),
        "layernorm": ({**norm, "b": vector},
                      [f"%z = mj.norm layer %x, weight %w, bias %b eps 1.0e-6 : {tensor}, weight {vector}, bias {vector} -> {tensor}"],
                      ["%z"]),
        "softmax": ({"x": tensor}, [f"%z = mj.softmax %x : {tensor} -> {tensor}"], ["%z"]),
        "residual_rmsnorm": ({**two, "w": vector},
                             [f"%sum = arith.addf %x, %y : {tensor}",
                              f"%z = mj.norm rms %sum, weight %w eps 1.0e-6 : {tensor}, weight {vector} -> {tensor}"],
                             ["%sum", "%z"]),
    }
    lines = ['module attributes {mj.phase = "input"} {']
    for name, (arguments, body, returned) in cases.items():
        lines += function(name, arguments, [tensor] * len(returned), body, returned)
    write(f"pointwise_{element}", ["Arithmetic and norms on tensors of 64 MiB.", f"gpu-check: options --precision={element}"],
          [*lines, "}"])


def products(shapes, row_counts):
    """x of few rows times a matrix that is stored in FP8."""
    lines = ['module attributes {mj.phase = "input"} {']
    lines += [f'mj.weight @w{n}x{k} : tensor<{n}x{k}xbf16> from "w{n}x{k}"' for n, k in shapes]
    for n, k in shapes:
        for m in row_counts:
            x, w, y = f"tensor<{m}x{k}xbf16>", f"tensor<{n}x{k}xbf16>", f"tensor<{m}x{n}xbf16>"
            lines += function(f"n{n}_k{k}_m{m}", {"x": x}, [y],
                              [f"%w = mj.get_weight @w{n}x{k} : {w}",
                               f"%y = mj.matmul %x, %w {{transpose_b}} : {x}, {w} -> {y}"], ["%y"])
    write("products_fp8", ["Few rows times a matrix in FP8: --fp8 chooses how it is multiplied.", "gpu-check: options --fp8",
                           "gpu-check: options --fp8=weights", "gpu-check: options --fp8=full"], [*lines, "}"])


def main():
    steps = [(1, 512), (4, 2048), (32, 512), (32, 2048), (32, 8192), (128, 2048)]
    attention(16, 8, 128, 64, steps)
    attention(32, 8, 128, 64, steps)
    attention(32, 8, 64, 32, steps)
    sampling()
    pointwise("bf16", 8192, 4096)
    pointwise("f32", 4096, 4096)
    products([(4096, 4096), (8192, 8192), (14336, 4096)], [1, 2, 4, 8, 16])


if __name__ == "__main__":
    main()
