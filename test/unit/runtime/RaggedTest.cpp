// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Ragged entries: paged state over several steps, and each index that would touch memory it must not.
#include "TestPackage.h"

#include "mjolnir/runtime.hpp"

#include "gtest/gtest.h"

using namespace mjolnir;
using namespace mjolnir::test;

namespace {

/// The inputs of entry `step` (T = 8, B = 2, P = 4), for two sequences of 3 and 2 tokens and 3 tokens of padding.
struct Batch {
  std::vector<int32_t> positions = {0, 1, 2, 0, 1, 0, 0, 0};
  std::vector<int32_t> tokens = {1, 2, 3, 10, 11, 0, 0, 0};
  std::vector<int32_t> offsets = {0, 3, 5};
  std::vector<int32_t> lengths = {3, 2};
  std::vector<int32_t> tables = {2, -7, -7, -7, 0, -7, -7, -7};
  std::vector<int32_t> slots = {8, 9, 10, 0, 1, -1, -1, -1};
  std::vector<int32_t> rows = {2, 4};
  std::vector<float> temperature = {0, 0}, topP = {1, 1};
  std::vector<int32_t> topK = {0, 0};
  std::vector<int64_t> seeds = {1, 2};
  std::vector<int32_t> nextTokens = {-1, -1};
  std::vector<float> logits = std::vector<float>(32);

  std::optional<Error> run(Session &session, const std::vector<Tensor> &more = {}) {
    constexpr DLDataType I32 = {kDLInt, 32, 1}, I64 = {kDLInt, 64, 1}, F32 = {kDLFloat, 32, 1};
    std::vector<Tensor> inputs = {
        {positions.data(), I32, {8}}, {tokens.data(), I32, {8}},      {offsets.data(), I32, {3}},
        {lengths.data(), I32, {2}},   {tables.data(), I32, {2, 4}},   {slots.data(), I32, {8}},
        {rows.data(), I32, {2}},      {temperature.data(), F32, {2}}, {topK.data(), I32, {2}},
        {topP.data(), F32, {2}},      {seeds.data(), I64, {2}}};
    inputs.insert(inputs.end(), more.begin(), more.end());
    return session.run(Step, inputs, {{nextTokens.data(), I32, {2}}, {logits.data(), F32, {2, 16}}});
  }
};

class Ragged : public testing::Test {
protected:
  void SetUp() override {
    std::string path = temporaryPath("ragged.mjp");
    if (auto error = writeTestPackage(path, testImage()))
      FAIL() << error.message();
    auto opened = Package::open(path);
    ASSERT_TRUE(opened) << opened.error().message;
    package.emplace(std::move(*opened));
    auto created = Session::create(*package, 2);
    ASSERT_TRUE(created) << created.error().message;
    session.emplace(std::move(*created));
  }

  std::string refusal(const Batch &batch) {
    Batch copy = batch;
    auto error = copy.run(*session);
    if (!error)
      return "no error";
    EXPECT_EQ(error->code, MJ_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(copy.nextTokens, (std::vector<int32_t>{-1, -1})) << "something ran";
    return error->message;
  }

  std::optional<Package> package;
  std::optional<Session> session;
};

TEST_F(Ragged, StateLivesInPagesOverSteps) {
  Batch batch;
  auto error = batch.run(*session);
  ASSERT_FALSE(error) << error->message;
  EXPECT_EQ(batch.nextTokens, (std::vector<int32_t>{6, 21}));
  EXPECT_EQ(batch.logits[5], 11);
  // The first sequence goes on over a page boundary into page 1; the second rests.
  batch.positions = {3, 4, 0, 0, 0, 0, 0, 0};
  batch.tokens = {4, 5, 0, 0, 0, 0, 0, 0};
  batch.offsets = {0, 2, 2};
  batch.lengths = {5, 2};
  batch.tables = {2, 1, -7, -7, 0, -7, -7, -7};
  batch.slots = {11, 4, -1, -1, -1, -1, -1, -1};
  batch.rows = {1, 0};
  error = batch.run(*session);
  ASSERT_FALSE(error) << error->message;
  EXPECT_EQ(batch.nextTokens, (std::vector<int32_t>{15, 21}));
}

TEST_F(Ragged, PaddingSequencesAreEmpty) {
  Batch batch;
  batch.offsets = {0, 3, 3};
  batch.lengths = {3, 0};
  batch.slots = {8, 9, 10, -1, -1, -1, -1, -1};
  auto error = batch.run(*session);
  ASSERT_FALSE(error) << error->message;
  EXPECT_EQ(batch.nextTokens, (std::vector<int32_t>{6, 0}));
}

TEST_F(Ragged, EachIndexIsChecked) {
  struct {
    void (*change)(Batch &);
    const char *message;
  } cases[] = {
      {[](Batch &b) { b.tokens[3] = 16; }, "tokens[3] is 16: the vocabulary has 16 tokens"},
      {[](Batch &b) { b.tokens[7] = -1; }, "tokens[7] is -1: the vocabulary has 16 tokens"},
      {[](Batch &b) { b.offsets[0] = 1; }, "sequence_offsets[0] is 1: the first sequence starts at 0"},
      {[](Batch &b) { b.offsets[1] = 6; },
       "context_lengths[0] is 3: fewer than the 6 tokens of the sequence in this step"},
      {[](Batch &b) { b.offsets[2] = 2; }, "sequence_offsets[2] is 2: less than the one before, 3"},
      {[](Batch &b) { b.offsets[2] = 9; }, "sequence_offsets[2] is 9: the entry has 8 tokens"},
      {[](Batch &b) { b.lengths[1] = 17; }, "context_lengths[1] is 17: a sequence holds at most 16 tokens"},
      {[](Batch &b) { b.lengths[1] = -1; },
       "context_lengths[1] is -1: fewer than the 2 tokens of the sequence in this step"},
      {[](Batch &b) { b.positions[2] = 3; }, "positions[2] is 3: not below the context length of sequence 0, 3"},
      {[](Batch &b) { b.positions[0] = -1; }, "positions[0] is -1: a sequence holds at most 16 tokens"},
      {[](Batch &b) { b.positions[7] = 16; }, "positions[7] is 16: a sequence holds at most 16 tokens"},
      {[](Batch &b) { b.tables[4] = 4; }, "block_tables[4] is 4: the session has 4 pages"},
      {[](Batch &b) { b.lengths[0] = 5; }, "block_tables[1] is -7: the session has 4 pages"},
      {[](Batch &b) { b.slots[4] = 16; }, "slots[4] is 16: the session has 16 slots"},
      {[](Batch &b) { b.slots[4] = -1; }, "slots[4] is -1: the session has 16 slots"},
      {[](Batch &b) { b.slots[5] = -2; }, "slots[5] is -2: the session has 16 slots"},
      {[](Batch &b) { b.rows[1] = 8; }, "logit_rows[1] is 8: the entry has 8 tokens"},
      {[](Batch &b) { b.rows[0] = -1; }, "logit_rows[0] is -1: the entry has 8 tokens"},
  };
  for (const auto &wrong : cases) {
    Batch batch;
    wrong.change(batch);
    EXPECT_EQ(refusal(batch), std::string("entry 'step': ") + wrong.message);
  }
  Batch good;
  EXPECT_FALSE(good.run(*session)) << "the session is as good as before";
}

/// The test program with a second pool that keeps a window of 4 tokens and has tables of its own: `step` appends to
/// both and sums what is in the second.
fb::ProgramT makeMixedProgram() {
  fb::ProgramT program = makeProgram();
  auto pool = std::make_unique<fb::KvPoolT>(*program.kv_pools[0]);
  pool->name = "window";
  pool->window = 4;
  pool->own_tables = true;
  program.kv_pools.push_back(std::move(pool));
  fb::EntryT &step = *program.entries[Step];
  auto add = [&](const char *name, std::vector<uint64_t> shape) {
    step.inputs.push_back(std::make_unique<fb::BindingT>());
    step.inputs.back()->name = name;
    step.inputs.back()->dtype = fb::DType::i32;
    step.inputs.back()->shape = std::move(shape);
  };
  add("window_slots", {8});
  add("window_block_tables", {2, 4});
  auto again = std::make_unique<fb::StepT>(*step.steps[0]);
  again->kind.AsLaunch()->operands[0] = fb::Operand(fb::Space::pool, 1, 0, 0);
  again->kind.AsLaunch()->operands[3] = fb::Operand(fb::Space::input, 11, 0, 32);
  step.steps.insert(step.steps.begin() + 1, std::move(again));
  fb::LaunchT &sum = *step.steps[2]->kind.AsLaunch();
  sum.operands[0] = fb::Operand(fb::Space::pool, 1, 0, 0);
  sum.operands[2] = fb::Operand(fb::Space::input, 12, 0, 32);
  return program;
}

TEST(RaggedWindow, APoolOfItsOwnHasItsPagesAndTables) {
  std::string path = temporaryPath("mixed.mjp");
  if (auto error = writeTestPackage(path, testImage(), makeMixedProgram()))
    FAIL() << error.message();
  auto package = Package::open(path);
  ASSERT_TRUE(package) << package.error().message;
  EXPECT_EQ(package->kv()->window, 0u) << "some layers keep all";
  EXPECT_EQ(package->kvWindow()->window, 4u);
  EXPECT_EQ(package->kvWindow()->bytes_per_page, 256u);

  // Two sequences, a window of 4 and steps of 8 rows: 10 tokens in a line touch 4 pages of 4, each sequence its own.
  EXPECT_EQ(Session::create(*package, 1)->kvWindowPages(), 4u) << "no more than of the other pool";
  EXPECT_EQ(Session::create(*package, 1, 100)->kvWindowPages(), 8u);
  auto tooMany = Session::create(*package, 1, 4, 0xffffffff);
  ASSERT_FALSE(tooMany);
  EXPECT_EQ(tooMany.error().message, "4294967295 KV pages of 4 tokens were asked for the layers with a window; at most "
                                     "536870911 can be addressed");
  auto session = Session::create(*package, 2, 4, 2);
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->kvPages(), 4u);
  EXPECT_EQ(session->kvWindowPages(), 2u);

  constexpr DLDataType I32 = {kDLInt, 32, 1};
  std::vector<int32_t> slots = {4, 5, 6, 3, 2, -1, -1, -1}, tables = {1, -7, -7, -7, 0, -7, -7, -7};
  std::vector<Tensor> window{{slots.data(), I32, {8}}, {tables.data(), I32, {2, 4}}};
  Batch batch;
  auto error = batch.run(*session, window);
  ASSERT_FALSE(error) << error->message;
  // The second sequence lies in the last half of its page: the sum sees the zeros before it.
  EXPECT_EQ(batch.nextTokens, (std::vector<int32_t>{6, 0}));

  auto refusal = [&](std::vector<int32_t> &values, size_t index, int32_t value) {
    int32_t before = std::exchange(values[index], value);
    auto refused = Batch().run(*session, window);
    values[index] = before;
    return refused ? refused->message : "no error";
  };
  EXPECT_EQ(refusal(tables, 4, 2), "entry 'step': window_block_tables[4] is 2: the session has 2 pages");
  EXPECT_EQ(refusal(slots, 0, 8), "entry 'step': window_slots[0] is 8: the session has 8 slots");
  EXPECT_EQ(refusal(slots, 4, -1), "entry 'step': window_slots[4] is -1: the session has 8 slots");
  error = Batch().run(*session, window);
  EXPECT_FALSE(error) << error->message;
}

} // namespace
