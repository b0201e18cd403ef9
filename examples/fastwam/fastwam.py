#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""One block of each expert of FastWAM, a video and action model of a robot, as mj IR: what an exporter's graph is after
import, before any pass. Needs Python alone.

fastwam.py [--small] [--steps N] [--interface f32|bf16] [--output FILE]

Entry `video`: a block of the video expert over all video tokens, its self-attention masked, its keys and values returned.
Entry `action`: a block of the action expert, N times in a row, whose queries attend over the video's cached keys and
values and their own. Queries are scaled before attention and keys concatenated, as exporters write it. docs/fastwam.md
says what becomes of it. --small is the size of the golden in test/numerics/goldens/fastwam; --interface is the type of what
enters and leaves: activations, text and caches.
"""
import argparse
import dataclasses
import math
import sys


@dataclasses.dataclass
class Expert:
    name: str
    tokens: int
    hidden: int
    ffn: int


@dataclasses.dataclass
class Sizes:
    heads: int = 24
    head_dim: int = 128
    grid: tuple = (5, 12, 16)  # frames, rows, columns of video tokens
    first: int = 192           # video tokens that see only themselves
    context: int = 128         # tokens of text
    video: Expert = dataclasses.field(default_factory=lambda: Expert("video", 960, 3072, 14336))
    action: Expert = dataclasses.field(default_factory=lambda: Expert("action", 44, 1024, 4096))

    @property
    def width(self):
        return self.heads * self.head_dim


FULL = Sizes()
SMALL = Sizes(heads=2, head_dim=32, grid=(3, 2, 2), first=4, context=6, video=Expert("video", 12, 64, 96),
              action=Expert("action", 5, 48, 80))
EPS = 1e-6


def weights(sizes):
    """Name, shape and element type of each tensor of the checkpoint, in order."""
    width, result = sizes.width, []
    for expert in (sizes.video, sizes.action):
        for kind in ("self", "cross"):
            prefix = f"{expert.name}.{kind}"
            for part in "qkv":
                result += [(f"{prefix}.{part}.weight", (width, expert.hidden), "BF16"),
                           (f"{prefix}.{part}.bias", (width,), "BF16")]
            result += [(f"{prefix}.o.weight", (expert.hidden, width), "BF16"), (f"{prefix}.o.bias", (expert.hidden,), "BF16"),
                       (f"{prefix}.q_norm", (width,), "F32"), (f"{prefix}.k_norm", (width,), "F32")]
        result += [(f"{expert.name}.norm.weight", (expert.hidden,), "F32"), (f"{expert.name}.norm.bias", (expert.hidden,), "F32"),
                   (f"{expert.name}.ffn.up.weight", (expert.ffn, expert.hidden), "BF16"),
                   (f"{expert.name}.ffn.up.bias", (expert.ffn,), "BF16"),
                   (f"{expert.name}.ffn.down.weight", (expert.hidden, expert.ffn), "BF16"),
                   (f"{expert.name}.ffn.down.bias", (expert.hidden,), "BF16"),
                   (f"{expert.name}.modulation", (6, expert.hidden), "BF16")]
    result += [("video.rope", (sizes.video.tokens, sizes.head_dim // 2, 2), "F32"),
               ("video.mask", (sizes.video.tokens, sizes.video.tokens), "F32"),
               ("action.rope", (sizes.action.tokens, sizes.head_dim // 2, 2), "F32")]
    return result


def inputs(sizes):
    """Name and shape of each f32 input of the entries, but for the caches, which the video entry returns."""
    video, action = sizes.video, sizes.action
    return {"video": [("x", (video.tokens, video.hidden)), ("context", (sizes.context, video.hidden)),
                      ("t_mod", (video.tokens, 6, video.hidden))],
            "action": [("x", (action.tokens, action.hidden)), ("context", (sizes.context, action.hidden)),
                       ("t_mod", (6, action.hidden))]}


def number(value):
    """As MLIR reads floats: with a point."""
    return f"{value:.9e}"


class Builder:
    """Writes operations, numbering their results and remembering their types."""

    def __init__(self):
        self.lines, self.types = [], {}

    def value(self, text, type):
        name = f"%{len(self.types)}"
        self.types[name] = type
        self.lines.append(f"  {name} = {text}")
        return name

    def argument(self, name, type):
        """The argument in f32, or as the index that it is."""
        self.types[f"%{name}"] = type
        if not type.endswith("xbf16>"):
            return f"%{name}"
        wide = tensor(self.shape(f"%{name}"))
        return self.value(f"arith.extf %{name} : {type} to {wide}", wide)

    def returned(self, value, element):
        if element == "f32":
            return value
        narrow = tensor(self.shape(value), element)
        return self.value(f"arith.truncf {value} : {self.types[value]} to {narrow}", narrow)

    def shape(self, value):
        return [int(size) for size in self.types[value][len("tensor<"):-1].split("x")[:-1]]

    def weight(self, name, shape, element):
        value = self.value(f'mj.get_weight @"{name}" : {tensor(shape, element)}', tensor(shape, element))
        if element == "f32":
            return value
        return self.value(f"arith.extf {value} : {tensor(shape, element)} to {tensor(shape)}", tensor(shape))

    def constant(self, value, like):
        return self.value(f"arith.constant dense<{number(value)}> : {self.types[like]}", self.types[like])

    def binary(self, op, a, b):
        return self.value(f"arith.{op} {a}, {b} : {self.types[a]}", self.types[a])

    def add(self, a, b):
        return self.binary("addf", a, b)

    def mul(self, a, b):
        return self.binary("mulf", a, b)

    def spread(self, value, like):
        if self.types[value] == self.types[like]:
            return value
        return self.value(f"mj.broadcast {value} like {like} : {self.types[value]}, {self.types[like]} -> {self.types[like]}",
                          self.types[like])

    def reshape(self, value, shape):
        return self.value(f"mj.reshape {value} : {self.types[value]} -> {tensor(shape)}", tensor(shape))

    def slice(self, value, offsets, shape):
        return self.value(f"mj.slice {value} from {offsets} by {[1] * len(shape)} : {self.types[value]} -> {tensor(shape)}",
                          tensor(shape))

    def linear(self, x, name, columns):
        rows, inner = self.shape(x)
        weight = self.value(f'mj.get_weight @"{name}.weight" : {tensor((columns, inner), "bf16")}',
                            tensor((columns, inner), "bf16"))
        product = self.value(f"mj.matmul {x}, {weight} {{transpose_b}} : {self.types[x]}, {self.types[weight]} -> "
                             f"{tensor((rows, columns))}", tensor((rows, columns)))
        return self.add(product, self.spread(self.weight(f"{name}.bias", (columns,), "bf16"), product))

    def rms(self, x, name):
        weight = self.weight(name, self.shape(x)[-1:], "f32")
        return self.value(f"mj.norm rms {x}, weight {weight} eps {number(EPS)} : {self.types[x]}, weight {self.types[weight]} -> "
                          f"{self.types[x]}", self.types[x])

    def layer_norm(self, x, name=None):
        if not name:
            return self.value(f"mj.norm layer {x} eps {number(EPS)} : {self.types[x]} -> {self.types[x]}", self.types[x])
        affine = [self.weight(f"{name}.{part}", self.shape(x)[-1:], "f32") for part in ("weight", "bias")]
        return self.value(f"mj.norm layer {x}, weight {affine[0]}, bias {affine[1]} eps {number(EPS)} : {self.types[x]}, weight "
                          f"{self.types[affine[0]]}, bias {self.types[affine[1]]} -> {self.types[x]}", self.types[x])

    def rope(self, x, positions, table):
        return self.value(f"mj.rope interleaved {x} at {positions}, {table} : {self.types[x]}, {self.types[positions]}, "
                          f"{self.types[table]} -> {self.types[x]}", self.types[x])

    def concat(self, a, b):
        shape = self.shape(a)
        shape[0] += self.shape(b)[0]
        return self.value(f"mj.concat {a}, {b} axis 0 : {self.types[a]}, {self.types[b]} -> {tensor(shape)}", tensor(shape))

    def attention(self, q, k, v, mask=None):
        scaled = self.mul(q, self.constant(1 / math.sqrt(self.shape(q)[-1]), q))
        masked, mask_type = (f" mask {mask}", f", {self.types[mask]}") if mask else ("", "")
        return self.value(f"mj.sdpa {scaled} over [{k}], [{v}]{masked} scale 1.0 : {self.types[q]}, [{self.types[k]}], "
                          f"[{self.types[v]}]{mask_type} -> {self.types[q]}", self.types[q])

    def gelu_tanh(self, x):
        cube = self.mul(self.mul(x, x), x)
        inner = self.add(x, self.mul(cube, self.constant(0.044715, x)))
        angle = self.mul(inner, self.constant(math.sqrt(2 / math.pi), x))
        tanh = self.value(f"math.tanh {angle} : {self.types[x]}", self.types[x])
        one_more = self.add(tanh, self.constant(1.0, x))
        return self.mul(self.mul(x, self.constant(0.5, x)), one_more)


def tensor(shape, element="f32"):
    return "tensor<" + "".join(f"{size}x" for size in shape) + element + ">"


def block(b, sizes, expert, x, context, t_mod, positions, cache=None):
    """The block's output, its keys and its values ([tokens, heads, head_dim], rotated)."""
    name, tokens, heads = expert.name, expert.tokens, [expert.tokens, sizes.heads, sizes.head_dim]
    rows = b.shape(t_mod)[:-2]  # one modulation a token, or one for all
    modulation = b.add(t_mod, b.spread(b.weight(f"{name}.modulation", (6, expert.hidden), "bf16"), t_mod))
    parts = []
    for index in range(6):
        part = b.slice(modulation, [0] * len(rows) + [index, 0], rows + [1, expert.hidden])
        parts.append(b.reshape(part, [tokens, expert.hidden]) if rows else part)

    def modulate(x, shift, scale):
        more = b.add(b.spread(scale, x), b.constant(1.0, x))
        return b.add(b.mul(b.layer_norm(x), more), b.spread(shift, x))

    y = modulate(x, parts[0], parts[1])
    table = b.weight(f"{name}.rope", (tokens, sizes.head_dim // 2, 2), "f32")
    q = b.rope(b.reshape(b.rms(b.linear(y, f"{name}.self.q", sizes.width), f"{name}.self.q_norm"), heads), positions, table)
    k = b.rope(b.reshape(b.rms(b.linear(y, f"{name}.self.k", sizes.width), f"{name}.self.k_norm"), heads), positions, table)
    v = b.reshape(b.linear(y, f"{name}.self.v", sizes.width), heads)
    if cache:
        a = b.attention(q, b.concat(cache[0], k), b.concat(cache[1], v))
    else:
        a = b.attention(q, k, v, b.weight(f"{name}.mask", (tokens, tokens), "f32"))
    a = b.linear(b.reshape(a, [tokens, sizes.width]), f"{name}.self.o", expert.hidden)
    x = b.add(x, b.mul(b.spread(parts[2], a), a))

    y = b.layer_norm(x, f"{name}.norm")
    text = [sizes.context, sizes.heads, sizes.head_dim]
    cq = b.reshape(b.rms(b.linear(y, f"{name}.cross.q", sizes.width), f"{name}.cross.q_norm"), heads)
    ck = b.reshape(b.rms(b.linear(context, f"{name}.cross.k", sizes.width), f"{name}.cross.k_norm"), text)
    cv = b.reshape(b.linear(context, f"{name}.cross.v", sizes.width), text)
    a = b.reshape(b.attention(cq, ck, cv), [tokens, sizes.width])
    x = b.add(x, b.linear(a, f"{name}.cross.o", expert.hidden))

    y = modulate(x, parts[3], parts[4])
    y = b.gelu_tanh(b.linear(y, f"{name}.ffn.up", expert.ffn))
    y = b.linear(y, f"{name}.ffn.down", expert.hidden)
    return b.add(x, b.mul(b.spread(parts[5], y), y)), k, v


def module(sizes, steps=1, interface="f32"):
    lines = ['module attributes {mj.phase = "input"} {']
    for name, shape, element in weights(sizes):
        lines.append(f'mj.weight @"{name}" : {tensor(shape, element.lower())} from "{name}"')
    cache = tensor([sizes.video.tokens, sizes.heads, sizes.head_dim], interface)
    for expert in (sizes.video, sizes.action):
        b = Builder()
        arguments = [(name, tensor(shape, interface)) for name, shape in inputs(sizes)[expert.name]]
        arguments.append(("positions", f"tensor<{expert.tokens}xi32>"))
        if expert is sizes.action:
            arguments += [("cached_k", cache), ("cached_v", cache)]
        x, context, t_mod, positions, *kv = [b.argument(name, type) for name, type in arguments]
        for _ in range(steps if expert is sizes.action else 1):
            x, k, v = block(b, sizes, expert, x, context, t_mod, positions, kv)
        results = [("y", x)] + ([] if expert is sizes.action else [("k", k), ("v", v)])
        results = [(name, b.returned(value, interface)) for name, value in results]
        signature = ", ".join(f'%{name}: {type} {{mj.name = "{name}"}}' for name, type in arguments)
        types = ", ".join(f'{b.types[value]} {{mj.name = "{name}"}}' for name, value in results)
        lines.append(f"func.func @{expert.name}({signature}) -> ({types}) attributes {{mj.entry}} {{")
        lines += b.lines
        lines.append(f"  return {', '.join(value for _, value in results)} : "
                     f"{', '.join(b.types[value] for _, value in results)}")
        lines.append("}")
    return "\n".join(lines + ["}", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="the golden's sizes instead of the model's")
    parser.add_argument("--steps", type=int, default=1, help="Euler steps written out in the action entry")
    parser.add_argument("--interface", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--output", help="a file instead of standard output")
    options = parser.parse_args()
    text = module(SMALL if options.small else FULL, options.steps, options.interface)
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
