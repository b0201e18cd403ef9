// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The C API and its C++ wrapper over a real package and session.

#include "mjolnir/llm.hpp"

#include "ToyPackage.h"
#include "ToyProgram.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

using namespace mjolnir;
using llm::temporaryPath;
using llm::ToyModel;

namespace {

Package toyPackage(const char *name = "toy.mjp", const std::string &generationConfig = "") {
  std::vector<std::pair<std::string, std::string>> members = {{"tokenizer.json", llm::toyTokenizer()}};
  if (!generationConfig.empty())
    members.push_back({"generation_config.json", generationConfig});
  std::string path = temporaryPath(name);
  llm::writeToyPackage(path, members);
  auto package = Package::open(path);
  if (!package)
    throw std::runtime_error(package.error().message);
  return std::move(*package);
}

Generator makeGenerator(const Package &package, uint32_t kvPages = 0) {
  auto generator = Generator::create(package, /*threads=*/1, kvPages);
  if (!generator)
    throw std::runtime_error(generator.error().message);
  return std::move(*generator);
}

std::string textOf(const Generator &generator, const std::vector<int32_t> &tokens) {
  return *generator.tokenizer()->decode(tokens);
}

TEST(LlmApi, GeneratesText) {
  Package package = toyPackage();
  Generator generator = makeGenerator(package);
  mj_generator_info info = generator.info();
  EXPECT_EQ(info.max_context, llm::toyContext);
  EXPECT_EQ(info.vocabulary, llm::toyVocabulary);
  EXPECT_EQ(info.page_size, llm::toyPageSize);
  EXPECT_EQ(info.kv_pages, llm::toyPagesPerSequence);
  EXPECT_EQ(info.max_active, 4u);

  Request request = generator.request("The quick brown fox, l'été.");
  request.maxNewTokens = 40;
  std::string streamed;
  auto generated = generator.generate(request, [&](const mj_event &event) {
    streamed.append(event.text, event.text_bytes);
    return true;
  });
  ASSERT_TRUE(generated) << generated.error().message;
  std::vector<int32_t> prompt = *generator.tokenizer()->encode(request.text);
  EXPECT_EQ(generated->tokens, ToyModel::continuation(prompt, 40, llm::toyVocabulary));
  EXPECT_EQ(generated->text, textOf(generator, generated->tokens));
  EXPECT_EQ(streamed, generated->text);
  EXPECT_EQ(generated->finish, MJ_FINISH_LENGTH);
  EXPECT_EQ(generated->stats.prompt_tokens, prompt.size());
  EXPECT_EQ(generator.stats().prefill_tokens, prompt.size());
  EXPECT_EQ(generator.stats().decode_tokens, 39u);
  generator.resetStats();
  EXPECT_EQ(generator.stats().decode_tokens, 0u);
}

TEST(LlmApi, GeneratesForManyAtOnce) {
  Package package = toyPackage();
  for (uint32_t pages : {24u, 60u, 200u}) {
    Generator generator = makeGenerator(package, pages);
    std::mt19937 random(pages);
    std::vector<Request> requests;
    for (int i = 0; i < 9; ++i) {
      std::vector<int32_t> prompt(1 + random() % 50);
      for (int32_t &token : prompt)
        token = static_cast<int32_t>(random() % 2048);
      requests.push_back(generator.request(prompt));
      requests.back().maxNewTokens = 1 + static_cast<uint32_t>(random() % 40);
      requests.back().temperature = i % 2 ? 0.7f : 0.0f;
      requests.back().seed = random();
    }
    auto generated = generator.generate(requests);
    ASSERT_TRUE(generated) << generated.error().message;
    for (size_t i = 0; i < requests.size(); ++i)
      EXPECT_EQ((*generated)[i].tokens,
                ToyModel::continuation(requests[i].tokens, requests[i].maxNewTokens, llm::toyVocabulary,
                                       {requests[i].temperature, 0, 1, requests[i].seed}));
  }
}

TEST(LlmApi, SessionsAreIndependent) {
  Package package = toyPackage();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&package, t] {
      Generator generator = makeGenerator(package);
      for (int i = 0; i < 20; ++i) {
        Request request = generator.request(std::vector<int32_t>{t, i});
        request.maxNewTokens = 30;
        auto generated = generator.generate(request);
        ASSERT_TRUE(generated);
        EXPECT_EQ(generated->tokens, ToyModel::continuation({t, i}, 30, llm::toyVocabulary));
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(LlmApi, Scores) {
  Package package = toyPackage();
  Generator generator = makeGenerator(package);
  std::vector<int32_t> tokens = {5, 9, 5, 9, 1000, 7, 7, 7, 3, 2, 1};
  auto all = generator.score(tokens);
  auto some = generator.score(tokens, {0, 6, 7});
  ASSERT_TRUE(all && some);
  ASSERT_EQ(all->size(), tokens.size() * llm::toyVocabulary);
  ASSERT_EQ(some->size(), 3u * llm::toyVocabulary);
  for (size_t row = 0; row < tokens.size(); ++row) {
    uint64_t hash = ToyModel::read({tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(row) + 1});
    for (uint32_t v = 0; v < llm::toyVocabulary; ++v)
      ASSERT_EQ((*all)[row * llm::toyVocabulary + v], ToyModel::logit(hash, v));
  }
  EXPECT_TRUE(std::equal(some->begin() + llm::toyVocabulary, some->begin() + 2 * llm::toyVocabulary,
                         all->begin() + 6 * llm::toyVocabulary));
}

TEST(LlmApi, StaysUsableAfterTooLargeARequest) {
  Package package = toyPackage();
  Generator generator = makeGenerator(package, /*kvPages=*/6);
  Request request = generator.request(std::vector<int32_t>(10, 4));
  request.maxNewTokens = 40;
  auto refused = generator.generate(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, MJ_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(refused.error().message, "the request needs 13 KV pages (10 prompt tokens + 39 generated, 4 tokens a "
                                     "page), but the session has 6 pages for "
                                     "24 tokens; ask for fewer tokens, or make the session with more pages (kv_pages)");
  // One that fits beside one that does not: neither is generated, and the next works.
  Request fits = generator.request(std::vector<int32_t>{1});
  fits.maxNewTokens = 5;
  EXPECT_FALSE(generator.generate(std::vector<Request>{fits, request}));
  auto generated = generator.generate(fits);
  ASSERT_TRUE(generated);
  EXPECT_EQ(generated->tokens, ToyModel::continuation({1}, 5, llm::toyVocabulary));
}

TEST(LlmApi, TakesDefaultsFromThePackage) {
  Package package =
      toyPackage("settings.mjp",
                 R"({"do_sample": true, "temperature": 0.5, "top_k": 3, "top_p": 0.25, "eos_token_id": [2049, 2050]})");
  Generator generator = makeGenerator(package);
  Request request = generator.request("x");
  EXPECT_EQ(request.temperature, 0.5f);
  EXPECT_EQ(request.topK, 3u);
  EXPECT_EQ(request.topP, 0.25f);
  EXPECT_TRUE(request.addSpecialTokens);
  Request plain = makeGenerator(toyPackage("plain.mjp")).request("x");
  EXPECT_EQ(plain.temperature, 0.0f);
}

std::string refusalOf(const std::vector<std::pair<std::string, std::string>> &members, bool languageModel = true) {
  std::string path = temporaryPath("refused.mjp");
  llm::writeToyPackage(path, members, languageModel);
  auto package = Package::open(path);
  if (!package)
    return package.error().message;
  auto generator = Generator::create(*package, 1);
  return generator ? "no error" : generator.error().message;
}

TEST(LlmApi, RefusesPackages) {
  EXPECT_EQ(refusalOf({}, /*languageModel=*/false),
            "the package holds no language model: it has no ragged entries; run its entries with mj_session_run, or "
            "mjolnir-run --entry");
  EXPECT_EQ(refusalOf({{"generation_config.json", "[1]"}}), "generation_config.json is an array, not an object");
}

TEST(LlmApi, WorksWithTokensWhenThereIsNoTokenizer) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "the package has no tokenizer.json; give token ids instead of text"},
      {R"({"model": {"type": "WordPiece"}})", "the package's tokenizer cannot be used, give token ids instead of text: "
                                              "tokenizer.json.model has type 'WordPiece'; supported is BPE"}};
  for (const auto &[json, message] : cases) {
    std::string path = temporaryPath("tokens.mjp");
    std::vector<std::pair<std::string, std::string>> members;
    if (!json.empty())
      members.push_back({"tokenizer.json", json});
    llm::writeToyPackage(path, members);
    auto package = Package::open(path);
    ASSERT_TRUE(package);
    Generator generator = makeGenerator(*package);
    EXPECT_EQ(generator.tokenizer().error().message, message);
    EXPECT_EQ(generator.generate(generator.request("text")).error().message, message);
    Request request = generator.request(std::vector<int32_t>{1, 2, 3});
    request.maxNewTokens = 4;
    auto generated = generator.generate(request);
    ASSERT_TRUE(generated);
    EXPECT_EQ(generated->tokens, ToyModel::continuation({1, 2, 3}, 4, llm::toyVocabulary));
    EXPECT_EQ(generated->text, "");
    request.stopTexts = {"x"};
    EXPECT_EQ(generator.generate(request).error().message,
              "stop texts need a tokenizer, and the package has none that can be used");
  }
}

TEST(LlmApi, ChecksArguments) {
  Package package = toyPackage();
  Generator generator = makeGenerator(package);
  mj_generator *handle = nullptr;
  EXPECT_EQ(mj_generator_create(nullptr, nullptr, &handle), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(mj_last_error(), "package is null");
  EXPECT_EQ(mj_generator_create(package.get(), nullptr, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  mj_generator_options options = {};
  EXPECT_EQ(mj_generator_create(package.get(), &options, &handle), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_last_error(), "mj_generator_options->struct_size is 0; set it to sizeof(mj_generator_options), " +
                                 std::to_string(sizeof(options)));
  mj_request request;
  ASSERT_EQ(mj_request_init(generator.get(), &request), MJ_OK);
  EXPECT_EQ(mj_request_init(generator.get(), nullptr), MJ_ERROR_INVALID_ARGUMENT);
  request.text_bytes = 3;
  EXPECT_EQ(mj_generator_submit(generator.get(), &request, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(mj_last_error(), "text is null");
  request.text = "abc";
  request.stop_token_count = 1;
  EXPECT_EQ(mj_generator_submit(generator.get(), &request, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(mj_last_error(), "stop_tokens is null");
  request.stop_token_count = 0;
  request.top_k = 1u << 31;
  EXPECT_EQ(mj_generator_submit(generator.get(), &request, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(mj_last_error(), "top_k is 2147483648; it must be at most 2147483647");
  EXPECT_EQ(mj_generator_submit(nullptr, &request, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_generator_step(nullptr, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_generator_run(nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_generator_cancel(generator.get(), 99), MJ_ERROR_NOT_FOUND);
  EXPECT_EQ(mj_generator_score(generator.get(), nullptr, 3, nullptr, 0, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_generator_get_stats(generator.get(), nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_generator_get_info(nullptr, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  mj_generator_destroy(nullptr);
  mj_tokenizer_destroy(nullptr);
}

TEST(LlmApi, RunsWithTheDefaultsOfARequest) {
  Package package = toyPackage();
  Generator generator = makeGenerator(package);
  mj_request request;
  ASSERT_EQ(mj_request_init(generator.get(), &request), MJ_OK);
  request.text = "abc";
  request.text_bytes = 3;
  uint64_t id = 0;
  ASSERT_EQ(mj_generator_submit(generator.get(), &request, &id),
            MJ_OK); // no callback, no length: until the context is full
  EXPECT_GT(id, 0u);
  ASSERT_EQ(mj_generator_run(generator.get()), MJ_OK);
  size_t unfinished = 7;
  EXPECT_EQ(mj_generator_step(generator.get(), &unfinished), MJ_OK);
  EXPECT_EQ(unfinished, 0u);
}

TEST(LlmApi, TokenizesIntoTheCallersMemory) {
  std::string json = llm::toyTokenizer();
  mj_tokenizer *tokenizer = nullptr;
  ASSERT_EQ(mj_tokenizer_create(json.data(), json.size(), &tokenizer), MJ_OK);
  EXPECT_EQ(mj_tokenizer_size(tokenizer), llm::toyVocabulary);
  EXPECT_GE(mj_tokenizer_find(tokenizer, "<|im_end|>"), 2048);
  EXPECT_EQ(mj_tokenizer_find(tokenizer, "<|no such|>"), -1);
  const std::string text = "hello <|im_end|> w\xFFrld";
  size_t count = 0;
  ASSERT_EQ(mj_tokenizer_encode(tokenizer, text.data(), text.size(), 1, nullptr, 0, &count), MJ_OK);
  ASSERT_GT(count, 3u);
  std::vector<int32_t> ids(count, -7);
  size_t again = 0;
  ASSERT_EQ(mj_tokenizer_encode(tokenizer, text.data(), text.size(), 1, ids.data(), count - 1, &again), MJ_OK);
  EXPECT_EQ(again, count);
  EXPECT_EQ(ids.back(), -7); // not beyond the capacity
  ASSERT_EQ(mj_tokenizer_encode(tokenizer, text.data(), text.size(), 1, ids.data(), count, &again), MJ_OK);
  std::string decoded(64, '?');
  size_t bytes = 0;
  ASSERT_EQ(mj_tokenizer_decode(tokenizer, ids.data(), count, 0, decoded.data(), decoded.size(), &bytes), MJ_OK);
  EXPECT_EQ(decoded.substr(0, bytes), "hello <|im_end|> w\uFFFDrld");
  ASSERT_EQ(mj_tokenizer_decode(tokenizer, ids.data(), count, 1, decoded.data(), 5, &bytes), MJ_OK);
  EXPECT_EQ(bytes, std::string("hello  w\uFFFDrld").size());
  EXPECT_EQ(mj_tokenizer_encode(tokenizer, nullptr, 1, 1, nullptr, 0, &count), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_tokenizer_encode(tokenizer, nullptr, 0, 1, nullptr, 0, &count), MJ_OK);
  mj_tokenizer_destroy(tokenizer);
  EXPECT_EQ(mj_tokenizer_create("{", 1, &tokenizer), MJ_ERROR_MALFORMED);
  EXPECT_EQ(tokenizer, nullptr);
}

} // namespace
