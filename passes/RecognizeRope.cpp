// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// recognize: rotary embeddings, whatever slices, concatenations, negations, strides or pairs they are written with.
//
// Each column of the result is followed through the operations down to what it reads: x[.., a] * c +- x[.., b] * s. A
// rotary embedding is what reads the columns of one tensor and of its tables as mj.rope does.
#include "passes/RecognizePatterns.h"
#include "passes/SymbolicElement.h"
#include "passes/TensorMatch.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mjolnir;

namespace {

/// A column of a tensor as its index along the axes that the frame does not run along, row by row.
int64_t columnOf(const Element &element) {
  int64_t column = 0;
  for (auto [index, size] : llvm::zip(element.index, tensorOf(element.value).getShape()))
    if (!isSymbolic(index))
      column = column * size + index;
  return column;
}

class RopeMatcher {
public:
  /// The last `trailing` axes of `root` are the columns.
  RopeMatcher(Value root, int64_t trailing) : root(root), shape(tensorOf(root).getShape()), trailing(trailing) {
    columns = ShapedType::getNumElements(shape.take_back(trailing));
    for (int64_t axis = 0; axis < int64_t(shape.size()) - trailing; ++axis)
      if (shape[axis] != 1)
        frame.push_back(axis);
  }

  bool match() {
    std::optional<Sum> first = columns % 2 == 0 ? elementOf(0) : std::nullopt;
    if (!first || first->size() != 2 || (*first)[0].factors.size() != 2 || (*first)[1].factors.size() != 2)
      return false;
    // x is read in both products, from different columns.
    std::string reason;
    bool isClose = false;
    for (unsigned own : {0u, 1u})
      for (unsigned other : {0u, 1u}) {
        const Element &a = (*first)[0].factors[own], &b = (*first)[1].factors[other];
        if (a.value != b.value || !coversFrame(a) || !coversFrame(b) || columnOf(a) == columnOf(b))
          continue;
        isClose = true;
        reason = matchColumns(a.value);
        if (reason.empty())
          return true;
      }
    if (isClose)
      sayNotRecognized(root.getLoc(), "Rope", "rotary embedding not recognized: " + reason);
    return false;
  }

  /// Builds mj.rope; null where the tensors do not lie so that slices and reshapes bring them to its form.
  Value build(OpBuilder &builder, Location loc) {
    // The tables run along one axis of the frame at most: the rows.
    SmallVector<int64_t> tableAxes = symbolicAxes(cosines.front());
    if (tableAxes.size() > 1 || symbolicAxes(sines.front()) != tableAxes)
      return refuse("the tables depend on more than the row");
    std::optional<Value> source = buildSource(builder, loc);
    if (!source)
      return refuse("the columns of the rotated tensor are not side by side");
    auto positions = positionsOf(cosines.front().value);
    if (positions != positionsOf(sines.front().value))
      positions = nullptr;
    std::optional<Value> cosine = buildTable(builder, loc, cosines, positions);
    std::optional<Value> sine = buildTable(builder, loc, sines, positions);
    if (!cosine || !sine)
      return refuse("the columns of a table are not evenly spaced");

    // [.. frame in the order of the source .., D] to [rows, heads, D].
    SmallVector<int64_t> order = symbolicAxes(elements.front()), toRows, rowsFirst;
    for (auto [place, axis] : llvm::enumerate(order))
      if (llvm::is_contained(tableAxes, axis))
        toRows.push_back(place), rowsFirst.push_back(axis);
    for (auto [place, axis] : llvm::enumerate(order))
      if (!llvm::is_contained(tableAxes, axis))
        toRows.push_back(place), rowsFirst.push_back(axis);
    toRows.push_back(order.size());
    int64_t rows = tableAxes.empty() ? 1 : shape[tableAxes.front()], heads = 1;
    for (int64_t axis : frame)
      heads *= shape[axis];
    heads /= rows;
    Value x = createReshape(builder, loc, createTranspose(builder, loc, *source, toRows), {rows, heads, columns});
    auto tableType = tensorOf(*cosine);
    Value table = mj::ConcatOp::create(builder, loc, tableType.clone({tableType.getDimSize(0), columns / 2, 2}),
                                       ValueRange{*cosine, *sine}, /*axis=*/2);
    Value rotated = mj::RopeOp::create(builder, loc, tensorOf(x).clone(tensorOf(root).getElementType()), x, positions,
                                       table, pairs);
    // And back, to the order of the result.
    SmallVector<int64_t> split, back;
    for (int64_t axis : rowsFirst)
      split.push_back(shape[axis]);
    split.push_back(columns);
    for (int64_t axis : frame)
      back.push_back(llvm::find(rowsFirst, axis) - rowsFirst.begin());
    back.push_back(frame.size());
    rotated = createTranspose(builder, loc, createReshape(builder, loc, rotated, split), back);
    return createReshape(builder, loc, rotated, shape);
  }

  std::string describe() const {
    return llvm::formatv("rotary embedding of {0} columns, pairs {1}", columns, mj::stringifyRopePairs(pairs)).str();
  }

private:
  Value refuse(StringRef reason) {
    sayNotRecognized(root.getLoc(), "Rope", ("rotary embedding not recognized: " + reason).str());
    return {};
  }

  std::optional<Sum> elementOf(int64_t column) {
    SmallVector<int64_t> index;
    for (int64_t axis = 0; axis < int64_t(shape.size()) - trailing; ++axis)
      index.push_back(shape[axis] == 1 ? 0 : symbolic(axis));
    if (trailing == 2)
      index.push_back(column / shape.back());
    index.push_back(column % shape.back());
    return evaluateSum(root, index);
  }

  static SmallVector<int64_t> symbolicAxes(const Element &element) {
    SmallVector<int64_t> axes;
    for (int64_t index : element.index)
      if (isSymbolic(index))
        axes.push_back(frameAxis(index));
    return axes;
  }

  bool coversFrame(const Element &element) {
    SmallVector<int64_t> axes = symbolicAxes(element);
    llvm::sort(axes);
    return axes == frame;
  }

  /// Why the columns are not a rotation of those of `x`; empty if they are.
  std::string matchColumns(Value x) {
    int64_t half = columns / 2;
    elements.assign(columns, {});
    cosines.assign(half, {});
    sines.assign(half, {});
    for (int64_t column = 0; column < columns; ++column) {
      std::optional<Sum> sum = elementOf(column);
      if (!sum || sum->size() != 2 || (*sum)[0].factors.size() != 2 || (*sum)[1].factors.size() != 2)
        return llvm::formatv("column {0} is no sum of two products", column).str();
      if (std::string reason = matchColumn(column, x, *sum); !reason.empty())
        return reason;
    }
    return "";
  }

  std::string matchColumn(int64_t column, Value x, Sum &sum) {
    int64_t half = columns / 2;
    // What is read of x in each product, and what it is multiplied with.
    Element read[2], factor[2];
    for (unsigned term : {0u, 1u}) {
      auto &factors = sum[term].factors;
      unsigned own = factors[0].value == x && coversFrame(factors[0]) ? 0 : 1;
      if (factors[own].value != x || !coversFrame(factors[own]))
        return llvm::formatv("column {0} reads another tensor", column).str();
      read[term] = factors[own], factor[term] = factors[1 - own];
      if (std::abs(sum[term].coefficient) != 1)
        return llvm::formatv("column {0} is scaled", column).str();
    }
    if (column == 0) {
      base = columnOf(read[0]);
      int64_t distance = columnOf(read[1]) - base;
      // The products may stand in either order.
      if (distance < 0) {
        base += distance;
        distance = -distance;
      }
      if (distance != half && distance != 1)
        return llvm::formatv("columns {0} apart are paired", distance).str();
      pairs = distance == half ? mj::RopePairs::half : mj::RopePairs::interleaved;
    }
    bool isHalf = pairs == mj::RopePairs::half;
    int64_t pair = isHalf ? column % half : column / 2;
    int64_t partner = isHalf ? (column + half) % columns : column ^ 1;
    unsigned straight = columnOf(read[0]) == base + column ? 0 : 1;
    if (columnOf(read[straight]) != base + column || columnOf(read[1 - straight]) != base + partner)
      return llvm::formatv("column {0} does not read itself and its partner {1}", column, partner).str();
    bool isFirst = column < partner;
    if (sum[straight].coefficient != 1 || sum[1 - straight].coefficient != (isFirst ? -1 : 1))
      return llvm::formatv("the signs in column {0} are not those of a rotation", column).str();
    elements[column] = read[straight];
    if (isFirst) {
      cosines[pair] = factor[straight];
      sines[pair] = factor[1 - straight];
    } else if (!(cosines[pair] == factor[straight]) || !(sines[pair] == factor[1 - straight])) {
      return llvm::formatv("the two columns of pair {0} are turned by different tables", pair).str();
    }
    return "";
  }

  /// The rotated tensor as [.. symbolic axes .., D].
  std::optional<Value> buildSource(OpBuilder &builder, Location loc) {
    Value x = elements.front().value;
    auto type = tensorOf(x);
    SmallVector<int64_t> sizes, offsets(type.getRank(), 0), strides(type.getRank(), 1), part(type.getShape());
    int64_t width = 1, columnAxis = -1;
    for (auto [axis, index] : llvm::enumerate(elements.front().index)) {
      if (isSymbolic(index)) {
        if (width != 1)
          return std::nullopt;
        sizes.push_back(type.getDimSize(axis));
      } else {
        width *= type.getDimSize(axis);
        if (type.getDimSize(axis) != 1)
          columnAxis = axis;
      }
    }
    sizes.push_back(columns);
    if (width == columns && base == 0)
      return createReshape(builder, loc, x, sizes);
    // Part of an axis.
    if (columnAxis < 0 || type.getDimSize(columnAxis) != width)
      return std::nullopt;
    offsets[columnAxis] = base;
    part[columnAxis] = columns;
    Value slice = mj::SliceOp::create(builder, loc, type.clone(part), x, offsets, strides);
    return createReshape(builder, loc, slice, sizes);
  }

  /// The row numbers that a table is gathered with.
  static Value positionsOf(Value table) {
    auto gather = table.getDefiningOp<mj::GatherOp>();
    return gather ? gather.getIndices() : Value();
  }

  /// A table as [rows, D/2, 1] in f32.
  std::optional<Value> buildTable(OpBuilder &builder, Location loc, ArrayRef<Element> entries, Value positions) {
    Value table = entries.front().value;
    int64_t half = columns / 2;
    int64_t rank = tensorOf(table).getRank(), rowAxis = -1, columnAxis = -1;
    SmallVector<int64_t> offsets(rank, 0), strides(rank, 1), part(tensorOf(table).getShape());
    for (int64_t axis = 0; axis < rank; ++axis) {
      int64_t first = entries.front().index[axis];
      if (isSymbolic(first)) {
        rowAxis = axis;
        continue;
      }
      offsets[axis] = first;
      part[axis] = 1;
      int64_t step = half > 1 ? entries[1].index[axis] - first : 0;
      for (auto [pair, entry] : llvm::enumerate(entries))
        if (entry.value != table || entry.index[axis] != first + int64_t(pair) * step)
          return std::nullopt;
      if (step == 0)
        continue;
      if (step < 0 || columnAxis >= 0)
        return std::nullopt;
      columnAxis = axis;
      strides[axis] = step;
      part[axis] = half;
    }
    if (half > 1 && columnAxis < 0)
      return std::nullopt;
    if (positions) {
      // The rows are looked up by mj.rope itself.
      if (rowAxis != 0)
        return std::nullopt;
      table = table.getDefiningOp<mj::GatherOp>().getTable();
      part[0] = tensorOf(table).getDimSize(0);
    }
    Value columnsOfTable = mj::SliceOp::create(builder, loc, tensorOf(table).clone(part), table, offsets, strides);
    int64_t rows = rowAxis < 0 ? 1 : part[rowAxis];
    if (rowAxis > columnAxis && columnAxis >= 0) {
      SmallVector<int64_t> permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
      std::swap(permutation[rowAxis], permutation[columnAxis]);
      columnsOfTable = createTranspose(builder, loc, columnsOfTable, permutation);
    }
    Value result = createReshape(builder, loc, columnsOfTable, {rows, half, 1});
    if (!tensorOf(result).getElementType().isF32())
      result = arith::ExtFOp::create(builder, loc, tensorOf(result).clone(builder.getF32Type()), result);
    return result;
  }

  Value root;
  ArrayRef<int64_t> shape;
  int64_t trailing, columns = 0, base = 0;
  SmallVector<int64_t> frame; ///< axes of the root that are not of size 1, but for the columns
  SmallVector<Element> elements, cosines, sines;
  mj::RopePairs pairs = mj::RopePairs::half;
};

bool recognizeRope(Value root) {
  Operation &op = *root.getDefiningOp();
  auto type = dyn_cast<RankedTensorType>(root.getType());
  if (!type || !type.hasStaticShape() || type.getRank() < 1 || !isa<FloatType>(type.getElementType()))
    return false;
  auto tryAs = [&](int64_t trailing) {
    RopeMatcher matcher(root, trailing);
    if (!matcher.match())
      return false;
    OpBuilder builder(op.getContext());
    builder.setInsertionPointAfter(&op);
    Value rope = matcher.build(builder, op.getLoc());
    if (!rope)
      return false;
    root.replaceAllUsesWith(rope);
    sayRecognized(op.getLoc(), "Rope", matcher.describe());
    return true;
  };
  // Pairs lie along the last axis, or are the last axis.
  bool arePairs = type.getRank() >= 2 && type.getShape().back() == 2 && isa<mj::ConcatOp>(op);
  return (arePairs && tryAs(2)) || (type.getShape().back() > 2 && tryAs(1));
}

/// Of a concatenation of more than a rotated part, neighbours that are one.
void recognizePart(mj::ConcatOp op) {
  auto sources = op.getSources();
  int64_t count = sources.size(), last = tensorOf(op.getResult()).getRank() - 1;
  if (int64_t(op.getAxis()) != last || count < 3 || count > 6)
    return;
  for (int64_t size = count - 1; size >= 2; --size)
    for (int64_t first = 0; first + size <= count; ++first) {
      SmallVector<Value> part(sources.slice(first, size));
      SmallVector<int64_t> shape(tensorOf(op.getResult()).getShape());
      shape[last] = 0;
      for (Value source : part)
        shape[last] += tensorOf(source).getDimSize(last);
      OpBuilder builder(op);
      auto joined = mj::ConcatOp::create(builder, op.getLoc(), tensorOf(op.getResult()).clone(shape), part, last);
      // What takes its place once it is known.
      auto place = mj::ReshapeOp::create(builder, op.getLoc(), joined.getType(), joined);
      if (!recognizeRope(joined.getResult())) {
        place.erase();
        joined.erase();
        continue;
      }
      SmallVector<Value> rest(sources.take_front(first));
      rest.push_back(place.getSource());
      llvm::append_range(rest, sources.drop_front(first + size));
      op.getSourcesMutable().assign(rest);
      place.erase();
      return;
    }
}

} // namespace

void mjolnir::recognizeRotaryEmbeddings(func::FuncOp entry) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(entry.getBody().front()))) {
    if (op.use_empty() || !isa<arith::AddFOp, mj::ConcatOp, mj::ReshapeOp>(op))
      continue;
    if (isa<mj::ReshapeOp>(op) && !op.getOperand(0).getDefiningOp<mj::ConcatOp>())
      continue;
    if (!recognizeRope(op.getResult(0)))
      if (auto concat = dyn_cast<mj::ConcatOp>(op))
        recognizePart(concat);
  }
}
