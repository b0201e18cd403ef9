#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Draws loss.csv of a training run as an SVG, with nothing but the standard library: plot_loss.py LOSS.CSV OUT.SVG."""

import csv
import sys
from pathlib import Path

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 50, 20, 20, 40
CURVES = (("train_loss", "training (with dropout)", "#888888"), ("validation_loss", "validation", "#c03030"))


def ticks(low, high, step):
    """The multiples of step from low to high, both rounded outwards."""
    return [i * step for i in range(int(low // step), int(-(-high // step)) + 1)]


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} LOSS.CSV OUT.SVG")
    with open(sys.argv[1], newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    values = [row[name] for row in rows for name, _, _ in CURVES]
    yTicks, xTicks = ticks(min(values), max(values), 0.5), ticks(0, rows[-1]["step"], 500)

    def x(step):
        return LEFT + (WIDTH - LEFT - RIGHT) * step / xTicks[-1]

    def y(loss):
        return TOP + (HEIGHT - TOP - BOTTOM) * (yTicks[-1] - loss) / (yTicks[-1] - yTicks[0])

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for tick in yTicks:
        lines.append(
            f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>'
            f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.1f}</text>'
        )
    for tick in xTicks:
        lines.append(f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick}</text>')
    lines.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">step</text>')
    for number, (name, label, color) in enumerate(CURVES):
        points = " ".join(f"{x(row['step']):.1f},{y(row[name]):.1f}" for row in rows)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        lines.append(
            f'<text x="{WIDTH - RIGHT - 6}" y="{TOP + 16 + 16 * number}" text-anchor="end" fill="{color}">'
            f"{label}: cross-entropy, nats a token</text>"
        )
    Path(sys.argv[2]).write_text("\n".join(lines) + "\n</svg>\n")


if __name__ == "__main__":
    main()
