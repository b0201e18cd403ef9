// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What was compiled, each entry in a line, and where the time of one entry goes.
const isMeasured = report.profile.measured;
const predictedHelp = isMeasured
  ? "Computed from bytes, operations and this chip's measured rates; not a measurement of this program."
  : "Computed from bytes, operations and estimated rates of the chip; nothing of it was measured.";
const predictedBadge = () => make("span", { class: "badge", title: predictedHelp }, "predicted");

function makeCard(value, label, badge) {
  return make("div", { class: "card" }, make("b", {}, value), make("span", {}, label, badge ? " " : null, badge || null));
}

function showSummary() {
  const { model, target, profile } = report;
  document.title = `${model.name}: Mjolnir report`;
  section("title").textContent = model.name;
  const activations = [...new Set(report.matmuls.map((line) => line.activation))].join(", ");
  section("subtitle").textContent =
    `${model.architecture ? model.architecture + ", c" : "C"}ompiled by ${report.producer} for ${target.name}` +
    `${profile.name && profile.name !== target.name ? ` (${profile.name})` : ""}${activations ? `; matrix products of ${activations}, summed in f32` : ""}.`;

  const weightBytes = report.weights.reduce((sum, weight) => sum + (weight.bytes || 0), 0);
  const decode = report.entries.find((entry) => entry.kind === "decode");
  const cards = [];
  if (decode) cards.push(makeCard(digits(decode.predictedTokensPerSecond), `tokens/s, decode, batch ${decode.sequences},`, predictedBadge()));
  const prefill = report.entries.filter((entry) => entry.kind === "prefill").pop();
  if (prefill) cards.push(makeCard(digits(prefill.predictedTokensPerSecond), `tokens/s, prefill of ${prefill.tokens},`, predictedBadge()));
  if (report.package) cards.push(makeCard(formatBytes(report.package.bytes), `package ${report.package.file}`));
  cards.push(makeCard(formatBytes(weightBytes), `weights, ${formatCount(report.weights.length)} tensors`));
  cards.push(makeCard(formatCount(report.kernels.length), `kernels for ${report.entries.length} ${report.entries.length === 1 ? "entry" : "entries"}`));
  for (const pool of report.kvPools)
    cards.push(makeCard(formatBytes(pool.pageBytes / pool.pageTokens), `KV cache a token, ${pool.elementType}`));
  const missed = report.remarks.filter((remark) => remark.kind === "missed" || remark.kind === "failed");
  cards.push(makeCard(formatCount(missed.length), "things declined, with reasons"));

  const columns = [
    { title: "entry", name: true }, { title: "rows", number: true }, { title: "sequences", number: true },
    { title: "launches", number: true }, { title: "moves", number: true, help: "bytes read and written, once each" },
    { title: "computes", number: true, help: "floating-point operations" },
    { title: "a step", number: true, help: predictedHelp }, { title: "tokens/s", number: true, help: predictedHelp },
    { title: "arena", number: true }, { title: "bound by" }];
  const rows = report.entries.map((entry) => [
    make("button", { class: "link", onclick: () => { chooseEntry(entry.name); section("time").scrollIntoView(); } }, entry.name),
    entry.tokens === undefined ? "–" : formatCount(entry.tokens), entry.sequences === undefined ? "–" : formatCount(entry.sequences),
    formatCount(entry.launches.length), formatBytes(bytesOf(entry.cost)), formatFlops(flopsOf(entry.cost)),
    formatSeconds(entry.predictedSeconds), entry.predictedTokensPerSecond === null ? "–" : digits(entry.predictedTokensPerSecond),
    formatBytes(entry.arena.bytes), describeBounds(entry)]);
  section("summary").append(
    make("div", { class: "cards" }, cards),
    make("h2", {}, "Entry points ", predictedBadge()),
    makeTable(columns, rows),
    make("p", { class: "quiet" }, `Times are predictions. ${predictedHelp} `, make("a", { href: "#method" }, "How they are made.")));
}

/** "memory 87%, launch 13%": which bound the predicted time falls to. */
function describeBounds(entry) {
  const seconds = {};
  for (const launch of entry.launches) seconds[launch.bound] = (seconds[launch.bound] || 0) + launch.predictedSeconds;
  return Object.entries(seconds).sort((a, b) => b[1] - a[1]).map(([bound, time]) => `${bound} ${formatShare(time, entry.predictedSeconds)}`).join(", ");
}

/** The launches of an entry by kernel, the longest first. */
function groupByKernel(entry) {
  const groups = new Map();
  for (const launch of entry.launches) {
    const kernel = kernelOf(launch);
    if (!groups.has(kernel.name)) groups.set(kernel.name, { kernel, launches: [], seconds: 0 });
    const group = groups.get(kernel.name);
    group.launches.push(launch);
    group.seconds += launch.predictedSeconds;
  }
  return [...groups.values()].sort((a, b) => b.seconds - a.seconds || a.kernel.name.localeCompare(b.kernel.name));
}

function makeOps(kernel) {
  const counts = new Map();
  for (const op of kernel.ops) if (op !== "arith.constant") counts.set(op, (counts.get(op) || 0) + 1);
  return make("div", { class: "ops" }, [...counts].map(([op, count]) => make("span", { class: "op" }, shortOp(op) + (count > 1 ? ` ×${count}` : ""))));
}

function showTime(entry) {
  const groups = groupByKernel(entry);
  const total = entry.predictedSeconds;
  const kinds = new Map();
  for (const group of groups) kinds.set(group.kernel.kind, (kinds.get(group.kernel.kind) || 0) + group.seconds);
  const launchSeconds = entry.launches.length * report.profile.launchSeconds;
  const sorted = [...kinds].sort((a, b) => b[1] - a[1]);
  const columns = [
    { title: "kernel", nowrap: true }, { title: "operations" }, { title: "launches", number: true },
    { title: "moves", number: true, help: "a launch, on average" }, { title: "computes", number: true, help: "a launch, on average" },
    { title: "a launch", number: true }, { title: "in all", number: true }, { title: "share" }, { title: "bound by" }];
  const rows = groups.map(({ kernel, launches, seconds }) => [
    make("button", { class: "link", onclick: () => showKernel(entry, launches[0]) }, kernel.name), makeOps(kernel), formatCount(launches.length),
    formatBytes(launches.reduce((sum, launch) => sum + bytesOf(launch.cost), 0) / launches.length),
    formatFlops(launches.reduce((sum, launch) => sum + flopsOf(launch.cost), 0) / launches.length),
    formatSeconds(seconds / launches.length), formatSeconds(seconds),
    make("span", { title: formatShare(seconds, total) }, formatShare(seconds, total),
      make("span", { class: "bar" }, make("i", { style: `width:${(100 * seconds) / groups[0].seconds}%;background:${colorOf(kernel.kind)}` }))),
    launches[0].bound]);
  section("time").replaceChildren(
    make("h2", {}, `Where the time of ${entry.name} goes `, predictedBadge()),
    makeEntryChoice(entry),
    make("div", { class: "stack", role: "img", "aria-label": sorted.map(([kind, seconds]) => `${kindNames[kind]} ${formatShare(seconds, total)}`).join(", ") },
      sorted.map(([kind, seconds]) => make("div", { style: `width:${(100 * seconds) / total}%;background:${colorOf(kind)}`, title: `${kindNames[kind]}: ${formatSeconds(seconds)}` }))),
    make("div", { class: "legend" }, sorted.map(([kind, seconds]) => make("span", {}, make("i", { style: `background:${colorOf(kind)}` }), `${kindNames[kind]} ${formatSeconds(seconds)}, ${formatShare(seconds, total)}`))),
    make("p", {}, `A step takes ${formatSeconds(total)}, ${formatSeconds(launchSeconds)} of that between ${formatCount(entry.launches.length)} launches. ` + describeAssumptions(entry)),
    makeTable(columns, rows));
}

function describeAssumptions(entry) {
  if (!entry.assumed) return "";
  if (entry.kind === "decode") return `Each of the ${formatCount(entry.sequences)} sequences is assumed to have ${formatCount(entry.assumed.contextTokens)} tokens in the cache.`.replace("Each of the 1 sequences", "The sequence");
  return `All ${formatCount(entry.tokens)} rows are assumed to be one prompt that starts.`;
}
