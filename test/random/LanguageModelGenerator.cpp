// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Random ragged entries: small decoders over a paged cache, and steps of random batches.
#include "test/random/ProgramBuilder.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

namespace {

constexpr int64_t kDynamic = ShapedType::kDynamic;

/// One decoder, its sizes drawn first.
class DecoderGenerator {
public:
  DecoderGenerator(ProgramBuilder &build) : b(build), random(build.random) {
    layers = random.between(1, 2);
    kvHeads = random.between(1, 3);
    heads = kvHeads * random.between(1, 3);
    // Pages of a multiple of 64 bytes.
    headDim = b.program.pageSize % 2 ? 16 : random.pick<int64_t>({8, 16, 24, 40});
    hidden = random.pick<int64_t>({16, 24, 33, 48});
    inner = random.pick<int64_t>({16, 31, 40});
    vocabulary = random.pick<int64_t>({11, 32, 50});
    hasHeadNorms = random.chance(0.4);
    hasBias = random.chance(0.4);
    isGated = random.chance(0.7);
    isTied = random.chance(0.5);
    usesSilu = random.chance(0.6);
    kind = random.chance(0.8) ? mj::NormKind::rms : mj::NormKind::layer;
    pairs = random.chance(0.7) ? mj::RopePairs::half : mj::RopePairs::interleaved;
  }

  void run() {
    Program &program = b.program;
    MLIRContext *context = b.builder.getContext();
    auto batchType = mj::BatchType::get(context, kDynamic, kDynamic, kDynamic);
    batch = b.argumentOf(batchType, "batch");
    kv = b.argumentOf(mj::KvType::get(context, layers, kvHeads, headDim, b.f32()), "kv");
    Value sampling = b.argumentOf(mj::SamplingType::get(context, kDynamic), "sampling");
    positions = field(mj::BatchField::positions);
    table = b.ropeTable(program.maxContext, headDim);

    Value embedding = b.weight({vocabulary, hidden}, b.storedType(), 1);
    Value x = b.make<mj::GatherOp>(rowsOf({hidden}), embedding, field(mj::BatchField::tokens));
    for (int64_t layer = 0; layer < layers; ++layer)
      x = buildLayer(x, layer);
    x = b.make<mj::GatherOp>(rowsOf({hidden}), x, field(mj::BatchField::logit_rows));
    x = norm(x, hidden);
    Value head = isTied ? embedding : b.weight({vocabulary, hidden}, b.storedType(), 1);
    Value logits = mj::MatmulOp::create(b.builder, b.loc, rowsOf({vocabulary}), x, head, true);
    auto tokens = RankedTensorType::get({kDynamic}, b.builder.getI32Type());
    Value next = b.make<mj::SampleOp>(tokens, logits, sampling, batch);
    SmallVector<NamedAttribute> model{
        b.builder.getNamedAttr("architecture", b.builder.getStringAttr("random")),
        b.builder.getNamedAttr("max_context", b.builder.getI64IntegerAttr(program.maxContext)),
        b.builder.getNamedAttr("vocabulary", b.builder.getI64IntegerAttr(vocabulary))};
    (*program.module)->setAttr(mj::kModelAttr, b.builder.getDictionaryAttr(model));
    b.finish({next, logits, kv}, {"next_tokens", "logits", "kv"});
  }

  int64_t vocabulary;

private:
  RankedTensorType rowsOf(ArrayRef<int64_t> columns) {
    SmallVector<int64_t> shape{kDynamic};
    llvm::append_range(shape, columns);
    return b.tensor(shape);
  }
  Value field(mj::BatchField name) {
    auto type = mj::getFieldType(cast<mj::BatchType>(batch.getType()), name);
    return b.make<mj::BatchFieldOp>(type, batch, name);
  }
  Value norm(Value x, int64_t columns) {
    Value weight = b.weight({columns}, b.storedType(), 0.2, 1);
    return b.norm(kind, x, weight, kind == mj::NormKind::layer ? b.weight({columns}, b.f32(), 0.2) : Value());
  }
  Value linear(Value x, int64_t columns) {
    Value y = b.matmul(x, columns, b.storedType());
    return hasBias ? b.add(y, b.broadcast(b.weightF32({columns}, b.storedType(), 0.2), y)) : y;
  }
  Value project(Value x, int64_t count, bool isRotated) {
    Value y = b.reshape(linear(x, count * headDim), {kDynamic, count, headDim});
    if (!isRotated)
      return y;
    if (hasHeadNorms)
      y = norm(y, headDim);
    return mj::RopeOp::create(b.builder, b.loc, y.getType(), y, positions, table, pairs);
  }

  Value buildLayer(Value x, int64_t layer) {
    Value n = norm(x, hidden);
    Value q = project(n, heads, true), k = project(n, kvHeads, true), v = project(n, kvHeads, false);
    kv = mj::KvAppendOp::create(b.builder, b.loc, kv, k, v, batch, layer);
    IntegerAttr window = random.chance(0.4) ? b.builder.getI64IntegerAttr(random.between(1, 12)) : IntegerAttr();
    double scale = 1 / std::sqrt(double(headDim));
    Value a =
        mj::AttentionOp::create(b.builder, b.loc, q.getType(), q, kv, batch, Value(),
                                b.builder.getI64IntegerAttr(layer), b.builder.getF32FloatAttr(float(scale)), window);
    Value h = b.add(x, linear(b.reshape(a, {kDynamic, heads * headDim}), hidden));
    Value m = norm(h, hidden), gate = linear(m, inner);
    Value active = usesSilu ? b.silu(gate) : b.gelu(gate);
    if (isGated)
      active = b.mul(active, linear(m, inner));
    return b.add(h, linear(active, hidden));
  }

  ProgramBuilder &b;
  Random &random;
  int64_t layers, kvHeads, heads, headDim, hidden, inner;
  bool hasHeadNorms, hasBias, isGated, isTied, usesSilu;
  mj::NormKind kind;
  mj::RopePairs pairs;
  Value batch, kv, positions, table;
};

/// Steps that a scheduler could make: pieces of prompts and decoding, several sequences at once, padding behind them,
/// pages in any order.
class StepGenerator {
public:
  StepGenerator(Program &program, Random &random, int64_t vocabulary)
      : program(program), random(random), vocabulary(vocabulary), sequences(random.between(1, program.maxBatch)) {
    // Every sequence has its pages from the start.
    int64_t pages = divideCeil(program.maxContext, program.pageSize);
    program.pool = pages * int64_t(sequences.size()) + 1;
    std::vector<int32_t> free(program.pool);
    std::iota(free.begin(), free.end(), 0);
    for (Sequence &sequence : sequences)
      for (int64_t page = 0; page < pages; ++page) {
        int64_t drawn = random.below(free.size());
        sequence.pages.push_back(free[drawn]);
        free.erase(free.begin() + drawn);
      }
  }

  void run() {
    for (int64_t count = random.between(2, 4); count > 0; --count)
      program.steps.push_back(random.chance(0.6) ? makePrefill() : makeDecode());
  }

private:
  struct Sequence {
    int64_t length = 0;
    std::vector<int32_t> pages;
  };
  static int64_t divideCeil(int64_t a, int64_t b) { return (a + b - 1) / b; }

  Program::Step makePrefill() {
    int64_t left = program.prefill, number = sequences.size();
    std::vector<int64_t> counts;
    for (int64_t i = 0; i < number; ++i) {
      int64_t most = std::min(left, program.maxContext - sequences[i].length);
      // Sometimes nothing; the last one sometimes all that is left.
      counts.push_back(random.chance(0.15) || most == 0        ? 0
                       : i + 1 == number && random.chance(0.3) ? most
                                                               : random.between(1, most));
      left -= counts.back();
    }
    return makeStep("prefill_t" + std::to_string(program.prefill), program.prefill, program.maxBatch, counts);
  }

  Program::Step makeDecode() {
    std::vector<int64_t> counts;
    for (size_t i = 0; i < sequences.size() && int64_t(i) < program.decode; ++i)
      counts.push_back(sequences[i].length < program.maxContext && !random.chance(0.1));
    return makeStep("decode_b" + std::to_string(program.decode), program.decode, program.decode, counts);
  }

  Program::Step makeStep(std::string name, int64_t tokenRows, int64_t places, llvm::ArrayRef<int64_t> counts) {
    Program::Step step;
    step.entry = std::move(name);
    Batch &batch = step.batch;
    batch.tokenRows = tokenRows;
    batch.sequences = places;
    batch.pages = divideCeil(program.maxContext, program.pageSize);
    batch.sequenceOffsets.push_back(0);
    for (int64_t i = 0; i < places; ++i) {
      int64_t count = i < int64_t(counts.size()) ? counts[i] : 0, end = 0;
      if (count) {
        Sequence &sequence = sequences[i];
        for (int64_t token = 0; token < count; ++token) {
          int64_t position = sequence.length++;
          batch.tokens.push_back(int32_t(random.below(vocabulary)));
          batch.positions.push_back(int32_t(position));
          int64_t page = sequence.pages[position / program.pageSize];
          batch.slots.push_back(int32_t(page * program.pageSize + position % program.pageSize));
        }
        end = sequence.length;
        batch.blockTables.insert(batch.blockTables.end(), sequence.pages.begin(), sequence.pages.end());
      } else {
        batch.blockTables.insert(batch.blockTables.end(), batch.pages, 0);
      }
      batch.contextLengths.push_back(int32_t(end));
      batch.sequenceOffsets.push_back(int32_t(batch.tokens.size()));
      int64_t first = batch.sequenceOffsets[i];
      batch.logitRows.push_back(int32_t(count ? random.between(first, first + count - 1) : 0));
      bool isSampled = random.chance(0.3);
      batch.temperature.push_back(isSampled ? 0.75f : 0.0f);
      batch.topK.push_back(isSampled ? 1 : 0);
      batch.topP.push_back(1);
      batch.seeds.push_back(random.below(1000));
    }
    // Padding: valid tokens at valid positions, stored nowhere.
    while (int64_t(batch.tokens.size()) < tokenRows) {
      batch.tokens.push_back(int32_t(random.below(vocabulary)));
      batch.positions.push_back(int32_t(random.below(program.maxContext)));
      batch.slots.push_back(-1);
    }
    return step;
  }

  Program &program;
  Random &random;
  int64_t vocabulary;
  std::vector<Sequence> sequences;
};

} // namespace

void differential::generateSteps(Program &program, Random &random, int64_t vocabulary) {
  StepGenerator(program, random, vocabulary).run();
}

void differential::generateLanguageModel(MLIRContext &context, Program &program) {
  program.isLanguageModel = true;
  ProgramBuilder build(context, program, "step");
  Random &random = build.random;
  program.pageSize = random.pick<int64_t>({1, 4, 8, 16, 5});
  program.maxContext = random.between(9, 48);
  program.decode = random.pick<int64_t>({1, 2, 3, 4, 5});
  program.maxBatch = program.decode;
  // A prefill entry has a sequence of more than one row.
  program.prefill = std::max(program.maxBatch + 1, random.pick<int64_t>({4, 7, 16, 17, 24, 33}));
  DecoderGenerator decoder(build);
  decoder.run();
  generateSteps(program, random, decoder.vocabulary);
}
