#!/usr/bin/env python3
# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Makes the training text from two public-domain sources that Debian ships as packages.

  bible-kjv-text      the King James Version (1611), 4.4 MB
  r-cran-janeaustenr  the six finished novels of Jane Austen (1811-1818), 3.9 MB

Run it on a Debian with `apt-get`; nothing is installed, the packages are only fetched and unpacked.  Needs libreadline8
for the program that unpacks the Bible.  Writes train.txt, validation.txt, heldout.txt and sources.json.

A document is one chapter, without its heading; a paragraph (for the Bible: a verse) is one line.  Documents follow each
other directly, each closed by <|endoftext|> and no newline.  Of each source's chapters one in 50 goes to validation,
which picks the checkpoint, and another one in 50 to the held-out text, which only the final perplexity sees.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import r_lazyload

END_OF_TEXT = "<|endoftext|>"
PACKAGES = ("bible-kjv", "bible-kjv-text", "r-cran-janeaustenr")
AUSTEN = "sensesensibility prideprejudice mansfieldpark emma northangerabbey persuasion".split()
HEADING = re.compile(r"^\s*(CHAPTER|Chapter|VOLUME)\s+([IVXLC]+|[0-9]+)\.?\s*$")
IGNORED = re.compile(r"^\s*(FINIS|Finis|THE END|[* ]+)\s*$")
EDITORIAL = "A NOTE ON THE TEXT"  # what follows is an editor's, not Austen's


def fetch(packages, folder):
    """Downloads and unpacks the packages under folder/root; returns their versions."""
    subprocess.run(["apt-get", "-qq", "download", *packages], cwd=folder, check=True)
    versions = {}
    for deb in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", deb, folder / "root"], check=True)
        show = ["dpkg-deb", "-W", "--showformat=${Package} ${Version}", deb]
        name, version = subprocess.run(show, check=True, capture_output=True, text=True).stdout.split()
        versions[name] = version
    return versions


def bibleChapters(root):
    """The chapters as lists of verses, in order."""
    # The program looks for its data in fixed folders and below the current one, so that is where it runs.
    command = ["usr/bin/bible", "-f", "-d", "usr/lib/bible.data", "gen1:1-rev22:21"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    chapters, current = [], None
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"(\w+?\d+):\d+ (.+)", line)
        if not match:
            sys.exit(f"prepare_text: unexpected line from bible: {line!r}")
        if match[1] != current:
            current = match[1]
            chapters.append([])
        chapters[-1].append(match[2].strip())
    if len(chapters) != 1189:
        sys.exit(f"prepare_text: {len(chapters)} chapters of the Bible where 1189 are expected")
    return chapters


def novelChapters(lines):
    """The chapters of one novel as lists of paragraphs; what precedes the first heading is dropped."""
    chapters, paragraph = [], []

    def close():
        if paragraph and chapters:
            chapters[-1].append(re.sub(" +", " ", " ".join(paragraph)))
        paragraph.clear()

    for line in lines:
        line = line.replace("_", "").strip()  # Project Gutenberg's marks of emphasis
        if line == EDITORIAL:
            break
        if HEADING.match(line):
            close()
            chapters.append([])
        elif not line or IGNORED.match(line):
            close()
        else:
            paragraph.append(line)
    close()
    return [chapter for chapter in chapters if chapter]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "build" / "text")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        versions = fetch(PACKAGES, folder)
        root = folder / "root"
        books = [bibleChapters(root)]
        novels = r_lazyload.load(root / "usr/lib/R/site-library/janeaustenr/data/Rdata")
        # One list over all novels, so that one chapter in 50 means one of their chapters together.
        books.append([chapter for novel in AUSTEN for chapter in novelChapters(novels[novel])])
    parts = {"train": [], "validation": [], "heldout": []}
    for chapters in books:
        for number, chapter in enumerate(chapters):
            part = {24: "validation", 49: "heldout"}.get(number % 50, "train")
            parts[part].append("\n".join(chapter) + END_OF_TEXT)
    summary = {"packages": versions, "files": {}}
    for part, documents in parts.items():
        data = "".join(documents).encode()
        (arguments.out / f"{part}.txt").write_bytes(data)
        summary["files"][part] = {
            "documents": len(documents),
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    (arguments.out / "sources.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
