// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The memory plan as a picture: launches to the right, offsets in the arena upwards, a rectangle for each buffer.

/** Round steps for about `count` marks up to `limit`. */
function ticksOf(limit, count, base) {
  if (limit <= 0) return [0];
  let step = Math.pow(base, Math.floor(Math.log(limit / count) / Math.log(base)));
  while (limit / step > count) step *= 2;
  step = Math.max(step, 1);
  const ticks = [];
  for (let at = 0; at <= limit; at += step) ticks.push(at);
  return ticks;
}

/** Bytes that hold something at each launch; what is written in place over another lies in the same bytes. */
function liveBytes(entry) {
  const align = (bytes) => Math.ceil(bytes / entry.arena.alignment) * entry.arena.alignment;
  const ranges = entry.launches.map(() => []);
  for (const buffer of entry.arena.buffers)
    for (let i = buffer.first; i <= buffer.last; ++i) ranges[i].push([buffer.offset, buffer.offset + align(buffer.bytes)]);
  return ranges.map((list) => {
    let sum = 0, end = 0;
    for (const [from, to] of list.sort((a, b) => a[0] - b[0])) {
      sum += Math.max(0, to - Math.max(from, end));
      end = Math.max(end, to);
    }
    return sum;
  });
}

function drawArena(entry) {
  const width = 1160, height = 340, left = 74, bottom = 34, top = 10, right = 10;
  const count = entry.launches.length;
  const x = (launch) => left + ((width - left - right) * launch) / count;
  const y = (bytes) => height - bottom - ((height - bottom - top) * bytes) / entry.arena.bytes;
  const svg = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${entry.arena.buffers.length} buffers in an arena of ${entry.arena.bytes} bytes` });
  for (const at of ticksOf(entry.arena.bytes, 6, 1024))
    svg.append(makeSvg("line", { class: "axis", x1: left, x2: width - right, y1: y(at), y2: y(at) }),
      makeSvg("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, formatBytes(at)));
  for (const at of ticksOf(count, 10, 10))
    svg.append(makeSvg("text", { x: x(at), y: height - bottom + 16, "text-anchor": "middle" }, String(at)));
  svg.append(makeSvg("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, "launch"));
  for (const buffer of entry.arena.buffers) {
    const writer = kernelOf(entry.launches[buffer.first]);
    const rectangle = makeSvg("rect", {
      class: "buffer", x: x(buffer.first), width: Math.max(x(buffer.last + 1) - x(buffer.first), 0.5), y: y(buffer.offset + buffer.bytes),
      height: Math.max(y(buffer.offset) - y(buffer.offset + buffer.bytes), 1), style: `fill:${colorOf(writer.kind)}` },
      makeSvg("title", {}, `${formatCount(buffer.bytes)} bytes at ${formatCount(buffer.offset)}\nwritten by #${buffer.first} ${writer.name}, ${describeWhere(entry.launches[buffer.first].where)}\nlast read by #${buffer.last} ${kernelOf(entry.launches[buffer.last]).name}`));
    svg.append(rectangle);
  }
  const live = liveBytes(entry);
  svg.append(makeSvg("path", { class: "live", d: live.map((bytes, i) => `${i ? "L" : "M"}${x(i)},${y(bytes)} L${x(i + 1)},${y(bytes)}`).join(" ") }));
  return svg;
}

function showMemory(entry) {
  const { arena } = entry;
  const content = [make("h2", {}, `Memory plan of ${entry.name}`), makeEntryChoice(entry)];
  if (!arena.buffers.length) content.push(make("p", {}, "Nothing lives between two launches: there is no arena."));
  else {
    const ratio = arena.bytes / arena.largestLiveSet;
    const kinds = [...new Set(arena.buffers.map((buffer) => kernelOf(entry.launches[buffer.first]).kind))];
    content.push(
      make("p", {}, `${formatCount(arena.buffers.length)} buffers share an arena of `, make("b", {}, formatBytes(arena.bytes)),
        ` (${formatCount(arena.bytes)} bytes). The most that lives at one time is ${formatBytes(arena.largestLiveSet)}: the plan takes `,
        make("b", {}, `${ratio.toFixed(2)} ×`), " that. Apart from each other they would take " + formatBytes(arena.buffers.reduce((sum, buffer) => sum + buffer.bytes, 0)) + "."),
      make("div", { class: "plot", tabindex: "0" }, drawArena(entry)),
      make("div", { class: "legend" }, kinds.map((kind) => make("span", {}, make("i", { style: `background:${colorOf(kind)}` }), `written by ${kindNames[kind]}`)),
        make("span", {}, make("i", { style: "background:var(--ink);height:2px;vertical-align:middle" }), "bytes alive")));
  }
  section("memory").replaceChildren(...content);
}
