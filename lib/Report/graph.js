// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The graph of fusions of an entry: each launch a box, lines from who writes to who reads. What repeats is drawn once.

/** The launches of an entry in stretches: {first, length, count}; count > 1 where a stretch is repeated. */
function segmentsOf(entry) {
  const segments = [];
  let at = 0;
  const plain = (end) => { if (end > at) segments.push({ first: at, length: end - at, count: 1 }); at = end; };
  for (const repeat of entry.repeats) {
    plain(repeat.first);
    segments.push({ first: repeat.first, length: repeat.period, count: repeat.count });
    at = repeat.first + repeat.period * repeat.count;
  }
  plain(entry.launches.length);
  return segments;
}

/** Launches of a segment in rows: each below all that it reads from within the segment. */
function levelsOf(entry, segment) {
  const levels = [];
  const levelOf = new Map();
  for (let i = segment.first; i < segment.first + segment.length; ++i) {
    const before = entry.launches[i].after.filter((other) => levelOf.has(other));
    const level = before.length ? 1 + Math.max(...before.map((other) => levelOf.get(other))) : 0;
    levelOf.set(i, level);
    (levels[level] = levels[level] || []).push(i);
  }
  return { levels, levelOf };
}

/** `from`: launches that it reads and that no line leads from, being drawn elsewhere. */
function makeBox(entry, index, longest, from) {
  const launch = entry.launches[index];
  const kernel = kernelOf(launch);
  return make("button", { class: "box", type: "button", style: `--kind:${colorOf(kernel.kind)}`, "data-index": index, onclick: () => showKernel(entry, launch) },
    make("div", { class: "head" }, make("b", {}, kernel.name), make("span", { class: "quiet" }, `#${index}`)),
    make("div", { class: "where" }, describeWhere(launch.where)),
    from.length ? make("div", { class: "where" }, "reads " + from.map((other) => `#${other} ${kernelOf(entry.launches[other]).name}`).join(", ")) : null,
    makeOps(kernel),
    make("div", { class: "foot" }, make("span", {}, formatSeconds(launch.predictedSeconds)), make("span", {}, `${formatBytes(bytesOf(launch.cost))}, ${launch.bound}`)),
    make("span", { class: "bar" }, make("i", { style: `width:${(100 * launch.predictedSeconds) / longest}%;background:${colorOf(kernel.kind)}` })));
}

/** Draws the lines of a flow from where its boxes are now. */
function drawEdges(entry, flow, svg, boxes, levelOf) {
  const frame = flow.getBoundingClientRect();
  if (!frame.width) return;
  const place = (box) => {
    const r = box.getBoundingClientRect();
    return { left: r.left - frame.left, right: r.right - frame.left, top: r.top - frame.top, bottom: r.bottom - frame.top, x: (r.left + r.right) / 2 - frame.left };
  };
  const edges = [];
  for (const [index, box] of boxes)
    for (const other of entry.launches[index].after) if (boxes.has(other)) edges.push({ from: other, to: index, a: place(boxes.get(other)), b: place(box) });
  svg.replaceChildren();
  const lanes = { left: 0, right: 0 };
  const gutter = frame.width < 600 ? 17 : 30;
  for (const { from, to, a, b } of edges) {
    let path;
    if (levelOf.get(to) - levelOf.get(from) === 1) {
      const middle = (a.bottom + b.top) / 2;
      path = `M${a.x},${a.bottom} C${a.x},${middle} ${b.x},${middle} ${b.x},${b.top}`;
    } else {
      // Past rows in between, along the side that both are nearer to.
      const side = a.x + b.x > frame.width + 2 ? "right" : "left";
      const offset = 4 + ((lanes[side]++ * 5) % gutter);
      const [start, end] = [a[side], b[side]];
      const row = [...boxes].filter(([i]) => levelOf.get(i) > levelOf.get(from) && levelOf.get(i) < levelOf.get(to)).map(([, box]) => place(box)[side]);
      const lane = side === "right" ? Math.min(Math.max(start, end, ...row) + 6 + offset, frame.width - 3) : Math.max(Math.min(start, end, ...row) - 6 - offset, 3);
      const y = (box, part) => box.top + (box.bottom - box.top) * part;
      path = `M${start},${y(a, 0.7)} C${lane},${y(a, 0.7)} ${lane},${y(a, 0.7)} ${lane},${y(a, 0.7) + 14} L${lane},${y(b, 0.3) - 14} C${lane},${y(b, 0.3)} ${lane},${y(b, 0.3)} ${end},${y(b, 0.3)}`;
    }
    svg.append(makeSvg("path", { d: path, "data-from": from, "data-to": to }));
  }
}

function makeFlow(entry, segment, longest) {
  const { levels, levelOf } = levelsOf(entry, segment);
  const boxes = new Map();
  const svg = makeSvg("svg", { "aria-hidden": "true" });
  const flow = make("div", { class: "flow" }, svg, levels.map((row) => make("div", { class: "row" }, row.map((index) => {
    const box = makeBox(entry, index, longest, entry.launches[index].after.filter((other) => !levelOf.has(other)));
    boxes.set(index, box);
    const light = (on) => () => {
      for (const path of svg.children) {
        const touches = Number(path.dataset.from) === index || Number(path.dataset.to) === index;
        path.classList.toggle("lit", on && touches);
        if (touches) for (const end of [path.dataset.from, path.dataset.to]) boxes.get(Number(end)).classList.toggle("lit", on);
      }
    };
    box.addEventListener("pointerenter", light(true));
    box.addEventListener("pointerleave", light(false));
    box.addEventListener("focus", light(true));
    box.addEventListener("blur", light(false));
    return box;
  }))));
  new ResizeObserver(() => drawEdges(entry, flow, svg, boxes, levelOf)).observe(flow);
  return flow;
}

function showGraph(entry) {
  const longest = Math.max(...entry.launches.map((launch) => launch.predictedSeconds));
  const segments = segmentsOf(entry);
  const parts = segments.map((segment, i) => {
    const launches = entry.launches.slice(segment.first, segment.first + segment.length);
    const seconds = launches.reduce((sum, launch) => sum + launch.predictedSeconds, 0) * segment.count;
    const what = segment.count > 1
      ? `×${segment.count}: the same ${segment.length} kernels, ${formatCount(segment.count)} times over`
      : segments.length === 1 ? "All launches" : i === 0 ? "Before the repetition" : i === segments.length - 1 ? "After the last repetition" : "Between";
    const body = make("details", { class: "segment" + (segment.count > 1 ? " repeat" : ""), open: segment.length <= 64 },
      make("summary", {}, what, make("span", { class: "quiet" }, `, ${formatCount(segment.length * segment.count)} ${segment.length * segment.count === 1 ? "launch" : "launches"}, ${formatSeconds(seconds)}, ${formatShare(seconds, entry.predictedSeconds)}`)),
      makeFlow(entry, segment, longest));
    return body;
  });
  section("graph").replaceChildren(
    make("h2", {}, `Fusions of ${entry.name}`),
    makeEntryChoice(entry),
    make("p", { class: "quiet" }, "A box is a region, which is one kernel; a line leads from what writes a value to what reads it, KV cache included. Choose a box for its bytes, operations and IR."),
    ...parts);
}
