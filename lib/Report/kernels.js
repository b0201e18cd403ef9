// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What each compiled kernel takes of a multiprocessor, and one launch in full.

/** Of the threads that a multiprocessor can hold, those of the blocks that fit at a time. */
const occupancyOf = ({ threads, blocksPerProcessor }) => (threads * blocksPerProcessor) / report.profile.threadsPerProcessor;

function showKernels() {
  const { profile } = report;
  const kernels = report.kernels.filter((kernel) => kernel.resources);
  if (!kernels.length) {
    section("kernels").replaceChildren(make("h2", {}, "Kernels"),
      make("p", {}, report.target.kind === "host" ? "Kernels of the host take nothing that is counted." : "The program was not compiled to code: what its kernels take is not known."));
    return;
  }
  const columns = [{ title: "kernel", name: true }, { title: "schedule", nowrap: true }, { title: "blocks", number: true, help: "of a launch" }, { title: "threads", number: true, help: "of a block" },
    { title: "registers", number: true, help: "of a thread" }, { title: "spilled", number: true, help: "bytes of a thread, stored and loaded" }, { title: "shared memory", number: true, help: "of a block" },
    { title: "blocks at a time", number: true, help: "that a multiprocessor holds" }, { title: "occupancy", number: true, help: "of the threads that a multiprocessor can hold" }];
  const rows = kernels.map((kernel) => {
    const { threads, registers, spillBytes, sharedBytes, blocksPerProcessor } = kernel.resources;
    const name = kernel.replaced ? [kernel.name, " ", make("span", { class: "badge", title: "compiled from a source that was loaded" }, "replaced")] : kernel.name;
    return [name, kernel.schedule, formatCount(kernel.tiles), formatCount(threads), formatCount(registers), spillBytes ? make("span", { class: "badge missed" }, formatBytes(spillBytes)) : "0", formatBytes(sharedBytes),
      formatCount(blocksPerProcessor), formatShare(occupancyOf(kernel.resources), 1)];
  });
  const calls = report.kernels.filter((kernel) => kernel.library).map((kernel) => `${kernel.name} (${kernel.library})`);
  section("kernels").replaceChildren(make("h2", {}, "Kernels"), makeTable(columns, rows),
    ...(calls.length ? [make("p", {}, `Computed by libraries, whose kernels are not known here: ${calls.join(", ")}.`)] : []),
    make("p", { class: "quiet" }, `A multiprocessor of ${profile.name} holds ${formatCount(profile.threadsPerProcessor)} threads, ${formatCount(profile.registersPerProcessor)} registers and ${formatBytes(profile.sharedBytesPerProcessor)} of shared memory, ` +
      `of which a block may have ${formatBytes(profile.sharedBytesPerBlock)}; there are ${formatCount(profile.processors)}. Few threads need not be slow: what matters is how many bytes are on their way.`));
}

/** One launch in full. */
function showKernel(entry, launch) {
  const kernel = kernelOf(launch);
  const { cost } = launch;
  const dialog = section("kernel");
  const rows = [
    ["where", launch.where.join(", ") || "–"], ["launch", `#${entry.launches.indexOf(launch)} of ${entry.name}, ${formatCount(kernel.tiles)} tiles, schedule ${kernel.schedule}${launch.dependent ? ", starts before the one before it ends where the device can" : ""}`],
    ["reads", `${formatBytes(cost.bytesRead)}: ${formatBytes(cost.weightBytes)} weights, ${formatBytes(cost.kvBytes)} KV cache (read or written)`], ["writes", formatBytes(cost.bytesWritten)],
    ["computes", Object.entries(cost.flops).map(([arithmetic, flops]) => `${formatFlops(flops)} in ${arithmetic}`).join(", ") || "nothing"],
    ["predicted", `${formatSeconds(launch.predictedSeconds)} = ${formatSeconds(report.profile.launchSeconds)} launch + ${formatSeconds(launch.latencySeconds)} latency + max(${formatSeconds(launch.memorySeconds)} memory, ${formatSeconds(launch.computeSeconds)} compute); bound by ${launch.bound}`],
    ["weights", launch.weights.join(", ") || "–"], ["inputs", launch.inputs.join(", ") || "–"], ["outputs", launch.outputs.join(", ") || "–"],
    ["after", launch.after.map((index) => `#${index} ${kernelOf(entry.launches[index]).name}`).join(", ") || "–"]];
  if (kernel.resources) {
    const { threads, registers, spillBytes, sharedBytes, blocksPerProcessor } = kernel.resources;
    rows.push(["takes", `${formatCount(threads)} threads of ${formatCount(registers)} registers, ${spillBytes ? `${formatBytes(spillBytes)} spilled, ` : ""}${formatBytes(sharedBytes)} of shared memory: ` +
      `${formatCount(blocksPerProcessor)} blocks on a multiprocessor, occupancy ${formatShare(occupancyOf(kernel.resources), 1)}`]);
  }
  if (kernel.library) rows.push(["computed by", `a call of ${kernel.library}`]);
  if (kernel.replaced) rows.push(["source", "loaded; not the generated one"]);
  if (cost.unknownOps) rows.push(["not counted", `the arithmetic of ${cost.unknownOps} operations`]);
  dialog.replaceChildren(
    make("button", { class: "close", onclick: () => dialog.close() }, "close"),
    make("h2", { id: "kernel-name", style: "margin-top:0" }, kernel.name),
    make("table", {}, make("tbody", {}, rows.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value))))),
    make("h3", {}, "IR"), make("pre", {}, kernel.ir));
  dialog.showModal();
}
