// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Numbers for people, and elements. Text of the report is only ever set as text, never as HTML.
const report = JSON.parse(document.getElementById("data").textContent);
const svgNamespace = "http://www.w3.org/2000/svg";

/** An element with attributes and children (elements or text). */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const section = (id) => document.getElementById(id);

/** A table in a box that scrolls by itself. Columns: {title, number, name}; rows: arrays of cells. */
function makeTable(columns, rows) {
  const classes = (column) => [column.number && "number", column.name && "name", column.nowrap && "nowrap", column.wide && "wide"].filter(Boolean).join(" ") || undefined;
  return make("div", { class: "scroll", tabindex: "0" },
    make("table", {},
      make("thead", {}, make("tr", {}, columns.map((column) => make("th", { class: column.number && "number", scope: "col", title: column.help }, column.title)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell, i) => make("td", { class: classes(columns[i]) }, cell)))))));
}

/** Three significant digits. */
function digits(value) {
  if (value === 0) return "0";
  if (value >= 99.95) return Math.round(value).toLocaleString("en");
  return value.toPrecision(3).replace(/\.?0+$/, "");
}

function scaled(value, units, base) {
  let i = 0;
  while (i + 1 < units.length && value >= base * 0.9995) {
    value /= base;
    ++i;
  }
  return digits(value) + " " + units[i];
}

const formatBytes = (value) => (value === null || value === undefined ? "–" : scaled(value, ["B", "KiB", "MiB", "GiB", "TiB"], 1024));
const formatFlops = (value) => scaled(value, ["", "K", "M", "G", "T", "P"], 1000).trim();
const formatSeconds = (value) => scaled(value * 1e9, ["ns", "µs", "ms", "s"], 1000);
const formatCount = (value) => value.toLocaleString("en");
const formatRate = (value, unit) => scaled(value, ["", "K", "M", "G", "T"], 1000).trim() + unit;
function formatShare(part, whole) {
  const percent = (100 * part) / whole;
  return !(whole > 0) ? "–" : percent >= 9.95 ? Math.round(percent) + "%" : percent >= 0.095 ? percent.toFixed(1) + "%" : "< 0.1%";
}

const bytesOf = (cost) => cost.bytesRead + cost.bytesWritten;
const flopsOf = (cost) => Object.values(cost.flops).reduce((sum, flops) => sum + flops, 0);
const shortOp = (name) => name.replace(/^(mj|arith|math)\./, "");
const kernelOf = (launch) => (launch.kernel === null ? { name: "copy", kind: "copy", ops: [], ir: "", schedule: "", tiles: 0 } : report.kernels[launch.kernel]);
const colorOf = (kind) => `var(--${kind})`;
const kindNames = { matmul: "matrix products", attention: "attention", rows: "row-wise operations", sample: "sampling", copy: "copies" };

/** Layers are numbered: what differs only in that is shown once. */
const withoutLayers = (text) => text.replace(/\b(l|layers?[._]|blocks?[._]|h[._])(\d+)(?=[._\s"':,)]|$)/g, "$1*");

/** A short form of the modules of a kernel: what they share, and each one's own part. */
function describeWhere(names) {
  if (names.length === 0) return "";
  if (names.length === 1) return names[0];
  const parts = names.map((name) => name.split("."));
  let shared = 0;
  while (parts.every((part) => part.length > shared + 1 && part[shared] === parts[0][shared])) ++shared;
  const own = [...new Set(parts.map((part) => part.slice(shared).join(".")))];
  const head = parts[0].slice(0, shared).join(".");
  const list = own.slice(0, 4).join(", ") + (own.length > 4 ? ", …" : "");
  return head ? `${head}: ${list}` : list;
}
