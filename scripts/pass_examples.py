#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Checks what passes/Passes.td says of each pass by doing it. It is a test, so that the generated reference cannot rot.

A description holds "NUMERIC EFFECT: exact" (or reassociating, or lossy) and at least one example, a program before and
what mjolnir-opt makes of it:

    Before:
    ```mlir
    IR that parses
    ```
    After `form-fusions{unfused=true}`:
    ```mlir
    what mjolnir-opt prints, but for spaces, line breaks and a `module` without attributes around it
    ```

or, for what a pass refuses, part of its message:

    Refused by `verify-phase{phase=graph}`:
    ```text
    has no rows
    ```

The text between backquotes is a pass pipeline on the pass's own kind of operation (an element of --pass-pipeline). Each
pass also has its own file in passes/ and in test/passes/. --update writes what comes after "After" anew.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import textwrap

ANCHORS = {None: "any", "mlir::ModuleOp": "builtin.module", "mjolnir::exec::EntryOp": "exec.entry",
           "mlir::func::FuncOp": "func.func"}
DEFINITION = re.compile(r'def (\w+) : Pass<"([\w-]+)"(?:, "([\w:]+)")?> \{(.*?)^\}', re.S | re.M)
DESCRIPTION = re.compile(r"let description = \[\{(.*?)\}\];", re.S)
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.S | re.M)
EXAMPLE = re.compile(r"^ *```mlir\n(?P<before>.*?)^ *```\n(?P<between>(?:(?! *```).*\n)*?)"
                     r" *(?P<verb>After|Refused by) `(?P<pipeline>[^`]+)`:\n"
                     r" *```(?P<kind>mlir|text)\n(?P<after>.*?)^ *```$", re.S | re.M)
EFFECT = re.compile(r"NUMERIC EFFECT: (exact|reassociating|lossy)")


def run(opt, pipeline, anchor, text):
    nested = pipeline if anchor == "builtin.module" else f"{anchor}({pipeline})"
    command = [opt, "-", f"--pass-pipeline=builtin.module({nested})"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def strip_module(text):
    lines = text.strip("\n").split("\n")
    if lines[0] == "module {" and lines[-1] == "}":
        lines = lines[1:-1]
    return textwrap.dedent("\n".join(lines)).strip()


def collapse(text):
    return " ".join(text.split())


def wrap(text, width):
    """Breaks long lines where the printer put a space, continued deeper than the line after them."""
    result = []
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        result += textwrap.wrap(line.strip(), width, initial_indent=" " * indent, subsequent_indent=" " * (indent + 4),
                                break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(result)


def check_example(opt, anchor, example):
    """A complaint or None, and what should stand after "After"."""
    before = textwrap.dedent(example["before"])
    result = run(opt, example["pipeline"], anchor, before)
    if example["verb"] == "Refused by":
        if example["kind"] != "text":
            return "what is refused has a ```text block", None
        if result.returncode == 0:
            return f"'{example['pipeline']}' does not refuse the example", None
        if collapse(example["after"]) not in collapse(result.stderr):
            return f"'{example['pipeline']}' refuses the example with other words:\n{result.stderr}", None
        return None, None
    if result.returncode != 0:
        return f"'{example['pipeline']}' fails on the example:\n{result.stderr}", None
    after = strip_module(result.stdout)
    if collapse(after) == collapse(example["after"]):
        return None, None
    return f"'{example['pipeline']}' makes of the example (--update writes it):\n{after}", after


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description="Checks the examples of passes/Passes.td.")
    parser.add_argument("--opt", default=str(root / "build" / "bin" / "mjolnir-opt"), help="mjolnir-opt")
    parser.add_argument("--passes", type=pathlib.Path, default=root / "passes" / "Passes.td")
    parser.add_argument("--tests", type=pathlib.Path, default=root / "test" / "passes")
    parser.add_argument("--update", action="store_true", help="write what passes make of the examples")
    options = parser.parse_args()

    text = options.passes.read_text()
    complaints, replacements, examples = [], [], 0
    definitions = list(DEFINITION.finditer(text))
    if len(definitions) != len(re.findall(r"^def \w+ : (?:Interface)?Pass<", text, re.M)):
        complaints.append("a definition is not of the form def Name : Pass<\"name\", \"kind of operation\"> { ... }")
    for definition in definitions:
        name, flag, anchor, body = definition.groups()
        complain = lambda message: complaints.append(f"{flag}: {message}")
        for path in (options.passes.parent / f"{name}.cpp", options.tests / f"{flag}.mlir"):
            if not path.exists():
                complain(f"there is no {path.parent.name}/{path.name}")
        if anchor not in ANCHORS:
            complain(f"works on {anchor}, which ANCHORS of this script lacks")
            continue
        description = DESCRIPTION.search(body)
        if not description:
            complain("has no description")
            continue
        if not EFFECT.search(description[1]):
            complain("does not say NUMERIC EFFECT: exact, reassociating or lossy")
        found = list(EXAMPLE.finditer(description[1]))
        if not found:
            complain("has no example (a ```mlir block, a line After `pipeline`:, a ```mlir block)")
        if sum(1 + (example["kind"] == "mlir") for example in found) != sum(
                kind == "mlir" for kind, _ in FENCE.findall(description[1])):
            complain("has a ```mlir block that is no part of an example; IR that is no program is ```text")
        for example in found:
            examples += 1
            complaint, after = check_example(options.opt, ANCHORS[anchor], example)
            if complaint:
                complain(complaint)
            if after is not None:
                start = definition.start(4) + description.start(1)
                indent = re.match(r" *", example["before"])[0]
                replacements.append((start + example.start("after"), start + example.end("after"),
                                     textwrap.indent(wrap(after, 116 - len(indent)), indent) + "\n"))
    if options.update:
        for start, end, new in reversed(replacements):
            text = text[:start] + new + text[end:]
        options.passes.write_text(text)
        print(f"{len(replacements)} examples rewritten; run again to check")
        return 0
    for complaint in complaints:
        print(complaint)
    if not complaints:
        print(f"{len(definitions)} passes, {examples} examples: all are as described")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
