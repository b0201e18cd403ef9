// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The KV plan, the precision of each matrix product, and remarks.

function showKv() {
  const content = [make("h2", {}, "KV cache")];
  if (!report.kvPools.length) {
    section("kv").replaceChildren(...content, make("p", {}, "The program has no KV cache."));
    return;
  }
  const pageTokens = report.kvPools[0].pageTokens;
  const columns = [{ title: "pool", name: true }, { title: "elements" }, { title: "layers", number: true }, { title: "heads", number: true }, { title: "head size", number: true },
    { title: "tokens a page", number: true }, { title: "bytes a page", number: true }, { title: "a token", number: true }, { title: "keeps" }];
  const rows = report.kvPools.map((pool) => [pool.name, pool.elementType, pool.layers, pool.heads, pool.headDim, pool.pageTokens, `${formatBytes(pool.pageBytes)} (${formatCount(pool.pageBytes)})`,
    formatBytes(pool.pageBytes / pool.pageTokens), pool.window ? `the last ${formatCount(pool.window)} tokens` : "all tokens"]);
  const budget = make("input", { type: "number", min: "0.1", step: "any", value: "4", "aria-label": "budget in GiB" });
  const context = make("input", { type: "number", min: "1", step: "1", value: String(Math.min(report.model.max_context || 4096, 4096)), "aria-label": "tokens a session" });
  const answer = make("p", {});
  // A pool with a window keeps that and the rows of a step: the largest step, in any place of a page.
  const stepRows = Math.max(1, ...report.entries.map((entry) => entry.tokens || 0));
  const pagesOf = ({ window }, tokens) => Math.ceil((window ? Math.min(tokens, window + stepRows - 1 + pageTokens - 1) : tokens) / pageTokens);
  const compute = () => {
    const bytes = Number(budget.value) * 2 ** 30;
    const needs = report.kvPools.map((pool) => ({ pool, pages: pagesOf(pool, Number(context.value)) }));
    if (!(bytes >= 0) || !needs.every(({ pages }) => pages > 0)) return answer.replaceChildren("Give a budget and a number of tokens.");
    const each = needs.reduce((sum, { pool, pages }) => sum + pages * pool.pageBytes, 0);
    const sessions = Math.floor(bytes / each);
    const parts = needs.map(({ pool, pages }) => `${formatCount(pages)} pages of ${formatBytes(pool.pageBytes)}${needs.length > 1 ? ` of ${pool.name}` : ""}`);
    answer.replaceChildren(make("b", {}, `${formatCount(sessions)} ${sessions === 1 ? "session" : "sessions"}`),
      `: ${parts.join(" and ")} for each (${formatBytes(each)}), ${formatBytes(bytes - sessions * each)} left.`);
  };
  budget.addEventListener("input", compute);
  context.addEventListener("input", compute);
  compute();
  content.push(makeTable(columns, rows),
    make("p", { class: "quiet" }, `A page holds ${formatCount(pageTokens)} tokens of all layers of its pool: layers × 2 × heads × tokens × head size × bytes of an element. How many pages there are is decided when the package is loaded.`),
    make("h3", {}, "Sessions that fit"),
    make("div", { class: "controls" }, make("label", {}, "budget", budget, "GiB"), make("label", {}, "tokens a session", context)), answer);
  section("kv").replaceChildren(...content);
}

/** Lines that differ in nothing but a layer's number are one. */
function groupLines(lines, keyOf) {
  const groups = new Map();
  for (const line of lines) {
    const key = keyOf(line);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(line);
  }
  return [...groups.values()];
}

/** What was declined in full; the rest when asked for. */
function makeNotes(lines) {
  const messages = (isShown) => [...new Set(lines.flatMap((line) => line.notes).map((note) => report.remarks[note])
    .filter((remark) => isShown === (remark.kind === "missed" || remark.kind === "failed")).map((remark) => withoutLayers(remark.message)))];
  const [declined, others] = [messages(true), messages(false)];
  if (!declined.length && !others.length) return "–";
  return [...declined.map((message) => make("div", {}, make("span", { class: "badge missed" }, "declined"), " ", message)),
    others.length ? make("details", {}, make("summary", {}, others.length === 1 ? "1 remark" : `${others.length} remarks`), others.map((message) => make("div", { class: "quiet" }, message))) : null].filter(Boolean);
}

function showPrecision() {
  const weights = new Map(report.weights.map((weight) => [weight.name, weight]));
  const sourceOf = (line) => (weights.get(line.weight) ? weights.get(line.weight).sources : []);
  const nameOf = (line) => sourceOf(line).map((source) => source.name).join(" + ") || line.weight;
  const groups = groupLines(report.matmuls, (line) => [withoutLayers(nameOf(line)), line.stored, line.activation, line.multiplied, line.result, line.weightScale, line.activationScale,
    line.entries.join(), (weights.get(line.weight) || {}).encoding, line.notes.map((note) => withoutLayers(report.remarks[note].message)).join()].join("|"));
  const columns = [{ title: "weight", name: true }, { title: "layers", number: true }, { title: "checkpoint, stored", nowrap: true }, { title: "encoding", nowrap: true }, { title: "bytes", number: true },
    { title: "activation" }, { title: "multiplied, summed", nowrap: true }, { title: "result" }, { title: "scales", nowrap: true }, { title: "entries" }, { title: "what passes said", wide: true }];
  const rows = groups.map((lines) => {
    const [line] = lines;
    const weight = weights.get(line.weight) || {};
    const scales = [line.weightScale, line.activationScale !== null && `activation ${digits(line.activationScale)}`].filter(Boolean).join(", ");
    const everywhere = line.entries.length === report.entries.length;
    return [lines.length > 1 ? withoutLayers(nameOf(line)) : nameOf(line), lines.length > 1 ? `×${lines.length}` : "", [...new Set([...sourceOf(line).map((source) => source.stored), line.stored])].join(" → "), weight.encoding || "",
      formatBytes(lines.reduce((sum, each) => sum + ((weights.get(each.weight) || {}).bytes || 0), 0)), line.activation, `${line.multiplied}, ${line.accumulated}`, line.result, scales || "–",
      everywhere ? "all" : line.entries.join(", "), makeNotes(lines)];
  });
  section("precision").replaceChildren(
    make("h2", {}, "Precision of each matrix product"),
    rows.length ? makeTable(columns, rows) : make("p", {}, "The program multiplies by no weights."));
}

const kindOrder = ["missed", "failed", "passed", "analysis"];
const kindTitles = { missed: "declined", failed: "failed", passed: "done", analysis: "noted" };

function showRemarks() {
  const passes = [...new Set(report.remarks.map((remark) => remark.pass))];
  const filter = make("input", { type: "search", placeholder: "filter: a word, a weight, a layer", "aria-label": "filter remarks" });
  const pass = make("select", { "aria-label": "pass" }, make("option", { value: "" }, "all passes"), passes.map((name) => make("option", { value: name }, name)));
  const kind = make("select", { "aria-label": "kind" }, make("option", { value: "missed failed" }, "declined"), make("option", { value: "passed" }, "done"),
    make("option", { value: "analysis" }, "noted"), make("option", { value: kindOrder.join(" ") }, "all"));
  if (!report.remarks.some((remark) => remark.kind === "missed" || remark.kind === "failed")) kind.value = kindOrder.join(" ");
  const list = make("div", {});
  const count = make("span", { class: "quiet", role: "status" });
  const update = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kinds = kind.value.split(" ");
    const shown = report.remarks.filter((remark) => kinds.includes(remark.kind) && (!pass.value || remark.pass === pass.value) &&
      words.every((word) => `${remark.message} ${remark.where} ${remark.name} ${remark.pass}`.toLowerCase().includes(word)));
    count.textContent = `${formatCount(shown.length)} of ${formatCount(report.remarks.length)}`;
    list.replaceChildren(...passes.map((name) => makeRemarks(name, shown.filter((remark) => remark.pass === name))).filter(Boolean));
  };
  for (const control of [filter, pass, kind]) control.addEventListener("input", update);
  update();
  section("remarks").replaceChildren(make("h2", {}, "What passes did and declined"), make("div", { class: "controls" }, kind, pass, filter, count), list);
}

/** The remarks of one pass, alike ones of several layers together. */
function makeRemarks(pass, remarks) {
  if (!remarks.length) return null;
  const groups = groupLines(remarks, (remark) => [remark.kind, remark.name, withoutLayers(remark.message)].join("|"));
  groups.sort((a, b) => kindOrder.indexOf(a[0].kind) - kindOrder.indexOf(b[0].kind));
  return make("div", { class: "group" }, make("h3", {}, pass), groups.map((group) => {
    const [first] = group;
    const heading = [make("span", { class: `badge ${first.kind}` }, kindTitles[first.kind]), " ", group.length > 1 ? withoutLayers(first.message) : first.message, " "];
    if (group.length === 1)
      return make("div", { class: "remark" }, heading, make("span", { class: "quiet" }, [first.where, first.count > 1 ? `×${first.count}` : ""].filter(Boolean).join(" ")));
    return make("details", { class: "remark" }, make("summary", {}, heading, make("span", { class: "quiet" }, `×${formatCount(group.length)}`)),
      make("ul", {}, group.map((remark) => make("li", {}, `${remark.where ? remark.where + ": " : ""}${remark.message}${remark.count > 1 ? ` ×${remark.count}` : ""}`))));
  }));
}
