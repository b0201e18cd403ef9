// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Emits the sampling kernel.
//
// Nothing is sorted: the thresholds of top-k and top-p are found digit by digit (8 bits, four passes) from histograms
// over the order-preserving integer image of the logits: counts for top-k, masses in f64 for top-p. Sums are taken in
// the same order on every run. A tile is one sequence.
#include "targets/host/SampleKernel.h"
#include "targets/host/KernelBuilder.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

namespace mjolnir::host {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kBins = 256;

class SampleEmitter {
public:
  using Values = KernelBuilder::Values;

  SampleEmitter(OpBuilder &builder, Location loc, const SampleConfig &config)
      : k(builder, loc), config(config), f64(builder.getF64Type()), zero(k.index(0)) {}

  void emit(func::FuncOp function) {
    logits = function.getArgument(0);
    Value next = function.getArgument(6);
    sequence = function.getArgument(7);
    Value temperature = k.load(function.getArgument(1), {sequence});
    Value topK = k.load(function.getArgument(2), {sequence});
    Value topP = k.load(function.getArgument(3), {sequence});
    Value seed = k.load(function.getArgument(4), {sequence});
    Value context = k.load(function.getArgument(5), {sequence});

    digits = k.stack({kLanes}, k.i32());
    masses = k.stack({kLanes}, k.f32());
    counts = k.stack({kBins}, k.i32());
    bins = k.stack({kBins}, f64);

    auto [maximum, argmax] = largest();
    Value warm = k.compare(CmpFPredicate::OGT, temperature, k.constant(k.f32(), 0.0));
    // An infinite maximum has no softmax: the largest logit it is.
    Value magnitude = k.bitAnd(k.bitcast(k.i32(), maximum), k.constant(k.i32(), int64_t(0x7fffffff)));
    Value finite = k.compare(CmpIPredicate::slt, magnitude, k.constant(k.i32(), int64_t(0x7f800000)));
    Values token = k.ifElse(
        k.bitAnd(warm, finite), [&] { return Values{draw(maximum, temperature, topK, topP, seed, context)}; },
        [&] { return Values{argmax}; });
    k.store(token[0], next, {sequence});
    k.done();
  }

private:
  Value i32(int64_t value) { return k.constant(k.i32(), value); }

  /// 16 logits from `first` on, NaN read as -inf and -0 as 0; only `count` of them exist, the others are -inf.
  Value loadLogits(Value first, int64_t count) {
    Value v = k.load(logits, {sequence, first}, count);
    Value minusInfinity = k.negativeInfinity(k.vec(k.f32(), kLanes));
    if (count < kLanes)
      v = k.insertSlice(v, minusInfinity, 0);
    v = k.select(k.compare(CmpFPredicate::UNO, v, v), minusInfinity, v);
    return k.add(v, k.constant(v.getType(), 0.0));
  }

  /// Folds over the vocabulary, 16 logits at a time.
  Values overLogits(ValueRange initial, llvm::function_ref<Values(Value first, Value logits, ValueRange)> body) {
    int64_t whole = config.vocabulary / kLanes * kLanes;
    Values state = k.loop(zero, k.index(whole), kLanes, initial, [&](Value first, ValueRange carried) {
      return body(first, loadLogits(first, kLanes), carried);
    });
    if (whole == config.vocabulary)
      return state;
    Value first = k.index(whole);
    return body(first, loadLogits(first, config.vocabulary - whole), state);
  }

  /// The largest logit and the lowest index that has it, i32.
  std::pair<Value, Value> largest() {
    Type floats = k.vec(k.f32(), kLanes), ints = k.vec(k.i32(), kLanes);
    SmallVector<int32_t> iota(kLanes);
    for (int64_t lane = 0; lane < kLanes; ++lane)
      iota[lane] = static_cast<int32_t>(lane);
    Value lanes = arith::ConstantOp::create(k.builder(), k.loc(),
                                            DenseElementsAttr::get(cast<ShapedType>(ints), ArrayRef<int32_t>(iota)));
    Values state =
        overLogits({k.negativeInfinity(floats), lanes}, [&](Value first, Value v, ValueRange carried) -> Values {
          Value larger = k.compare(CmpFPredicate::OGT, v, carried[0]);
          Value indices = k.add(lanes, k.splat(k.fromIndex(k.i32(), first), kLanes));
          return {k.select(larger, v, carried[0]), k.select(larger, indices, carried[1])};
        });
    Value maximum = k.reduceMax(state[0]);
    Value candidates = k.select(k.compare(CmpFPredicate::OEQ, state[0], k.splat(maximum, kLanes)), state[1],
                                k.constant(ints, int64_t(0x7fffffff)));
    return {maximum, vector::ReductionOp::create(k.builder(), k.loc(), vector::CombiningKind::MINSI, candidates)};
  }

  /// The logits' image among the signed integers, in the same order.
  Value keysOf(Value v) {
    Value bits = k.bitcast(k.i32(), v);
    Value sign = arith::ShRSIOp::create(k.builder(), k.loc(), bits, k.constant(bits.getType(), int64_t(31)));
    return k.bitXor(bits, k.bitAnd(sign, k.constant(bits.getType(), int64_t(0x7fffffff))));
  }

  Value any(Value mask) { return vector::ReductionOp::create(k.builder(), k.loc(), vector::CombiningKind::OR, mask); }

  /// Walks the digits of a threshold from the highest. At each, `add(bin, lane)` is called for every logit whose key
  /// has the digits chosen so far and is at least `floor`, and `choose` picks the next digit. Returns the threshold's
  /// key.
  Value searchThreshold(Value floor, Values state, llvm::function_ref<void()> clear,
                        llvm::function_ref<void(Value, Value)> weigh, llvm::function_ref<void(Value, Value)> add,
                        llvm::function_ref<Values(ValueRange)> choose) {
    // Keys with the sign flipped compare as unsigned numbers, whose digits are their order.
    Type ints = k.vec(k.i32(), kLanes);
    Value prefix = i32(0);
    for (int64_t shift : {24, 16, 8, 0}) {
      clear();
      overLogits({}, [&](Value, Value v, ValueRange) -> Values {
        Value keys = keysOf(v);
        Value image = k.bitXor(keys, k.constant(ints, int64_t(-0x80000000ll)));
        Value match = k.compare(CmpIPredicate::sge, keys, k.splat(floor, kLanes));
        if (shift < 24)
          match = k.bitAnd(match, k.compare(CmpIPredicate::eq, k.shr(image, shift + 8), k.splat(prefix, kLanes)));
        k.ifThen(any(match), [&] {
          Value digit = k.bitAnd(k.shr(image, shift), k.constant(ints, int64_t(kBins - 1)));
          k.storeVector(k.select(match, digit, k.constant(ints, int64_t(-1))), digits, {zero});
          weigh(v, match);
          k.loop(zero, k.index(kLanes), 1, [&](Value lane) {
            Value bin = k.load(digits, {lane});
            k.ifThen(k.compare(CmpIPredicate::sge, bin, i32(0)), [&] { add(k.toIndex(bin), lane); });
          });
        });
        return {};
      });
      Values chosen = choose(state);
      prefix = k.bitOr(k.shl(prefix, 8), chosen.front());
      state = Values(llvm::drop_begin(chosen));
    }
    return k.bitXor(prefix, i32(-0x80000000ll));
  }

  /// The key of the k-th largest logit; the least key of all if k is not in [1, V).
  Value thresholdOfK(Value topK) {
    Value wanted = k.bitAnd(k.compare(CmpIPredicate::sgt, topK, i32(0)),
                            k.compare(CmpIPredicate::slt, topK, i32(config.vocabulary)));
    Value least = i32(-0x80000000ll);
    return k.ifElse(
        wanted,
        [&]() -> Values {
          return {searchThreshold(
              least, {topK},
              [&] { k.loop(zero, k.index(kBins), 1, [&](Value bin) { k.store(i32(0), counts, {bin}); }); },
              [](Value, Value) {}, [&](Value bin, Value) { k.store(k.add(k.load(counts, {bin}), 1), counts, {bin}); },
              [&](ValueRange state) -> Values {
                // Down from the highest bin, until those seen are as many as still wanted.
                return k.whileLoop(
                    {i32(kBins - 1), state[0]},
                    [&](ValueRange s) {
                      return k.compare(CmpIPredicate::slt, k.load(counts, {k.toIndex(s[0])}), s[1]);
                    },
                    [&](ValueRange s) -> Values {
                      return {k.sub(s[0], 1), k.sub(s[1], k.load(counts, {k.toIndex(s[0])}))};
                    });
              })};
        },
        [&]() -> Values { return {least}; })[0];
  }

  /// Masses, relative to the largest, of 16 logits; zero below the floor.
  Value massesOf(Value v, Value floor) {
    Value exponent = k.mul(k.sub(v, k.splat(maximum, kLanes)), k.splat(inverse, kLanes));
    Value mass = k.exp2(exponent);
    return k.select(k.compare(CmpIPredicate::sge, keysOf(v), k.splat(floor, kLanes)), mass,
                    k.constant(mass.getType(), 0.0));
  }

  Value toF64(Value v) { return arith::ExtFOp::create(k.builder(), k.loc(), f64, v); }
  Value sumOf(Value mass) { return toF64(k.reduceAdd(mass)); }

  Value totalMass(Value floor) {
    return overLogits({k.constant(f64, 0.0)}, [&](Value, Value v, ValueRange carried) -> Values {
      return {k.add(carried[0], sumOf(massesOf(v, floor)))};
    })[0];
  }

  /// The largest key such that logits from it on have at least top_p of the mass that lies on or above `floor`.
  Value thresholdOfP(Value topP, Value floor) {
    Value wanted = k.compare(CmpFPredicate::OLT, topP, k.constant(k.f32(), 1.0));
    return k.ifElse(
        wanted,
        [&]() -> Values {
          Value target = k.mul(toF64(topP), totalMass(floor));
          return {searchThreshold(
              floor, {target},
              [&] { k.loop(zero, k.index(kBins), 1, [&](Value bin) { k.store(k.constant(f64, 0.0), bins, {bin}); }); },
              [&](Value v, Value) { k.storeVector(massesOf(v, floor), masses, {zero}); },
              [&](Value bin, Value lane) {
                k.store(k.add(k.load(bins, {bin}), toF64(k.load(masses, {lane}))), bins, {bin});
              },
              [&](ValueRange state) -> Values { return chooseMass(state[0]); })};
        },
        [&]() -> Values { return {floor}; })[0];
  }

  /// The highest bin at which the mass from the top reaches `target`, and what is still wanted within it. Rounding may
  /// leave the target just out of reach: then the lowest bin with mass.
  Values chooseMass(Value target) {
    Values found = k.loop(zero, k.index(kBins), 1, {i32(0), target, k.constant(k.i1(), int64_t(0)), target},
                          [&](Value step, ValueRange s) -> Values {
                            // s: chosen bin, wanted within it, whether it is final, wanted below the bins seen.
                            Value bin = k.sub(k.index(kBins - 1), step);
                            Value mass = k.load(bins, {bin});
                            Value present = k.compare(CmpFPredicate::OGT, mass, k.constant(f64, 0.0));
                            Value take = k.bitAnd(present, k.bitXor(s[2], k.constant(k.i1(), int64_t(1))));
                            Value rest = k.sub(s[3], mass);
                            Value reached = k.compare(CmpFPredicate::OLE, rest, k.constant(f64, 0.0));
                            return {k.select(take, k.fromIndex(k.i32(), bin), s[0]), k.select(take, s[3], s[1]),
                                    k.bitOr(s[2], k.bitAnd(present, reached)), rest};
                          });
    return {found[0], found[1]};
  }

  /// Philox4x32-10; returns the first word in [0, 2^24) / 2^24, f64.
  Value uniform(Value seed, Value context) {
    auto wide = [&](Value v) -> Value { return arith::ExtUIOp::create(k.builder(), k.loc(), k.i64(), v); };
    auto narrow = [&](Value v) -> Value { return arith::TruncIOp::create(k.builder(), k.loc(), k.i32(), v); };
    Value key0 = narrow(seed), key1 = narrow(k.shr(seed, 32));
    Value c[4] = {context, i32(0), i32(0), i32(0)};
    for (int round = 0; round < 10; ++round) {
      Value product0 = k.mul(wide(c[0]), k.constant(k.i64(), int64_t(0xD2511F53)));
      Value product1 = k.mul(wide(c[2]), k.constant(k.i64(), int64_t(0xCD9E8D57)));
      Value high0 = narrow(k.shr(product0, 32)), high1 = narrow(k.shr(product1, 32));
      Value next0 = k.bitXor(k.bitXor(high1, c[1]), key0), next2 = k.bitXor(k.bitXor(high0, c[3]), key1);
      c[1] = narrow(product1), c[3] = narrow(product0), c[0] = next0, c[2] = next2;
      key0 = k.add(key0, i32(int32_t(0x9E3779B9)));
      key1 = k.add(key1, i32(int32_t(0xBB67AE85)));
    }
    Value bits = k.shr(c[0], 8);
    Value asFloat = arith::SIToFPOp::create(k.builder(), k.loc(), f64, bits);
    return k.mul(asFloat, k.constant(f64, 0x1p-24));
  }

  Value draw(Value largestLogit, Value temperature, Value topK, Value topP, Value seed, Value context) {
    maximum = largestLogit;
    // A temperature next to zero must not make 0 times infinity of the largest logit's exponent.
    inverse = k.min(k.divf(k.constant(k.f32(), 1.4426950408889634), temperature), k.constant(k.f32(), 3.0e38));
    Value floor = thresholdOfP(topP, thresholdOfK(topK));
    Value target = k.mul(uniform(seed, context), totalMass(floor));

    // Sums of 16 in the order of the total, so that the last one exceeds the target; then one by one.
    Value none = i32(-1);
    return overLogits({k.constant(f64, 0.0), none}, [&](Value first, Value v, ValueRange s) -> Values {
      Value open = k.compare(CmpIPredicate::slt, s[1], i32(0));
      return k.ifElse(
          open,
          [&]() -> Values {
            Value mass = massesOf(v, floor);
            Value sum = k.add(s[0], sumOf(mass));
            Values token = k.ifElse(
                k.compare(CmpFPredicate::OGT, sum, target),
                [&]() -> Values { return {pick(first, mass, s[0], target)}; }, [&]() -> Values { return {none}; });
            return {sum, token[0]};
          },
          [&]() -> Values { return {s[0], s[1]}; });
    })[1];
  }

  /// The first of 16 tokens at which `sum` plus the masses exceeds the target; should rounding deny it, the last with
  /// mass.
  Value pick(Value first, Value mass, Value sum, Value target) {
    k.storeVector(mass, masses, {zero});
    Values found = k.loop(zero, k.index(kLanes), 1, {sum, i32(0), k.constant(k.i1(), int64_t(0))},
                          [&](Value lane, ValueRange s) -> Values {
                            Value weight = toF64(k.load(masses, {lane}));
                            Value total = k.add(s[0], weight);
                            Value present = k.compare(CmpFPredicate::OGT, weight, k.constant(f64, 0.0));
                            Value open = k.bitXor(s[2], k.constant(k.i1(), int64_t(1)));
                            Value token = k.fromIndex(k.i32(), k.add(first, lane));
                            Value exceeds = k.compare(CmpFPredicate::OGT, total, target);
                            return {total, k.select(k.bitAnd(open, present), token, s[1]),
                                    k.bitOr(s[2], k.bitAnd(present, exceeds))};
                          });
    return found[1];
  }

  KernelBuilder k;
  const SampleConfig &config;
  Type f64;
  Value zero, logits, sequence, digits, masses, counts, bins, maximum, inverse;
};

} // namespace

SmallVector<MemRefType> sampleOperandTypes(MLIRContext *context, const SampleConfig &config) {
  Type f32 = Float32Type::get(context), i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  auto perSequence = [&](Type element) { return MemRefType::get({config.sequences}, element); };
  return {MemRefType::get({config.sequences, config.vocabulary}, f32),
          perSequence(f32),
          perSequence(i32),
          perSequence(f32),
          perSequence(i64),
          perSequence(i32),
          perSequence(i32)};
}

int64_t sampleTiles(const SampleConfig &config) { return config.sequences; }

FailureOr<func::FuncOp> emitSample(OpBuilder &builder, ModuleOp module, StringRef name, const SampleConfig &config,
                                   const HostTarget &target) {
  if (config.sequences < 1 || config.vocabulary < 1 || config.vocabulary > std::numeric_limits<int32_t>::max())
    return module.emitError("sampling kernel '")
           << name << "': needs a batch and a vocabulary of at least one, and of token ids that fit 32 bits";
  SmallVector<MemRefType> operands = sampleOperandTypes(module.getContext(), config);
  OpBuilder::InsertionGuard guard(builder);
  func::FuncOp function = KernelBuilder::createKernel(builder, module, name, operands);
  SampleEmitter(builder, function.getLoc(), config).emit(function);
  return function;
}

} // namespace mjolnir::host
