// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Operations of mj on tensors, each against its definition in f64: odd sizes, one of everything, one past each tile.
#include "Program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mjolnir::numerics;

namespace {

using Index = std::vector<int64_t>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string list(const Index &numbers) {
  std::string text;
  for (int64_t number : numbers)
    text += (text.empty() ? "" : ", ") + std::to_string(number);
  return "[" + text + "]";
}

//===--- Softmax ------------------------------------------------------------===//

Entry softmax(const std::string &name, Array x) {
  Array y = x;
  const int64_t size = x.shape.back();
  for (size_t row = 0; row < x.data.size(); row += size) {
    double largest = *std::max_element(x.data.begin() + row, x.data.begin() + row + size), sum = 0;
    for (int64_t i = 0; i < size; ++i)
      sum += y.data[row + i] = largest == -kInfinity ? 0 : std::exp(x.data[row + i] - largest);
    for (int64_t i = 0; i < size; ++i)
      y.data[row + i] = largest == -kInfinity ? 0 : y.data[row + i] / sum;
  }
  return {name, {x}, "  %y = mj.softmax %a0 : " + x.type() + " -> " + x.type(), {"%y"}, {y}};
}

TEST(OperationsTest, Softmax) {
  Array masked = randomArray({5, 37}, 1);
  for (int64_t i = 0; i < 37; ++i)
    masked({1, i}) = -kInfinity;
  masked({3, 0}) = masked({3, 36}) = -kInfinity;
  Array broken = randomArray({3, 33}, 2);
  broken({1, 32}) = std::nan("");
  Entry nan = softmax("nan", broken);
  for (int64_t i = 0; i < 33; ++i)
    nan.expected[0]({1, i}) = std::nan("");
  expectNumbers("softmax",
                {softmax("masked", masked), nan, softmax("line", randomArray({100}, 3)),
                 softmax("one", randomArray({3, 4, 1}, 4)), softmax("single", randomArray({1}, 5)),
                 softmax("batch", randomArray({1, 40, 2, 65}, 6)), softmax("wide", randomArray({2, 3000}, 7))});
}

//===--- Reductions ---------------------------------------------------------===//

Entry reduce(const std::string &kind, const Array &x, const Index &axes) {
  Index kept;
  for (size_t axis = 0; axis < x.shape.size(); ++axis)
    if (std::find(axes.begin(), axes.end(), axis) == axes.end())
      kept.push_back(axis);
  Index shape;
  for (int64_t axis : kept)
    shape.push_back(x.shape[axis]);
  double count = double(x.data.size());
  for (int64_t size : shape)
    count /= double(size);
  Array y(shape, kind == "max" ? -kInfinity : kind == "min" ? kInfinity : 0);
  Array(x.shape, [&](const Index &index) {
    Index at;
    for (int64_t axis : kept)
      at.push_back(index[axis]);
    double &sum = y(at), value = x(index);
    sum = kind == "max"   ? (std::isnan(value) || value > sum ? value : sum)
          : kind == "min" ? (std::isnan(value) || value < sum ? value : sum)
          : kind == "sum" ? sum + value
                          : sum + value / count;
    return 0;
  });
  std::string name = kind;
  for (int64_t axis : axes)
    name += "_" + std::to_string(axis);
  std::string body = "  %y = mj.reduce " + kind + " %a0 over " + list(axes) + " : " + x.type() + " -> " + y.type();
  return {name + "_of" + std::to_string(x.data.size()), {x}, body, {"%y"}, {y}};
}

TEST(OperationsTest, Reduce) {
  Array x = randomArray({4, 5, 6, 33}, 1);
  std::vector<Entry> entries;
  for (const char *kind : {"sum", "mean", "max", "min"})
    for (const Index &axes : std::vector<Index>{
             {0}, {1}, {2}, {3}, {0, 1}, {0, 3}, {1, 2}, {1, 3}, {2, 3}, {0, 1, 2}, {0, 2, 3}, {1, 2, 3}})
      entries.push_back(reduce(kind, x, axes));
  // More rows than a tile, columns that end within a vector, a single one.
  entries.push_back(reduce("sum", randomArray({7, 1000}, 2), {0}));
  entries.push_back(reduce("mean", randomArray({65, 3}, 3), {0}));
  entries.push_back(reduce("max", randomArray({1, 1}, 4), {0}));
  entries.push_back(reduce("sum", randomArray({1, 40, 640}, 5), {1}));
  Array broken = randomArray({3, 40}, 6);
  broken({1, 39}) = broken({2, 0}) = std::nan("");
  Entry largest = reduce("max", broken, {1}), smallest = reduce("min", broken, {1});
  largest.expected[0].data = {largest.expected[0].data[0], std::nan(""), std::nan("")};
  smallest.expected[0].data = {smallest.expected[0].data[0], std::nan(""), std::nan("")};
  entries.insert(entries.end(), {largest, smallest});
  expectNumbers("reduce", entries);
}

//===--- Movement -----------------------------------------------------------===//

/// The same entry with the moved value also computed with, and moved after it was computed.
Entry moving(const std::string &name, const std::vector<Array> &inputs, const std::string &op, const std::string &tail,
             const Array &y) {
  Array negated = y;
  for (double &value : negated.data)
    value = -value;
  std::string body, operands, computed;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::string number = std::to_string(i);
    body += "  %n" + number + " = arith.negf %a" + number + " : " + inputs[i].type() + "\n";
    operands += (i ? ", %a" : "%a") + number;
    computed += (i ? ", %n" : "%n") + number;
  }
  body += "  %y = " + op + " " + operands + tail + "\n  %z = arith.negf %y : " + y.type() + "\n  %w = " + op + " " +
          computed + tail;
  Entry entry{name, inputs, body, {"%y", "%z", "%w"}, {y, negated, negated}};
  entry.ulps = 0;
  return entry;
}

TEST(OperationsTest, Transpose) {
  std::vector<Entry> entries;
  Array x = randomArray({3, 4, 5, 6}, 1);
  for (Index order : {Index{0, 1, 3, 2}, {0, 2, 1, 3}, {0, 3, 1, 2}, {2, 0, 1, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}}) {
    Index shape;
    std::string name = "t";
    for (int64_t axis : order) {
      shape.push_back(x.shape[axis]);
      name += std::to_string(axis);
    }
    Array y(shape, [&](const Index &index) {
      Index at(4);
      for (size_t axis = 0; axis < 4; ++axis)
        at[order[axis]] = index[axis];
      return x(at);
    });
    entries.push_back(moving(name, {x}, "mj.transpose", " " + list(order) + " : " + x.type() + " -> " + y.type(), y));
  }
  Array matrix = randomArray({67, 129}, 2);
  Array turned({129, 67}, [&](const Index &i) { return matrix({i[1], i[0]}); });
  entries.push_back(
      moving("matrix", {matrix}, "mj.transpose", " [1, 0] : " + matrix.type() + " -> " + turned.type(), turned));
  expectNumbers("transpose", entries);
}

TEST(OperationsTest, Slice) {
  struct {
    Index offsets, sizes, strides;
  } cases[] = {{{0, 1, 0}, {6, 3, 40}, {1, 2, 1}},
               {{2, 0, 0}, {3, 8, 40}, {1, 1, 1}},
               {{1, 3, 5}, {3, 2, 12}, {2, 4, 3}},
               {{5, 7, 39}, {1, 1, 1}, {1, 1, 1}},
               {{0, 0, 1}, {6, 8, 39}, {1, 1, 1}}};
  Array x = randomArray({6, 8, 40}, 1);
  std::vector<Entry> entries;
  for (auto &[offsets, sizes, strides] : cases) {
    Array y(sizes, [&, &offsets = offsets, &strides = strides](const Index &i) {
      return x({offsets[0] + i[0] * strides[0], offsets[1] + i[1] * strides[1], offsets[2] + i[2] * strides[2]});
    });
    entries.push_back(moving("s" + std::to_string(entries.size()), {x}, "mj.slice",
                             " from " + list(offsets) + " by " + list(strides) + " : " + x.type() + " -> " + y.type(),
                             y));
  }
  expectNumbers("slice", entries);
}

TEST(OperationsTest, Concat) {
  std::vector<Entry> entries;
  for (int64_t axis : {0, 1, 2}) {
    std::vector<Array> parts;
    std::string types;
    int64_t total = 0;
    for (int64_t size : {3, 1, 17}) {
      Index shape{4, 5, 6};
      shape[axis] = size;
      total += size;
      parts.push_back(randomArray(shape, uint32_t(size)));
      types += (types.empty() ? "" : ", ") + parts.back().type();
    }
    Index shape{4, 5, 6};
    shape[axis] = total;
    Array y(shape, [&](Index i) {
      for (const Array &part : parts) {
        if (i[axis] < part.shape[axis])
          return part(i);
        i[axis] -= part.shape[axis];
      }
      return 0.0;
    });
    entries.push_back(moving("c" + std::to_string(axis), parts, "mj.concat",
                             " axis " + std::to_string(axis) + " : " + types + " -> " + y.type(), y));
  }
  expectNumbers("concat", entries);
}

TEST(OperationsTest, Reshape) {
  Array x = randomArray({4, 6}, 1), line({24}), pair({2, 12}), row({1, 24}), inner({4, 2, 3, 1});
  Array negated = x;
  for (double &value : negated.data)
    value = -value;
  line.data = pair.data = inner.data = negated.data;
  row.data = x.data;
  // Of an argument, of what is computed, of a reshape; returned, and computed with.
  std::string body = "  %r = mj.reshape %a0 : " + x.type() + " -> " + row.type() +
                     "\n  %p = mj.reshape %a0 : " + x.type() + " -> " + pair.type() +
                     "\n  %n = arith.negf %p : " + pair.type() + "\n  %l = mj.reshape %n : " + pair.type() + " -> " +
                     line.type() + "\n  %m = arith.negf %a0 : " + x.type() + "\n  %i = mj.reshape %m : " + x.type() +
                     " -> " + inner.type() + "\n  %q = mj.reshape %i : " + inner.type() + " -> " + pair.type();
  Entry entry{"reshape", {x}, body, {"%r", "%n", "%l", "%i", "%q"}, {row, pair, line, inner, pair}};
  entry.ulps = 0;
  expectNumbers("reshape", {entry});
}

TEST(OperationsTest, Broadcast) {
  Array full = randomArray({6, 4, 33}, 1);
  std::vector<Entry> entries;
  for (const Index &shape : std::vector<Index>{
           {33}, {1}, {4, 1}, {4, 33}, {1, 33}, {6, 1, 33}, {6, 4, 1}, {1, 4, 1}, {1, 1, 1}, {6, 1, 1}, {6, 4, 33}}) {
    Array x = randomArray(shape, uint32_t(entries.size()));
    Array y(full.shape, [&](const Index &i) {
      Index at(i.end() - shape.size(), i.end());
      for (size_t axis = 0; axis < at.size(); ++axis)
        at[axis] = shape[axis] == 1 ? 0 : at[axis];
      return x(at);
    });
    Array sum = y;
    for (size_t i = 0; i < sum.data.size(); ++i)
      sum.data[i] += full.data[i];
    // As it is given, and as it was computed.
    std::string types = " : " + x.type() + ", " + full.type() + " -> " + full.type();
    std::string body = "  %y = mj.broadcast %a0 like %a1" + types + "\n  %s = arith.addf %y, %a1 : " + full.type() +
                       "\n  %n = arith.negf %a0 : " + x.type() + "\n  %b = mj.broadcast %n like %a1" + types +
                       "\n  %d = arith.subf %a1, %b : " + full.type();
    Entry entry{"b" + std::to_string(entries.size()), {x, full}, body, {"%y", "%s", "%d"}, {y, sum, sum}};
    entry.ulps = 1;
    entries.push_back(entry);
  }
  expectNumbers("broadcast", entries);
}

TEST(OperationsTest, Masks) {
  Array x = randomArray({5, 33}, 1), y = randomArray({33, 5}, 2);
  Array positive({5, 33}, [&](const Index &i) { return x(i) > 0 ? x(i) : 0; });
  Array turned({33, 5}, [&](const Index &i) { return x({i[1], i[0]}) > 0 ? y(i) : -1; });
  Array both({5, 33}, [&](const Index &i) { return x(i) > 0 && x(i) <= 2 ? 1 : 0; });
  std::string bits = x.type("i1"), back = y.type("i1"), integers = x.type("i32");
  // A mask that several regions read is stored, transposed, combined and converted.
  std::string body =
      "  %zero = arith.constant dense<0.0> : " + x.type() + "\n  %two = arith.constant dense<2.0> : " + x.type() +
      "\n  %minus = arith.constant dense<-1.0> : " + y.type() + "\n  %c = arith.cmpf ogt, %a0, %zero : " + x.type() +
      "\n  %p = arith.select %c, %a0, %zero : " + bits + ", " + x.type() + "\n  %t = mj.transpose %c [1, 0] : " + bits +
      " -> " + back + "\n  %s = arith.select %t, %a1, %minus : " + back + ", " + y.type() +
      "\n  %u = mj.transpose %t [1, 0] : " + back + " -> " + bits + "\n  %d = arith.cmpf ole, %a0, %two : " + x.type() +
      "\n  %e = arith.andi %u, %d : " + bits + "\n  %i = arith.extui %e : " + bits + " to " + integers +
      "\n  %f = arith.sitofp %i : " + integers + " to " + x.type();
  Entry entry{"masks", {x, y}, body, {"%p", "%s", "%f"}, {positive, turned, both}};
  entry.ulps = 0;
  expectNumbers("masks", {entry});
}

//===--- Batch matmul -------------------------------------------------------===//

void addProducts(std::vector<Entry> &entries, const Index &leading, int64_t m, int64_t k, int64_t n) {
  auto shaped = [&](int64_t rows, int64_t columns) {
    Index shape = leading;
    shape.insert(shape.end(), {rows, columns});
    return shape;
  };
  Array a = randomArray(shaped(m, k), uint32_t(m + k)), b = randomArray(shaped(k, n), uint32_t(k + n));
  auto swapped = [](Index i) {
    std::swap(i[i.size() - 1], i[i.size() - 2]);
    return i;
  };
  Array turned(shaped(n, k), [&](const Index &i) { return b(swapped(i)); });
  Array y(shaped(m, n), [&](Index i) {
    double sum = 0;
    Index left = i, right = i;
    for (int64_t j = 0; j < k; ++j) {
      left[left.size() - 1] = right[right.size() - 2] = j;
      sum += a(left) * b(right);
    }
    return sum;
  });
  std::string name = std::to_string(m) + "_" + std::to_string(k) + "_" + std::to_string(n);
  entries.push_back({"p" + name,
                     {a, b},
                     "  %y = mj.batch_matmul %a0, %a1 : " + a.type() + ", " + b.type() + " -> " + y.type(),
                     {"%y"},
                     {y}});
  entries.push_back(
      {"t" + name,
       {a, turned},
       "  %y = mj.batch_matmul %a0, %a1 {transpose_b} : " + a.type() + ", " + turned.type() + " -> " + y.type(),
       {"%y"},
       {y}});
}

TEST(OperationsTest, BatchMatmul) {
  std::vector<Entry> entries;
  addProducts(entries, {}, 1, 1, 1);
  addProducts(entries, {2}, 5, 7, 9);
  addProducts(entries, {2}, 48, 256, 32);
  addProducts(entries, {1, 3}, 49, 257, 33); // one past each block
  addProducts(entries, {4}, 1, 64, 100);
  addProducts(entries, {2, 2}, 100, 31, 65);
  expectNumbers("batch_matmul", entries);
}

} // namespace
