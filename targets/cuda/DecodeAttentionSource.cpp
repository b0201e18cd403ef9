// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention over pages of one row a sequence, with what computes the row's query, key and value.
#include "targets/cuda/AttentionPrinter.h"
#include "targets/cuda/DecodeAttention.h"
#include "targets/cuda/Reductions.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

namespace {

class DecodeAttentionPrinter : public AttentionPrinter {
public:
  using AttentionPrinter::AttentionPrinter;
  LogicalResult print();

private:
  LogicalResult printPlainDecode();
  void findStaged(ElementPrinter &start);
  void printStaging(ElementPrinter &start);
  LogicalResult printItems(ElementPrinter &start, const DecodeAttentionShape &shape);
  LogicalResult printReductions();
  LogicalResult printQueries(StringRef scale);
  LogicalResult printOwnRows(mj::KvAppendOp append);
  void printPadding(StringRef condition);
  /// The store of `y`, element `d` of query head `h` of the kv head.
  void printStoreOfHead() {
    printer.line(formatv("  store({0}, (int64_t(row) * {1} + head * {2} + h) * {3} + d, y);",
                         context.result(resultIndex()), heads, group, size));
  }

  /// Declares `start` and `stop`: the positions that row `row` of sequence `sequence` sees.
  void printVisible(ElementPrinter &out) {
    out.line("const int stop = context_lengths[sequence] - (sequence_offsets[sequence + 1] - 1 - row);");
    if (auto window = attention.getWindow())
      out.line(formatv("const int start = max(stop - {0}, 0);", int64_t(*window)));
    else
      out.line("const int start = 0;");
  }

  /// Whether there are scales in memory before the kernel begins.
  bool hasStoredScales() { return isa_and_nonnull<BlockArgument>(attention.getScales()); }

  std::string exponentScale() {
    return formatv("{0:e8}f", attention.getScale().convertToDouble() * 1.4426950408889634);
  }

  llvm::DenseSet<Value> known; ///< what is staged

  /// An array in shared memory of `count` elements: element i is what `from` says, of `row`, `head` and i; of
  /// `position` too where it is a line of a table.
  struct Staged {
    std::string name, from;
    StringRef element;
    int64_t count;
    Value position = {};
  };
  SmallVector<Staged> staged; ///< of a row and a kv head
};

} // namespace

/// The reductions of queries, keys and values of a row that a block for kv head `head` needs.
LogicalResult DecodeAttentionPrinter::printReductions() {
  SmallVector<Value> roots{attention.getQuery()};
  for (mj::KvAppendOp op : context.block().getOps<mj::KvAppendOp>())
    llvm::append_range(roots, ValueRange{op.getKey(), op.getValue()});
  Reductions reductions(printer, source.threads);
  return reductions.print(roots, [&](Operation *op) {
    SmallVector<AxisRange> result{{"row", 1}};
    SmallVector<int64_t> kept = getKeptSizes(op);
    ArrayRef<int64_t> inner = ArrayRef(kept).drop_front();
    for (int64_t axis : inner)
      result.push_back(inner.size() == 1 && axis == heads && heads != kv.getHeads()
                           ? AxisRange{formatv("head * {0}", group), group}
                       : inner.size() == 1 && axis == kv.getHeads() ? AxisRange{"head", 1}
                                                                    : AxisRange{"0", axis});
    return result;
  });
}

/// Declares `queries`: the heads of `row` that share kv head `head`, multiplied by `scale`.
LogicalResult DecodeAttentionPrinter::printQueries(StringRef scale) {
  printer.line(formatv("__shared__ float queries[{0}];", group * size));
  printer.line(formatv("for (int i = threadIdx.x; i < {0}; i += {1}) {{", group * size, source.threads));
  printer.indentBy(2);
  printer.startBlock();
  printer.line(formatv("const int h = head * {0} + i / {1}, d = i % {1};", group, size));
  FailureOr<std::string> query = printer.print(attention.getQuery(), {"row", "h", "d"});
  if (failed(query))
    return failure();
  printer.line("queries[i] = " + *query + (scale.empty() ? "" : " * " + scale) + ";");
  printer.startBlock();
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

/// Zeros for a row without a sequence.
void DecodeAttentionPrinter::printPadding(StringRef condition) {
  printer.line(formatv("if ({0})", condition));
  printer.line(formatv("  for (int i = threadIdx.x; i < {0}; i += {1})", group * size, source.threads));
  printer.line(formatv("    store({0}, (int64_t(row) * {1} + head * {2}) * {3} + i, 0.0f);",
                       context.result(resultIndex()), heads, group, size));
}

/// The row's own key and value to the block's memory, and from there to the cache.
LogicalResult DecodeAttentionPrinter::printOwnRows(mj::KvAppendOp append) {
  printer.line(formatv("for (int d = threadIdx.x; d < {0}; d += {1}) {{", size, source.threads));
  printer.indentBy(2);
  printer.startBlock();
  for (auto [rows, name, isValue] :
       {std::tuple(append.getKey(), "keyScale", "false"), std::tuple(append.getValue(), "valueScale", "true")}) {
    FailureOr<std::string> value = printer.print(rows, {"row", "head", "d"});
    if (failed(value))
      return failure();
    printer.line(formatv("store(attention.ownRow({0}), d, {1}{2});", isValue, *value,
                         append.getScales() ? " / " + std::string(name) : ""));
  }
  printer.startBlock();
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

/// What queries, keys and values are computed from goes to shared memory at once, before the first of several passes
/// over it. Prints what copies weights, and declarations, and finds what is to be copied of a row and a kv head.
void DecodeAttentionPrinter::findStaged(ElementPrinter &start) {
  unsigned number = 0;
  auto declare = [&](StringRef element, int64_t count) {
    std::string name = "staged" + std::to_string(number++);
    start.line(formatv("__shared__ {0} {1}[{2}];", element, name, count));
    return name;
  };
  for (Operation &op : context.block().without_terminator()) {
    if (auto reshape = dyn_cast<mj::ReshapeOp>(op)) {
      // Rows of heads: those of the kv head.
      ArrayRef<int64_t> shape = tensorOf(reshape.getResult()).getShape();
      if (!isa<BlockArgument>(reshape.getSource()) || shape.size() != 3 || shape[0] != rows || shape[2] != size ||
          (shape[1] != heads && shape[1] != kv.getHeads()))
        continue;
      int64_t lines = shape[1] / kv.getHeads();
      StringRef element = elementTypeName(tensorOf(reshape.getSource()).getElementType());
      std::string name = declare(element, lines * size);
      staged.push_back({name,
                        formatv("{0}[(int64_t(row) * {1} + head * {2}) * {3} + i]",
                                context.argument(reshape.getSource()), shape[1], lines, size),
                        element, lines * size});
      printer.setLeaf(reshape.getResult(), [=, this](ElementPrinter &, ArrayRef<std::string> indices) {
        return formatv("load({0}, ({1} - head * {2}) * {3} + {4})", name, indices[1], lines, size, indices[2]).str();
      });
    } else if (auto norm = dyn_cast<mj::NormOp>(op)) {
      Value weight = norm.getWeight();
      if (!weight || !isa<BlockArgument>(weight) || tensorOf(weight).getRank() != 1)
        continue;
      int64_t count = tensorOf(weight).getNumElements();
      std::string name = declare(elementTypeName(tensorOf(weight).getElementType()), count);
      start.line(formatv("for (int i = threadIdx.x; i < {0}; i += {1})", count, source.threads));
      start.line(formatv("  {0}[i] = {1}[i];", name, context.argument(weight)));
      printer.setMemory(weight, name);
    } else if (auto rope = dyn_cast<mj::RopeOp>(op)) {
      // One line of the table, that of the row's position.
      Value table = rope.getTable();
      if (!isa<BlockArgument>(table) || !isa_and_nonnull<BlockArgument>(rope.getPositions()) || known.contains(table))
        continue;
      known.insert(table);
      ArrayRef<int64_t> shape = tensorOf(table).getShape();
      int64_t count = shape[1] * shape[2];
      StringRef element = elementTypeName(tensorOf(table).getElementType());
      std::string name = declare(element, count);
      staged.push_back({name, formatv("{0}[int64_t(position) * {1} + i]", context.argument(table), count), element,
                        count, rope.getPositions()});
      printer.setLeaf(table, [=](ElementPrinter &, ArrayRef<std::string> indices) {
        return formatv("load({0}, ({1}) * {2} + {3})", name, indices[1], shape[2], indices[2]).str();
      });
    }
  }
}

/// Copies what is staged of a row and a kv head: lines of tables by `start`, rows of heads after the kernel waits.
/// Leaves the barrier to the caller.
void DecodeAttentionPrinter::printStaging(ElementPrinter &start) {
  for (const Staged &array : staged) {
    ElementPrinter &out = array.position ? start : printer;
    out.line(formatv("for (int i = threadIdx.x; i < {0}; i += {1}) {{", array.count, source.threads));
    if (array.position)
      out.line(formatv("  const int position = {0}[row];", context.argument(array.position)));
    out.line(formatv("  {0}[i] = {1};", array.name, array.from));
    out.line("}");
  }
}

/// Begins the loop over items and copies what is staged of one from registers. Those of the next item are loaded by
/// `bring`, whose call is left to the caller: before what takes long, so that they come meanwhile.
LogicalResult DecodeAttentionPrinter::printItems(ElementPrinter &start, const DecodeAttentionShape &shape) {
  auto each = [&](const Staged &array, StringRef statement) {
    context.os << "#pragma unroll\n";
    printer.line(formatv("for (int j = 0; j < {0}; ++j)", llvm::divideCeil(array.count, source.threads)));
    printer.line(formatv("  if (const int i = threadIdx.x + j * {0}; i < {1})", source.threads, array.count));
    printer.line("    " + statement.str());
  };
  SmallVector<Value> positions;
  for (const Staged &array : staged) {
    printer.line(
        formatv("{0} {1}Next[{2}];", array.element, array.name, llvm::divideCeil(array.count, source.threads)));
    if (array.position && !llvm::is_contained(positions, array.position))
      positions.push_back(array.position);
  }
  // Positions are read an item earlier still, since addresses depend on them.
  auto printPositions = [&](ElementPrinter &out, StringRef item, StringRef declaration) {
    for (Value value : positions)
      out.line(formatv("{0}{1}Next = {1}[min({2}, {3}) / {4}];", declaration, context.argument(value), item,
                       shape.items - 1, kv.getHeads()));
  };
  printPositions(start, formatv("int(blockIdx.x) / {0}", shape.splits).str(), "int ");
  printer.line("Batch::Guess guessNext;");
  printer.line("int slotNext = -1;");
  if (hasStoredScales())
    printer.line("float keyScaleNext, valueScaleNext;");
  printer.line("const auto bring = [&](int item) {");
  printer.indentBy(2);
  printer.line(formatv("const int row = item / {0}, head = item % {0};", kv.getHeads()));
  printer.line("guessNext = batch.guess(row);");
  if (!context.block().getOps<mj::KvAppendOp>().empty())
    printer.line("slotNext = slots[row];");
  if (hasStoredScales()) {
    printer.startBlock();
    if (failed(printScales(printer, "head", "", "Next")))
      return failure();
    printer.startBlock();
  }
  for (const Staged &array : staged) {
    if (array.position) {
      printer.line("{");
      printer.line(formatv("  const int position = {0}Next;", context.argument(array.position)));
      printer.indentBy(2);
    }
    each(array, formatv("{0}Next[j] = {1};", array.name, array.from).str());
    if (array.position) {
      printer.indentBy(-2);
      printer.line("}");
    }
  }
  printPositions(printer, formatv("item + {0}", shape.clusters).str(), "");
  printer.indentBy(-2);
  printer.line("};");
  printer.line(formatv("bring(blockIdx.x / {0});", shape.splits));
  printer.line(formatv("for (int item = blockIdx.x / {0}; item < {1}; item += {2}) {{", shape.splits, shape.items,
                       shape.clusters));
  printer.indentBy(2);
  printer.line(formatv("const int row = item / {0}, head = item % {0};", kv.getHeads()));
  for (const Staged &array : staged)
    each(array, formatv("{0}[i] = {0}Next[j];", array.name).str());
  if (hasStoredScales())
    printer.line("const float keyScale = keyScaleNext, valueScale = valueScaleNext;");
  return success();
}

/// Clusters take items in turn, each a row and a kv head: their blocks divide the context, their warps the tiles of it.
LogicalResult DecodeAttentionPrinter::print() {
  if (failed(checkResult()))
    return failure();
  auto appends = context.block().getOps<mj::KvAppendOp>();
  mj::KvAppendOp append = appends.empty() ? mj::KvAppendOp() : *appends.begin();
  source.letsNextStartLate = context.parameter("late");
  if (context.parameter("stages") == 0)
    return printPlainDecode();
  DecodeAttentionShape shape(context.kernel.getSchedule(), attention);
  source.threads = shape.warps * 32;
  source.cluster = shape.splits;
  source.blocks = shape.heldBlocks(context.profile);
  source.sharedBytes = shape.sharedBytes();

  llvm::raw_string_ostream early(context.beforeWait);
  ElementPrinter start(early, 2);
  start.line(formatv("using Batch = DecodeBatch<{0}, {1}, {2}>;", batch.getSequences(), batch.getPages(),
                     attention.getWindow() ? int64_t(*attention.getWindow()) : 0));
  start.line(
      formatv("using Attention = DecodeAttention<{0}, {1}, Batch, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}>;",
              cacheType(), elementTypeName(kv.getElementType()), group, size, shape.warps, shape.stages, shape.splits,
              shape.keys, append ? "true" : "false", shape.items, shape.clusters));
  start.line("static_assert(Attention::SharedBytes == " + Twine(source.sharedBytes) + ");");
  start.line("const Batch batch{sequence_offsets, context_lengths, block_tables};");
  start.line(formatv("Attention attention{{shared, pool, batch, int(blockIdx.x % {0})};", shape.splits));
  // The batch was there before the first kernel began, and so were the keys and values of earlier steps.
  (append ? start : printer).line(formatv("attention.begin(blockIdx.x / {0});", shape.splits));
  findStaged(start);
  const bool isRepeated = shape.items > shape.clusters;
  if (isRepeated) {
    if (failed(printItems(start, shape)))
      return failure();
  } else {
    start.line(formatv("const int item = blockIdx.x / {0}, row = item / {1}, head = item % {1};", shape.splits,
                       kv.getHeads()));
    printStaging(start);
    if (hasStoredScales()) {
      context.setArguments(start);
      start.line("float keyScale, valueScale;");
      start.line("{");
      start.indentBy(2);
      if (failed(printScales(start, "head", "")))
        return failure();
      start.indentBy(-2);
      start.line("}");
    }
    printer.line("const auto guessNext = batch.guess(row);");
    if (append)
      printer.line("const int slotNext = slots[row];");
  }
  printer.line("const auto part = attention.partOfItem(item, batch.find(row, guessNext));");
  if (append)
    printer.line("const int slot = attention.rank == 0 && part.sequence >= 0 ? slotNext : -1;");
  printer.line("__syncthreads();");
  if (failed(hasStoredScales() ? success() : printScales(printer, "head")) || failed(printReductions()) ||
      failed(printQueries("")) || (append && failed(printOwnRows(append))))
    return failure();
  printer.line("__syncthreads();");
  if (append) {
    printer.line("if (slot >= 0)");
    printer.line(formatv("  attention.storeOwn(pool + int64_t(slot / {0}) * {1}, slot % {0}, head);",
                         context.pool.getPageSize(), context.pool.getBytesPerPage()));
  }
  if (isRepeated) {
    printer.line(formatv("if (item + {0} < {1})", shape.clusters, shape.items));
    printer.line(formatv("  bring(item + {0});", shape.clusters));
  }
  printer.line(formatv("attention.run(part, queries, {0} * keyScale, valueScale);", exponentScale()));
  printer.line("attention.finish([&](int h, int d, float y) {");
  printStoreOfHead();
  printer.line("});");
  if (isRepeated) {
    printer.indentBy(-2);
    printer.line("}");
  }
  return success();
}

/// The same without tensor cores, for f32 and for heads whose elements they do not divide: a block for a row and a kv
/// head, whose warps take 32 positions each in turn.
LogicalResult DecodeAttentionPrinter::printPlainDecode() {
  constexpr int64_t threads = 512;
  source.threads = threads;
  source.sharedBytes = threads / 32 * group * (size + 2) * 4;
  printer.line(formatv("const int row = blockIdx.x / {0}, head = blockIdx.x % {0};", kv.getHeads()));
  printer.line(formatv("const int sequence = sequenceOf<{0}>(sequence_offsets, row);", batch.getSequences()));
  printPadding("sequence < 0");
  printer.line("if (sequence < 0)");
  printer.line("  return;");
  if (failed(printReductions()) || failed(printQueries(exponentScale())))
    return failure();
  if (failed(context.printAppends(printer, "row", "head", 1, "threadIdx.x", threads)))
    return failure();
  printer.line("__syncthreads();");
  printer.line("const auto cache = " + cacheOf("sequence") + ";");
  printVisible(printer);
  if (failed(printScales(printer, "head")))
    return failure();
  printer.line(formatv("Partial<{0}, {1}> part;", group, size));
  printer.line(
      formatv("attend<{0}, {1}>(queries, cache, head, start + int(threadIdx.x) / 32 * 32, stop, {2}, keyScale, "
              "valueScale, part);",
              group, size, threads));
  printer.line(formatv("combine<{0}, {1}, {2}>(part, reinterpret_cast<float *>(shared), [&](int h, int d, float y) {{",
                       group, size, threads / 32));
  printStoreOfHead();
  printer.line("});");
  return success();
}

LogicalResult cuda::printDecodeAttentionKernel(KernelContext &context, KernelSource &source) {
  return DecodeAttentionPrinter(context, source).print();
}
