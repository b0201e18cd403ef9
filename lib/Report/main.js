// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which entry is looked at, and the sections in order.
let chosen = report.entries[0];

function makeEntryChoice(entry) {
  if (report.entries.length < 2) return null;
  const select = make("select", { "aria-label": "entry", onchange: () => chooseEntry(select.value) }, report.entries.map((each) => make("option", { value: each.name, selected: each === entry }, each.name)));
  return make("div", { class: "controls" }, make("label", {}, "entry", select));
}

function chooseEntry(name) {
  chosen = report.entries.find((entry) => entry.name === name) || chosen;
  showTime(chosen);
  showGraph(chosen);
  showMemory(chosen);
}

function showMethod() {
  const { profile } = report;
  const rate = (value, unit) => (value > 0 ? formatRate(value, unit) : "–");
  const rows = [
    ["chip", [profile.name, profile.product].filter(Boolean).join(", ")], ["rates", profile.measured ? "measured on the chip" : "estimates; nothing was measured"],
    ["launch", formatSeconds(profile.launchSeconds)], ["copy, read and written counted", rate(profile.copyBandwidth, "B/s")], ["read", rate(profile.readBandwidth, "B/s")],
    ["f32", rate(profile.flopsF32, "FLOP/s")], ["bf16", rate(profile.flopsBf16, "FLOP/s")], ["f8", profile.multipliesF8 ? rate(profile.flopsF8, "FLOP/s") : "multiplied as bf16"],
    ["processors", formatCount(profile.processors)], ["last-level cache", formatBytes(profile.cacheBytes)], ["memory", profile.memoryBytes ? formatBytes(profile.memoryBytes) : "–"]];
  section("method").replaceChildren(
    make("h2", {}, "How times are predicted"),
    make("p", {}, "The roofline model, for each launch: ", make("code", {}, "launch + max(bytes / bandwidth, operations / rate)"),
      ". Every tensor is read once and written once; of an embedding only the rows that are looked up. An addition, a multiplication or any other operation on an element counts as one. Caches, occupancy and kernels that overlap are not modelled: a step may be faster where data stays in a cache, and slower where a kernel falls short of the chip's rates."),
    makeTable([{ title: "profile" }, { title: "value" }], rows),
    make("p", { class: "quiet" }, `Report version ${report.version}, ${report.producer}. The data of this page is JSON; mjolnir-compile --report=FILE.json writes it alone.`));
}

showSummary();
if (chosen) chooseEntry(chosen.name);
showKv();
showPrecision();
showKernels();
showRemarks();
showMethod();
document.querySelector("main").append(make("footer", {}));
