# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Sampling from a vocabulary of 151,936: that what is drawn may be drawn, and how long it takes."""
import numpy as np

import figures
import make_draws
import mjolnir_runtime as mj
from check_speed import STEPS, bench_package
from checks import check

PARAMETERS = ((1.0, 0, 1.0), (1.0, 0, 0.9), (1.0, 50, 1.0), (0.7, 20, 0.8), (2.5, 0, 0.99), (1.0, 1000, 0.5), (0.3, 0, 0.3),
              (10.0, 3000, 1.0), (30.0, 0, 0.6), (0.0, 5, 0.5))  # temperature, top_k, top_p
TOLERANCE = 1e-5  # of a sum of probabilities: the kernel's are of f32
ROUNDS = 20


def wrong_draw(logits, temperature, top_k, top_p, seed, length, token):
    """What is wrong with a drawn token; "" where it is right. See make_draws: everything is sorted, sums are in f64."""
    logits = logits.astype(np.float64)
    if temperature == 0:
        return "" if token == logits.argmax() else f"the largest logit is that of {logits.argmax()}"
    ordered = np.sort(logits)[::-1]
    least = ordered[top_k - 1] if 0 < top_k < logits.size else -np.inf
    weights = np.where(logits >= least, np.exp((logits - ordered[0]) / temperature), 0.0)
    if top_p < 1:
        shares = np.cumsum(np.sort(weights)[::-1]) / weights.sum()
        if logits[token] < ordered[np.argmax(shares >= min(top_p + TOLERANCE, 1.0))]:
            return "it is less likely than what reaches top_p"
        weights = np.where(logits >= ordered[np.argmax(shares >= top_p)], weights, 0.0)
    elif logits[token] < least:
        return "it is not among the top_k"
    through = np.cumsum(weights[:token + 1])[-1] / weights.sum()
    u = (make_draws.philox((length, 0, 0, 0), (seed & 0xFFFFFFFF, seed >> 32))[0] >> 8) / 2**24
    if not through - weights[token] / weights.sum() - TOLERANCE <= u <= through + TOLERANCE:
        return f"{u} does not fall within its part, which ends at {through}"
    return ""


@check("draws", 120, "figures")
def draws(context):
    """What is drawn from a large vocabulary, against a reference that sorts the same logits."""
    random, count, different = np.random.default_rng(0), 0, set()
    for program in figures.named(context, "sampling"):
        (_, path), = program.variants
        package = mj.Package(path)
        session = mj.Session(package, kv_pages=64)
        name, entry = max(((key, entry) for key, entry in package.entries.items() if key.startswith("decode")
                           and entry.sequences <= 32), key=lambda item: item[1].sequences)
        for start in range(ROUNDS):
            rows = [PARAMETERS[(row + start) % len(PARAMETERS)] for row in range(entry.sequences)]
            seeds = random.integers(0, 2**63, entry.sequences)
            tokens = random.integers(0, 5000, entry.sequences)
            call = session.ragged(name, [([token], start, [page]) for page, token in enumerate(tokens)], sampling={
                "temperature": [row[0] for row in rows], "top_k": [row[1] for row in rows],
                "top_p": [row[2] for row in rows], "seeds": seeds})
            call.run()
            for row, (parameters, seed, token, logits) in enumerate(zip(rows, seeds, call.outputs[0], call.outputs[1])):
                wrong = wrong_draw(logits, *parameters, int(seed), start + 1, int(token))
                if wrong:
                    context.fail(f"{name} row {row}, temperature, top_k, top_p {parameters}, seed {seed}: {token}, but {wrong}")
                count, different = count + 1, different | {int(token)}
        session.close()
        package.close()
    context.figure("draws", count)
    context.figure("different tokens", len(different))


SAMPLING = {"greedy": (), "top-k 50": ("--temperature=1", "--top-k=50"), "top-p 0.9": ("--temperature=1", "--top-p=0.9")}


@check("sampling", 120, "figures")
def sampling(context):
    """Sampling from a large vocabulary: what it adds to a step, greedy and not."""
    for program in figures.named(context, "sampling"):
        (_, package), = program.variants
        tokens = program.steps[0][1]
        entries = ",".join(f"decode_b{batch}" for batch, _ in program.steps)
        lines = {}
        for name, options in SAMPLING.items():
            found = bench_package(context, package, program.name, f"--context={tokens - 1}", "--entry", entries, "--predictions",
                                  f"--runs={STEPS}", *options)
            for row in found["entries"] if found else []:
                lines.setdefault(row["sequences"], {})[f"{name} us"] = sum(
                    kernel["launches"] * kernel["measured_microseconds"] for kernel in row["predictions"]["kernels"]
                    if "sample" in kernel["kernel"])
        for batch, line in lines.items():
            context.figure(f"sampling of batch {batch}", line)
