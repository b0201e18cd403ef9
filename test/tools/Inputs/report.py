# Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
"""Looks at reports of mjolnir-compile.

report.py get FILE.json PATH ...        prints what stands at each path ("entries.0.cost.bytesRead")
report.py check FILE.json               recomputes sums, predictions, lifetimes and repetitions
report.py page FILE.html FILE.json      the page is well formed, needs nothing else, and holds the same data
"""
import html.parser
import json
import math
import re
import sys

VOID = {"meta", "br", "hr", "img", "input", "link"}


def get(report, path):
    value = report
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def predicted(cost, profile):
    """The formula of docs/report.md."""
    copied, rest = min(cost["bytesRead"], cost["bytesWritten"]), cost["bytesRead"] - cost["bytesWritten"]
    bandwidth = profile["readBandwidth"] if rest > 0 else profile["copyBandwidth"]
    memory = 2 * copied / profile["copyBandwidth"] + abs(rest) / bandwidth
    bf16 = profile["flopsBf16"] or profile["flopsF32"]
    rates = {"f32": profile["flopsF32"], "bf16": bf16, "f8": profile["flopsF8"] if profile["multipliesF8"] else bf16}
    compute = sum(flops / rates[arithmetic] for arithmetic, flops in cost["flops"].items())
    return profile["launchSeconds"], memory, compute


def check_entry(entry, report):
    launches, name = entry["launches"], entry["name"]
    for field in ("bytesRead", "bytesWritten", "weightBytes", "kvBytes"):
        assert entry["cost"][field] == sum(launch["cost"][field] for launch in launches), (name, field)
    assert math.isclose(entry["predictedSeconds"], sum(launch["predictedSeconds"] for launch in launches)), name
    if "tokens" in entry:
        assert math.isclose(entry["predictedTokensPerSecond"] * entry["predictedSeconds"], entry["tokens"]), name
    weights = {weight["name"] for weight in report["weights"]}
    for index, launch in enumerate(launches):
        start, memory, compute = predicted(launch["cost"], report["profile"])
        assert math.isclose(launch["predictedSeconds"], start + max(memory, compute)), (name, index)
        bound = "launch" if start >= max(memory, compute) else "memory" if memory >= compute else "compute"
        assert launch["bound"] == bound, (name, index)
        assert launch["cost"]["weightBytes"] <= launch["cost"]["bytesRead"], (name, index)
        assert all(other < index for other in launch["after"]), (name, index)
        assert set(launch["weights"]) <= weights, (name, index)
        assert launch["cost"].get("unknownOps", 0) == 0, (name, index)
    kernels, end = [launch["kernel"] for launch in launches], 0
    for repeat in entry["repeats"]:
        first, period, count = repeat["first"], repeat["period"], repeat["count"]
        assert first >= end and count > 1 and period > 1, (name, repeat)
        end = first + period * count
        assert kernels[first:end] == kernels[first:first + period] * count, (name, repeat)
    check_arena(entry)


def check_arena(entry):
    arena, name = entry["arena"], entry["name"]
    live = [set() for _ in entry["launches"]]
    for buffer in arena["buffers"]:
        assert buffer["offset"] % arena["alignment"] == 0 and buffer["offset"] + buffer["bytes"] <= arena["bytes"], name
        for at in range(buffer["first"], buffer["last"] + 1):
            live[at].update(range(buffer["offset"], buffer["offset"] + buffer["bytes"], arena["alignment"]))
    largest = max((len(places) * arena["alignment"] for places in live), default=0)
    assert largest == arena["largestLiveSet"] <= arena["bytes"], name


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.data, self.ids = [], "", set()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name in ("src", "href", "action", "data"):
            assert attributes.get(name, "#").startswith("#"), f"<{tag} {name}={attributes[name]}> leads out of the page"
        if "id" in attributes:
            assert attributes["id"] not in self.ids, f"two elements are called {attributes['id']}"
            self.ids.add(attributes["id"])
        if tag not in VOID:
            self.open.append((tag, attributes.get("id")))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == ("script", "data"):
            self.data += data
        elif self.open and self.open[-1][0] in ("style", "script"):
            loads = re.search(r"@import|url\(|fetch\(|XMLHttpRequest|\bimport\b|innerHTML", data)
            assert not loads, f"the page loads something, or trusts text: {loads}"
            assert "{{" not in data, "a part of the page is missing"


def main():
    command, path = sys.argv[1:3]
    if command == "page":
        page = Page()
        page.feed(open(path, encoding="utf-8").read())
        page.close()
        assert not page.open, f"{page.open} are not closed"
        assert json.loads(page.data) == json.load(open(sys.argv[3], encoding="utf-8")), "the page holds other data"
        print("the page is sound")
        return
    report = json.load(open(path, encoding="utf-8"))
    if command == "get":
        for field in sys.argv[3:]:
            print(f"{field}: {json.dumps(get(report, field), sort_keys=True)}")
        return
    for entry in report["entries"]:
        check_entry(entry, report)
    for matmul in report["matmuls"]:
        assert any(weight["name"] == matmul["weight"] for weight in report["weights"]), matmul
    print(f"{len(report['entries'])} entries are sound")


main()
