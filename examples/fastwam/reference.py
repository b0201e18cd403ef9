# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""The blocks of fastwam.py a second time, with PyTorch's own attention, norms, activation and complex rotation."""
import torch
import torch.nn.functional as F

import fastwam


def angles_1d(tokens, dim):
    frequencies = 10000.0 ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    return torch.arange(tokens, dtype=torch.float64)[:, None] * frequencies


def rope_table(angles):
    """[tokens, pairs, 2] cosines and sines."""
    return torch.stack([angles.cos(), angles.sin()], -1).float()


def grid_angles(grid, dim):
    """Of the pairs of a head, the first are rotated by the frame, then by the row, the last by the column."""
    row = column = 2 * (dim // 6)
    frame = dim - row - column
    parts = [angles_1d(size, part) for size, part in zip(grid, (frame, row, column))]
    frames, rows, columns = grid
    return torch.cat([parts[0].view(frames, 1, 1, -1).expand(frames, rows, columns, -1),
                      parts[1].view(1, rows, 1, -1).expand(frames, rows, columns, -1),
                      parts[2].view(1, 1, columns, -1).expand(frames, rows, columns, -1)], -1).reshape(-1, dim // 2)


def make_weights(sizes, generator):
    result = {}
    for name, shape, element in fastwam.weights(sizes):
        if name == "video.rope":
            value = rope_table(grid_angles(sizes.grid, sizes.head_dim))
        elif name == "action.rope":
            value = rope_table(angles_1d(sizes.action.tokens, sizes.head_dim))
        elif name == "video.mask":
            value = torch.zeros(shape)
            value[:sizes.first, sizes.first:] = float("-inf")
        elif name.endswith("norm") or name.endswith("norm.weight"):
            value = 1 + 0.1 * torch.randn(shape, generator=generator)
        elif len(shape) == 2 and not name.endswith("modulation"):
            value = torch.randn(shape, generator=generator) / shape[1] ** 0.5
        else:
            value = 0.2 * torch.randn(shape, generator=generator)
        result[name] = value.to(torch.bfloat16 if element == "BF16" else torch.float32).contiguous()
    return result


class Block:
    """A block as its definition reads, in the type of `dtype`; norms and rotation in f32, the latter with complex numbers
    unless a compiler is to see it, which knows none."""

    def __init__(self, sizes, expert, weights, dtype, is_complex=True):
        self.sizes, self.expert, self.weights, self.dtype, self.is_complex = sizes, expert, weights, dtype, is_complex

    def get(self, name, dtype=None):
        return self.weights[f"{self.expert.name}.{name}"].to(dtype or self.dtype)

    def linear(self, x, name):
        return F.linear(x, self.get(f"{name}.weight"), self.get(f"{name}.bias"))

    def rms(self, x, name):
        return F.rms_norm(x.float(), x.shape[-1:], self.get(name, torch.float32), fastwam.EPS).to(self.dtype)

    def layer_norm(self, x, affine=False):
        parts = [self.get(f"norm.{part}", torch.float32) for part in ("weight", "bias")] if affine else []
        return F.layer_norm(x.float(), x.shape[-1:], *parts, eps=fastwam.EPS).to(self.dtype)

    def heads(self, x):
        return x.view(x.shape[0], self.sizes.heads, self.sizes.head_dim)

    def rotate(self, x):
        pairs = self.heads(x).float().unflatten(-1, (-1, 2))
        table = self.weights[f"{self.expert.name}.rope"][:, None]
        if self.is_complex:
            turned = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.view_as_complex(table.contiguous()))
        else:
            (x0, x1), (cosine, sine) = pairs.unbind(-1), table.unbind(-1)
            turned = torch.stack([x0 * cosine - x1 * sine, x0 * sine + x1 * cosine], -1)
        return turned.flatten(-2).to(self.dtype)

    def attend(self, q, k, v, mask=None):
        q, k, v = (x.transpose(0, 1)[None] for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)[0].transpose(0, 1).flatten(1)

    def __call__(self, x, context, t_mod, cache=None):
        x, context, t_mod = (value.to(self.dtype) for value in (x, context, t_mod))
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = (t_mod + self.get("modulation")).unbind(-2)
        y = self.layer_norm(x) * (1 + scale_a) + shift_a
        q = self.rotate(self.rms(self.linear(y, "self.q"), "self.q_norm"))
        k = self.rotate(self.rms(self.linear(y, "self.k"), "self.k_norm"))
        v = self.heads(self.linear(y, "self.v"))
        if cache:
            a = self.attend(q, torch.cat([cache[0].to(self.dtype), k]), torch.cat([cache[1].to(self.dtype), v]))
        else:
            a = self.attend(q, k, v, self.get("mask"))
        x = x + gate_a * self.linear(a, "self.o")
        cq = self.heads(self.rms(self.linear(self.layer_norm(x, affine=True), "cross.q"), "cross.q_norm"))
        ck = self.heads(self.rms(self.linear(context, "cross.k"), "cross.k_norm"))
        cv = self.heads(self.linear(context, "cross.v"))
        x = x + self.linear(self.attend(cq, ck, cv), "cross.o")
        y = self.layer_norm(x) * (1 + scale_f) + shift_f
        y = self.linear(F.gelu(self.linear(y, "ffn.up"), approximate="tanh"), "ffn.down")
        return x + gate_f * y, k, v
