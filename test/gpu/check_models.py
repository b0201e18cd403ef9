# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Language models on the GPU against other implementations and against the host."""
import json
import os
import re
import subprocess

import numpy as np

import mjolnir_runtime as mj
from checks import check, free_device_memory


def _difference(a, b):
    difference = np.abs(a.astype(np.float64) - b)
    return float(difference.max()), float(np.sqrt((difference**2).mean()))


def _teacher_forced(session, tokens, pages, first=0):
    """The logits after each of `tokens`, decoded one at a time, and the tokens that the program drew."""
    drawn, logits = [], []
    for position, token in enumerate(tokens, first):
        following, row = session.step("decode_b1", [([int(token)], position, pages)])
        drawn.append(int(following[0]))
        logits.append(row[0])
    return np.array(drawn), np.array(logits)


def _compare_logits(context, name, logits, reference, theirs, figures):
    """An error may be twice that of another implementation in bf16; the arg max agrees where that decides nothing."""
    allowed, allowed_rms = (2 * value for value in _difference(theirs, reference))
    largest, rms = _difference(logits, reference)
    figures["largest"], figures["rms"] = largest / allowed, rms / allowed_rms
    best = np.sort(reference, axis=1)
    decided = best[:, -1] - best[:, -2] > allowed
    wrong = int((logits.argmax(1) != reference.argmax(1))[decided].sum())
    figures["decided steps"] = int(decided.sum())
    if wrong:
        context.fail(f"{name}: the arg max differs at {wrong} of {int(decided.sum())} steps where it is decided")
    if not decided.any():
        context.fail(f"{name}: no step decides its arg max; the check checks nothing")


@check("goldens", 120, "goldens")
def goldens(context):
    """Small models against transformers: decode, prefill at once and in pieces, batches. Errors over the allowed."""
    check_goldens(context, "goldens")


def check_goldens(context, *part):
    """As `goldens`, of the models in a folder of the bundle."""
    for name in sorted(os.listdir(context.path(*part))):
        folder = context.path(*part, name)
        tokens, reference, theirs, last, lengths = (
            np.load(os.path.join(folder, f"{array}.npy"))
            for array in ("tokens", "logits_f32", "logits_bf16", "last_logits_f32", "lengths"))
        package = mj.Package(os.path.join(folder, "model.mjp"))
        size, count = package.kv.page_size, reference.shape[0]
        pages = list(range(-(-count // size)))
        session = mj.Session(package, kv_pages=4 * len(pages))
        text = [int(token) for token in tokens[3][:count]]
        drawn, decoded = _teacher_forced(session, text, pages)
        figures = {}
        _compare_logits(context, name, decoded, reference, theirs, figures)
        if not np.array_equal(drawn, decoded.argmax(1)):
            context.fail(f"{name}: the drawn token is not the largest logit")
        allowed = 2 * _difference(theirs, reference)[0]
        for entry in sorted(key for key in package.entries if key.startswith("prefill")):
            rows, logits = package.entries[entry].tokens, None
            for start in range(0, count, rows):
                _, logits = session.step(entry, [(text[start:start + rows], start, pages)])
            figures[entry] = _difference(logits[0], reference[-1])[0] / allowed
        # Four sequences of different lengths, which take their last step together.
        batch = [(list(map(int, tokens[i][:lengths[i] - 1])), 0, list(range(i * len(pages), (i + 1) * len(pages))))
                 for i in range(4)]
        for sequence in batch:
            if sequence[0]:
                session.step(_prefill_for(package, len(sequence[0])), [sequence])
        _, rows = session.step("decode_b4", [([int(tokens[i][lengths[i] - 1])], int(lengths[i]) - 1, batch[i][2])
                                             for i in range(4)])
        figures["decode_b4"] = _difference(rows, last)[0] / allowed
        for key, value in figures.items():
            if key != "decided steps" and not value <= 1:
                context.fail(f"{name}: the error of {key} is {value:.3f} times what is allowed")
        context.figure(name, {key: round(value, 3) for key, value in figures.items()})
        session.close()
        package.close()


def _prefill_for(package, tokens):
    fitting = [entry for entry in package.entries.values() if entry.name.startswith("prefill") and entry.tokens >= tokens]
    return min(fitting, key=lambda entry: entry.tokens).name


def _greedy_prompt(context):
    with open(context.path("tiny-lm", "greedy.json"), encoding="utf-8") as file:
        record = json.load(file)[0]
    return record["prompt_ids"], record["ids"]


def trained_logits(package, prompt, following):
    """The logits that each token of `following` is predicted from, teacher-forced."""
    session = mj.Session(package)
    pages = list(range(-(-(len(prompt) + len(following)) // package.kv.page_size)))
    _, first = session.step(_prefill_for(package, len(prompt)), [(prompt, 0, pages)])
    _, others = _teacher_forced(session, following[:-1], pages, len(prompt))
    session.close()
    return np.concatenate([first[:1], others])


@check("trained-argmax", 60, "trained")
def trained_argmax(context):
    """The trained model's arg max at 200 teacher-forced steps against transformers and the host."""
    margins, errors = (np.load(context.path("tiny-lm", f"{name}.npy"))[0] for name in ("margins_f32", "error_bf16"))
    host = np.load(context.path("tiny-lm", "host_logits.npy")).astype(np.float32)
    prompt, following = _greedy_prompt(context)
    package = mj.Package(context.path("tiny-lm", "model.mjp"))
    logits = trained_logits(package, prompt, following)
    package.close()
    allowed = 2 * float(errors.max())
    decided = margins > allowed
    context.figure("steps whose arg max is decided", int(decided.sum()))
    for name, other in (("transformers", np.array(following)), ("the host", host.argmax(1))):
        wrong = int((logits.argmax(1) != other)[decided].sum())
        if wrong:
            context.fail(f"the arg max is not that of {name} at {wrong} of {int(decided.sum())} decided steps")
    context.figure("steps that agree with the host, of 200", int((logits.argmax(1) == host.argmax(1)).sum()))
    context.expect("largest difference from the host over the allowed", _difference(logits, host)[0] / allowed, 1)


def perplexity(run, package, text, *options):
    """What mjolnir-run says of a text: (perplexity, predicted tokens)."""
    ran = subprocess.run([run, package, "--perplexity", text, *options], capture_output=True, text=True, check=False)
    found = re.match(r"perplexity ([\d.]+) .* of (\d+) tokens;", ran.stdout)
    if ran.returncode or not found:
        raise RuntimeError(f"mjolnir-run --perplexity: {ran.stderr.strip() or ran.stdout.strip()}")
    return float(found[1]), int(found[2])


@check("perplexity", 60, "trained")
def trained_perplexity(context):
    """The trained model's perplexity: held-out text against transformers in f32, a part against the host; within 0.1%."""
    for text, other, expected in (("heldout.txt", "transformers in f32", context.bundle["perplexity"]),
                                  ("part.txt", "the host", context.bundle["host_perplexity"])):
        ours, predicted = perplexity(context.path("bin", "mjolnir-run"), context.path("tiny-lm", "model.mjp"),
                                     context.path("tiny-lm", text), f"--window={expected['window']}")
        context.figure(f"{text}: perplexity", ours)
        context.figure(f"{text}: that of {other}", expected["perplexity"])
        context.expect(f"{text}: relative difference", abs(ours / expected["perplexity"] - 1), 1e-3)
        if predicted != expected["tokens"]:
            context.fail(f"{text}: {predicted} tokens were predicted, {expected['tokens']} by {other}")


@check("graphs", 120, "goldens")
def graphs(context):
    """Bit-equal results with graphs and dependent launches on and off."""
    for name in sorted(os.listdir(context.path("goldens"))):
        folder = context.path("goldens", name)
        tokens = [int(token) for token in np.load(os.path.join(folder, "tokens.npy"))[3]]
        package, results = mj.Package(os.path.join(folder, "model.mjp")), []
        pages = list(range(-(-len(tokens) // package.kv.page_size)))
        for flags in (0, mj.NO_GRAPHS, mj.NO_DEPENDENT_LAUNCHES, mj.NO_GRAPHS | mj.NO_DEPENDENT_LAUNCHES):
            session = mj.Session(package, kv_pages=len(pages), flags=flags)
            rows = [_teacher_forced(session, tokens, pages)[1]]
            for entry in sorted(key for key in package.entries if key.startswith("prefill")):
                part = tokens[:package.entries[entry].tokens]
                rows.append(session.step(entry, [(part, 0, pages)])[1])
            results.append(np.concatenate(rows))
            session.close()
        package.close()
        for what, other in zip(("graphs", "dependent launches", "both"), results[1:]):
            if not np.array_equal(results[0].view(np.uint32), other.view(np.uint32)):
                context.fail(f"{name}: {int((results[0] != other).any(1).sum())} of {len(other)} rows of logits change "
                             f"without {what}")
        context.figure(f"{name}: rows compared", len(results[0]))


@check("replay", 120, "goldens")
def replay(context):
    """100,000 replays from the same state: equal bits, no growth in memory."""
    name = "qwen3-tied-bf16"
    folder = context.path("goldens", name)
    tokens = [int(token) for token in np.load(os.path.join(folder, "tokens.npy"))[3]]
    package = mj.Package(os.path.join(folder, "model.mjp"))
    pages = list(range(-(-len(tokens) // package.kv.page_size)))
    session = mj.Session(package, kv_pages=len(pages))
    _teacher_forced(session, tokens[:-1], pages)
    call = session.ragged("decode_b1", [(tokens[-1:], len(tokens) - 1, pages)])
    call.run()
    first = [output.copy() for output in call.outputs]
    total, before, memory = context.count or 100000, _resident(), free_device_memory()
    rounds = max(1, total // 1000)
    for number in range(rounds):
        for output in call.outputs:
            output.fill(0)
        for _ in range(min(1000, total)):
            call.run()
        if any(not np.array_equal(a.view(np.uint32), b.view(np.uint32)) for a, b in zip(first, call.outputs)):
            context.fail(f"the results change after {number * 1000} replays")
            break
    context.figure("replays", rounds * min(1000, total))
    context.expect("growth of the process in MiB", max(0, _resident() - before) / 2**20, 4)
    if memory is not None:
        context.expect("growth on the device in MiB", max(0, memory - free_device_memory()) / 2**20, 0)


def _resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
