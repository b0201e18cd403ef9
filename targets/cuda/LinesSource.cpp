// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Kernels that hold lines in registers: what is read of a line is read once, whatever is combined over it.
#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/LineRegion.h"
#include "targets/cuda/Reductions.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

namespace {

/// Prints what the threads of one set of lines do. Variables: `line`, its indices, `lane` of the line; in loops `k`,
/// the number of a vector of the thread, and `c`, its first element.
class LineSetPrinter {
public:
  LineSetPrinter(KernelContext &context, const LineRegion &region, const LineSet &set, int64_t lanes, bool isGuarded,
                 unsigned &scratch)
      : context(context), region(region), set(set), lanes(lanes), vectors(region.countVectors(lanes)),
        isGuarded(isGuarded), scratch(scratch), printer(os, 4) {}

  LogicalResult print() {
    context.setArguments(printer);
    printer.setKeeper([this](const ElementPrinter::Neighbours &neighbours) { return keep(neighbours); });
    nameIndices();
    SmallVector<Value> roots;
    for (const LineRoot &root : set.roots)
      roots.push_back(root.value);
    for (auto [number, op] : llvm::enumerate(findReductions(roots)))
      if (failed(printReduction(op, number)))
        return failure();
    if (failed(printLines()) || failed(printScalars()))
      return failure();
    printKept();
    context.os << text;
    return success();
  }

private:
  void nameIndices() {
    ElementPrinter outer(context.os, 4);
    Indices places = delinearize("line", set.leading);
    for (auto [axis, size] : llvm::enumerate(set.leading)) {
      std::string name = axis == 0 ? "row" : "i" + std::to_string(axis);
      outer.line(formatv("const int {0} = {1};", name, places[axis]));
      leading.push_back(name);
    }
    for (const LineRoot &root : set.roots)
      if (root.append) {
        outer.line("const int slot = slots[row];");
        outer.line(formatv("uint8_t *const page = slot < 0{2} ? nullptr : pool + int64_t(slot / {0}) * {1};",
                           context.pool.getPageSize(), context.pool.getBytesPerPage(),
                           isGuarded ? " || !isThere" : ""));
        break;
      }
  }

  /// What lies along the line is kept, but for what a thread computes a place for: that is not there yet where others
  /// are loaded. What all lines share is loaded as early where registers are left: norms gain 1% of bandwidth.
  std::string keep(const ElementPrinter::Neighbours &neighbours) {
    Type element = neighbours.element;
    bool isKnown = element.isF32() || element.isBF16() || element.isF16() || isa<Float8E4M3FNType>(element);
    StringRef place = neighbours.place;
    bool isShared = place == "c";
    if (!isKnown || region.width * element.getIntOrFloatBitWidth() % 32 || place.contains('u') ||
        (isShared && vectors > 4))
      return "";
    if (neighbours.isOtherHalf && (vectors % 2 || vectors * lanes * region.width != region.length))
      return "";
    auto [found, isNew] = kept.insert({neighbours.pointer + " + " + neighbours.place, {}});
    if (isNew)
      found->second = {"kept" + std::to_string(kept.size() - 1), element};
    return found->second.first +
           (neighbours.isOtherHalf ? formatv("[(k + {0}) % {1}]", vectors / 2, vectors).str() : "[k]");
  }

  /// `body` for each vector of the thread.
  LogicalResult overVectors(ElementPrinter &to, function_ref<LogicalResult()> body) {
    to.line("#pragma unroll");
    to.line(formatv("for (int k = 0; k < {0}; ++k) {{", vectors));
    to.indentBy(2);
    to.line(formatv("const int c = (k * {0} + lane) * {1};", lanes, region.width));
    if (vectors * lanes * region.width != region.length) {
      to.line(formatv("if (c >= {0})", region.length));
      to.line("  break;");
    }
    LogicalResult result = body();
    to.indentBy(-2);
    to.line("}");
    return result;
  }

  LogicalResult printReduction(Operation *op, size_t number) {
    LineFormula formula = describeReduction(op, region.length);
    for (auto &[name, expression] : formula.kept)
      printer.line(formatv("float {0}{1};", name, number));
    printer.line("{");
    printer.indentBy(2);
    for (const LineFormula::Step &step : formula.steps) {
      printer.line(formatv("float {0} = {1};", step.name, step.isMaximum ? "-kInfinity" : "0.0f"));
      if (failed(overVectors(printer, [&] {
            return printer.overVector("c", region.width, region.length, [&](StringRef last) -> LogicalResult {
              FailureOr<std::string> element = printer.print(op->getOperand(0), place(last));
              if (succeeded(element))
                printer.line(step.name + " = " + step.combine(step.name, *element) + ";");
              return element;
            });
          })))
        return failure();
      std::string array = lanes > 32 ? "scratch" + std::to_string(scratch++) : "nullptr";
      if (lanes > 32)
        printer.line(formatv("__shared__ float {0}[{1}];", array, lanes / 32));
      printer.line(
          formatv("{0} = {1}<{2}>({0}, {3});", step.name, step.isMaximum ? "lineMax" : "lineSum", lanes, array));
      if (!step.then.empty())
        printer.line(step.then);
    }
    for (auto &[name, expression] : formula.kept)
      printer.line(formatv("{0}{1} = {2};", name, number, expression));
    printer.indentBy(-2);
    printer.line("}");
    printer.setLeaf(op->getResult(0), [=](ElementPrinter &inner, ArrayRef<std::string> indices) {
      return formula.element(inner, indices, [&](StringRef name) { return (name + Twine(number)).str(); });
    });
    return success();
  }

  Indices place(StringRef last) {
    Indices indices(leading);
    indices.push_back(last.str());
    return indices;
  }

  /// An element of a root as it is stored.
  FailureOr<std::string> printElement(LineRoot root, StringRef last) {
    FailureOr<std::string> element = printer.print(root.value, place(last));
    if (failed(element) || !root.append || !root.append.getScales())
      return element;
    FailureOr<std::string> scale = printer.print(root.append.getScales(), {root.isKey ? "0" : "1", leading.back()});
    if (failed(scale))
      return failure();
    return *element + " / " + *scale;
  }

  LogicalResult printLines() {
    SmallVector<const LineRoot *> lines;
    for (const LineRoot &root : set.roots)
      if (!root.isScalar)
        lines.push_back(&root);
    if (lines.empty())
      return success();
    // Stores end what loads can be shared by: both halves of a rotated line take the same sines.
    bool storesLast = region.rotates && llvm::all_of(lines, [&](const LineRoot *root) { return canPack(*root); });
    auto nameOf = [](size_t number) { return "y" + std::to_string(number); };
    if (storesLast)
      for (auto [number, root] : llvm::enumerate(lines))
        printer.line(formatv("Packed<{0}, {1}> packed{2}[{3}];", elementTypeName(storedType(*root)), region.width,
                             number, vectors));
    if (failed(overVectors(printer, [&]() -> LogicalResult {
          for (auto [number, root] : llvm::enumerate(lines))
            printer.line(declareVector(nameOf(number), tensorOf(root->value), region.width));
          if (failed(printer.overVector("c", region.width, region.length, [&](StringRef last) -> LogicalResult {
                for (auto [number, root] : llvm::enumerate(lines)) {
                  FailureOr<std::string> element = printElement(*root, last);
                  if (failed(element))
                    return failure();
                  printer.line(formatv("{0}[v] = {1};", nameOf(number), *element));
                }
                return success();
              })))
            return failure();
          for (auto [number, root] : llvm::enumerate(lines))
            if (storesLast)
              printer.line(formatv("packed{0}[k] = narrow<{1}>(y{0});", number, elementTypeName(storedType(*root))));
            else
              printStore(*root, "storeVector", nameOf(number));
          return success();
        })))
      return failure();
    if (!storesLast)
      return success();
    return overVectors(printer, [&] {
      for (auto [number, root] : llvm::enumerate(lines))
        printStore(*root, "storePacked", formatv("packed{0}[k]", number).str());
      return success();
    });
  }

  static Type storedType(LineRoot root) {
    return root.append ? root.append.getKv().getType().getElementType() : tensorOf(root.value).getElementType();
  }
  bool canPack(const LineRoot &root) const {
    Type type = storedType(root);
    return isa<FloatType>(type) && region.width * type.getIntOrFloatBitWidth() % 32 == 0;
  }

  void printStore(LineRoot root, StringRef function, StringRef values) {
    if (!root.append) {
      if (isGuarded)
        printer.line("if (isThere)");
      printer.line((isGuarded ? "  " : "") + formatv("{0}({1} + int64_t(line) * {2} + c, {3});", function,
                                                     context.result(root.result), region.length, values)
                                                 .str());
      return;
    }
    mj::KvType kv = root.append.getKv().getType();
    printer.line("if (page)");
    printer.line(
        formatv("  {0}(reinterpret_cast<{1} *>(page) + ((int64_t({2}) * {3} + {4}) * {5} + slot % {5}) * {6} + c, "
                "{7});",
                function, elementTypeName(kv.getElementType()), root.isKey ? 0 : 1, kv.getHeads(), leading.back(),
                context.pool.getPageSize(), kv.getHeadDim(), values));
  }

  LogicalResult printScalars() {
    for (const LineRoot &root : set.roots)
      if (root.isScalar) {
        printer.line(isGuarded ? "if (lane == 0 && isThere) {" : "if (lane == 0) {");
        printer.indentBy(2);
        printer.startBlock();
        FailureOr<std::string> element = printer.print(root.value, leading);
        if (failed(element))
          return failure();
        printer.line(formatv("store({0}, line, {1});", context.result(root.result), *element));
        printer.startBlock();
        printer.indentBy(-2);
        printer.line("}");
      }
    return success();
  }

  void printKept() {
    ElementPrinter outer(context.os, 4);
    for (auto &[place, registers] : kept)
      outer.line(formatv("Packed<{0}, {1}> {2}[{3}];", elementTypeName(registers.second), region.width, registers.first,
                         vectors));
    if (!kept.empty())
      (void)overVectors(outer, [&] {
        for (auto &[place, registers] : kept)
          outer.line(formatv("{0}[k] = loadPacked<{1}>({2});", registers.first, region.width, place));
        return success();
      });
  }

  KernelContext &context;
  const LineRegion &region;
  const LineSet &set;
  int64_t lanes, vectors;
  bool isGuarded;    ///< `isThere` says whether the line is the thread's own
  unsigned &scratch; ///< arrays of shared memory that the kernel has
  std::string text;
  llvm::raw_string_ostream os{text};
  ElementPrinter printer;
  Indices leading;
  /// Names and element types of registers, by what they hold.
  llvm::MapVector<std::string, std::pair<std::string, Type>, llvm::StringMap<unsigned>> kept;
};

} // namespace

LogicalResult cuda::printLinesKernel(KernelContext &context, KernelSource &source) {
  std::optional<LineRegion> region = LineRegion::find(context.block());
  int64_t threads = source.threads = context.parameter("threads"), lanes = context.parameter("lanes"), first = 0;
  if (!region || !region->takesLanes(lanes, threads))
    return context.kernel.emitOpError("does not work line by line as its schedule says; select-schedules chooses one");
  // Without a number the assembler spills on chips of 1536 threads; 85 registers suffice lines of two operands.
  source.blocks = std::max<int64_t>(768 / threads, 1);
  unsigned scratch = 0;
  if (lanes > 1)
    context.os << "  const int lane = threadIdx.x % " << lanes << ";\n";
  else
    context.os << "  const int lane = 0;\n";
  for (const LineSet &set : region->sets) {
    int64_t blocks = LineRegion::countBlocks(set, threads, lanes), ofBlock = threads / lanes;
    bool isLast = &set == &region->sets.back();
    context.os << (first ? " else " : "  ") << (isLast ? "" : formatv("if (blockIdx.x < {0}) ", first + blocks).str())
               << "{\n";
    std::string block = first ? formatv("(int(blockIdx.x) - {0})", first).str() : "int(blockIdx.x)";
    std::string line =
        formatv("{0} * {1}{2}", block, ofBlock, ofBlock > 1 ? formatv(" + int(threadIdx.x) / {0}", lanes).str() : "");
    // Threads without a line work on the last one, since lanes of a warp meet, and store nothing.
    bool isEven = set.count % ofBlock == 0;
    if (isEven)
      context.os << "    const int line = " << line << ";\n";
    else
      context.os << formatv("    const bool isThere = {0} < {1};\n    const int line = isThere ? {0} : {2};\n", line,
                            set.count, set.count - 1);
    if (failed(LineSetPrinter(context, *region, set, lanes, !isEven, scratch).print()))
      return failure();
    context.os << (isLast ? "  }\n" : "  }");
    first += blocks;
  }
  return success();
}
