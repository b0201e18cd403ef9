// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-run as a user meets it: what it prints, writes and returns, over the toy package.

#include "Npy.h"
#include "TestFiles.h"
#include "Tokenizer.h"
#include "ToyPackage.h"
#include "ToyProgram.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>

using namespace mjolnir;
using llm::temporaryPath;
using llm::ToyModel;

namespace {

struct Ran {
  int code;
  std::string out, err;
};

/// Runs mjolnir-run with `arguments`, a piece of shell.
Ran run(const std::string &arguments) {
  std::string err = temporaryPath("stderr");
  FILE *pipe =
      popen((std::string(MJOLNIR_EMULATOR " '" MJOLNIR_RUN "' ") + arguments + " 2>'" + err + "'").c_str(), "r");
  Ran ran = {-1, "", ""};
  if (!pipe)
    return ran;
  char buffer[4096];
  while (size_t bytes = fread(buffer, 1, sizeof(buffer), pipe))
    ran.out.append(buffer, bytes);
  int status = pclose(pipe);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ran.err = readTestFile(err);
  return ran;
}

const std::string &package() {
  static const std::string path = [] {
    std::string path = temporaryPath("run.mjp");
    llm::writeToyPackage(path, {{"tokenizer.json", llm::toyTokenizer()}});
    return path;
  }();
  return path;
}

const llm::Tokenizer &tokenizer() {
  static const llm::Tokenizer instance(llm::toyTokenizer());
  return instance;
}

std::vector<int32_t> encode(const std::string &text) {
  std::vector<int32_t> ids;
  tokenizer().encode(text, true, ids);
  return ids;
}

std::string commas(const std::vector<int32_t> &tokens) {
  std::string text;
  for (int32_t token : tokens)
    text += (text.empty() ? "" : ",") + std::to_string(token);
  return text;
}

void write(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

run::NpyArray floats(std::vector<int64_t> shape, const std::vector<float> &values) {
  run::NpyArray array;
  array.descr = "<f4";
  array.shape = std::move(shape);
  array.data.resize(values.size() * 4);
  std::memcpy(array.data.data(), values.data(), array.data.size());
  return array;
}

// ---- generation ----

TEST(Run, PrintsTextAndTokens) {
  std::vector<int32_t> expected = ToyModel::continuation(encode("Hello there"), 30, llm::toyVocabulary);
  Ran text = run(package() + " --prompt 'Hello there' --max-new-tokens 30");
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(text.out, tokenizer().decode(expected.data(), expected.size(), true) + "\n");
  EXPECT_EQ(text.err, "");
  Ran tokens = run("--print-tokens --max-new-tokens 30 --tokens " + commas(encode("Hello there")) + " " + package());
  EXPECT_EQ(tokens.code, 0) << tokens.err;
  EXPECT_EQ(tokens.out, commas(expected) + "\n");
  Ran echo = run(package() + " --echo --prompt 'Hello there' --max-new-tokens 30");
  EXPECT_EQ(echo.out, "Hello there" + text.out);
}

TEST(Run, ReadsPromptsFromFiles) {
  std::string path = temporaryPath("prompt.txt");
  write(path, "line one\nline two\n");
  std::vector<int32_t> expected = ToyModel::continuation(encode("line one\nline two\n"), 5, llm::toyVocabulary);
  Ran file = run(package() + " --print-tokens --max-new-tokens 5 --prompt-file '" + path + "'");
  EXPECT_EQ(file.out, commas(expected) + "\n");
  Ran input = run(package() + " --print-tokens --max-new-tokens 5 --prompt-file - < '" + path + "'");
  EXPECT_EQ(input.out, commas(expected) + "\n");
}

TEST(Run, SamplesBySeed) {
  auto sampled = [](uint64_t seed) {
    return commas(ToyModel::continuation({1, 2}, 8, llm::toyVocabulary, {0.7f, 5, 0.9f, seed})) + "\n";
  };
  std::string arguments =
      package() + " --tokens 1,2 --print-tokens --max-new-tokens 8 --temperature 0.7 --top-k 5 --top-p 0.9";
  EXPECT_EQ(run(arguments).out, sampled(0));
  EXPECT_EQ(run(arguments + " --seed 18446744073709551615").out, sampled(UINT64_MAX));
}

TEST(Run, StatsTellWhereTheTimeWent) {
  Ran ran = run(package() + " --tokens 7 --max-new-tokens 20 --stats");
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const char *line :
       {"\n  map and verify ", "\n  load the kernels ", "\n  allocate memory ", "\n  start threads ",
        "\n  read the tokenizer ", "\nfirst token ", " us: host ", "; 0 of 20 started ahead, 0 tokens dropped\n"})
    EXPECT_NE(ran.err.find(line), std::string::npos) << line << "\n" << ran.err;
}

// 1 step for the prompt, 4 for the tokens after the first, 2 kernels each.
TEST(Run, TracesEachKernelInARowOfItsOwn) {
  std::string path = temporaryPath("trace.json");
  Ran plain = run(package() + " --tokens 7,8 --max-new-tokens 5");
  Ran ran = run(package() + " --tokens 7,8 --max-new-tokens 5 --trace '" + path + "'");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, plain.out);
  std::ifstream file(path);
  nlohmann::json trace = nlohmann::json::parse(file);
  std::map<int, std::string> rows;
  std::map<std::string, int> events;
  double end = 0;
  for (const auto &event : trace["traceEvents"]) {
    if (event["name"] == "thread_name")
      rows[event["tid"]] = event["args"]["name"];
    if (event["ph"] != "X")
      continue;
    EXPECT_EQ(event["name"], rows.at(event["tid"]));
    ++events[event["name"]];
    if (std::string(event["name"]).rfind("entry ", 0) == 0) {
      EXPECT_GE(event["ts"], end - 0.002); // runs do not overlap; times have three digits
      end = double(event["ts"]) + double(event["dur"]);
    } else {
      EXPECT_LE(double(event["ts"]) + double(event["dur"]), end + 0.002);
    }
  }
  EXPECT_EQ(events, (std::map<std::string, int>{
                        {"entry prefill_t8", 1}, {"entry decode_b1", 4}, {"toy_append", 5}, {"toy_predict", 5}}));
  std::string in = temporaryPath("trace-in.npy");
  run::writeNpy(in, floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(run(package() + " --entry increment --input in=@" + in + " --repeat 3 --trace '" + path + "'").code, 0);
  std::ifstream again(path);
  nlohmann::json repeated = nlohmann::json::parse(again);
  int runs = 0;
  for (const auto &event : repeated["traceEvents"])
    runs += event["name"] == "toy_increment" && event["ph"] == "X";
  EXPECT_EQ(runs, 3);
  Ran refused = run(package() + " --perplexity x --trace y");
  EXPECT_EQ(refused.code, 2);
}

TEST(Run, StopsAndSaysWhy) {
  std::vector<int32_t> expected = ToyModel::continuation({7}, 20, llm::toyVocabulary);
  std::string whole = tokenizer().decode(expected.data(), expected.size(), true);
  std::string stop;
  for (size_t at = 8; at < whole.size(); ++at)
    if (std::isalpha(static_cast<unsigned char>(whole[at]))) {
      stop = whole[at];
      break;
    }
  ASSERT_NE(stop, "");
  Ran stopped = run(package() + " --tokens 7 --max-new-tokens 20 --stats --stop '" + stop + "'");
  EXPECT_EQ(stopped.out, whole.substr(0, whole.find(stop)) + "\n");
  EXPECT_NE(stopped.err.find("ended by a stop token or stop text"), std::string::npos) << stopped.err;
  Ran full = run(package() + " --tokens 7 --max-new-tokens 0 --stats");
  EXPECT_NE(full.err.find("note: ended because the context of 96 tokens is full"), std::string::npos) << full.err;
  EXPECT_NE(full.err.find("prompt 1 tokens, new 95 tokens"), std::string::npos) << full.err;
  EXPECT_NE(full.err.find("tokens/s"), std::string::npos);
  Ran pages = run(package() + " --tokens 7 --max-new-tokens 0 --kv-pages 3");
  EXPECT_EQ(pages.code, 0);
  EXPECT_EQ(pages.err, "mjolnir-run: note: ended because all 3 KV pages are full; see --kv-pages\n");
}

TEST(Run, FailsWithOne) {
  Ran many = run(package() + " --tokens 7 --max-new-tokens 50 --kv-pages 3");
  EXPECT_EQ(many.code, 1);
  EXPECT_EQ(many.err.rfind("mjolnir-run: error: the request needs 13 KV pages (1 prompt tokens + 49 generated", 0), 0u)
      << many.err;
  Ran none = run("/no/such.mjp --tokens 7");
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("/no/such.mjp"), std::string::npos) << none.err;
  Ran prompt = run(package() + " --prompt-file /no/such.txt");
  EXPECT_EQ(prompt.code, 1);
  EXPECT_NE(prompt.err.find("cannot open '/no/such.txt': No such file or directory"), std::string::npos) << prompt.err;
  Ran folder = run(package() + " --prompt-file /");
  EXPECT_EQ(folder.code, 1);
  EXPECT_NE(folder.err.find("cannot read '/': Is a directory"), std::string::npos) << folder.err;
  Ran token = run(package() + " --tokens 999999");
  EXPECT_EQ(token.code, 1);
  EXPECT_NE(token.err.find("the vocabulary has 2056 tokens"), std::string::npos) << token.err;
  Ran full = run(package() + " --tokens 7 >/dev/full");
  EXPECT_EQ(full.code, 1);
  EXPECT_NE(full.err.find("cannot write to standard output"), std::string::npos) << full.err;
  std::string bare = temporaryPath("bare.mjp");
  llm::writeToyPackage(bare, {});
  Ran text = run(bare + " --tokens 7");
  EXPECT_EQ(text.code, 1);
  EXPECT_EQ(text.err,
            "mjolnir-run: error: the package has no tokenizer.json; give token ids instead of text (and print them "
            "with --print-tokens)\n");
  EXPECT_EQ(run(bare + " --tokens 7 --print-tokens").code, 0);
}

TEST(Run, UsageIsTwo) {
  for (const char *arguments :
       {"", "--tokens 1", "p.mjp", "p.mjp --prompt a --tokens 1", "p.mjp --tokens -1", "p.mjp --tokens x",
        "p.mjp --no-such", "p.mjp --prompt a --entry e", "p.mjp --input a=@b", "p.mjp --perplexity f --prompt a",
        "p.mjp --prompt a --window 4", "p.mjp --entry e --input ab", "p.mjp --entry e --output =@b",
        "p.mjp --entry e --repeat 0", "p.mjp --prompt a --seed -1", "p.mjp --entry e --logits f"}) {
    Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 2) << arguments << ": " << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err, "");
  }
  Ran help = run("--help");
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("Exit codes: 0 success; 1 failure while running, said on stderr; 2 wrong usage."),
            std::string::npos);
  EXPECT_EQ(run("--version").out, std::string("mjolnir-run ") + mj_version() + "\n");
}

// ---- scoring ----

/// The mean negative log likelihood that the windows make, by the model itself.
double expectedMean(const std::vector<int32_t> &text, size_t window, size_t stride, size_t *predicted) {
  double sum = 0;
  *predicted = 0;
  size_t covered = 0;
  for (size_t begin = 0; covered < text.size(); begin += stride) {
    size_t end = std::min(begin + window, text.size());
    for (size_t i = std::max(covered, begin + 1); i < end; ++i) {
      uint64_t hash =
          ToyModel::read({text.begin() + static_cast<ptrdiff_t>(begin), text.begin() + static_cast<ptrdiff_t>(i)});
      double total = 0;
      for (uint32_t v = 0; v < llm::toyVocabulary; ++v)
        total += std::exp(double(ToyModel::logit(hash, v)));
      sum += std::log(total) - ToyModel::logit(hash, static_cast<uint32_t>(text[i]));
      ++*predicted;
    }
    covered = end;
  }
  return sum / static_cast<double>(*predicted);
}

TEST(Run, MeasuresPerplexity) {
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += "Sentence number " + std::to_string(i * i) + " says so.\n";
  std::string path = temporaryPath("text.txt");
  write(path, text);
  std::vector<int32_t> tokens = encode(text);
  ASSERT_GT(tokens.size(), 200u);
  const size_t windows[][2] = {{96, 96}, {32, 32}, {32, 8}, {50, 49}, {2, 1}};
  for (const auto &[window, stride] : windows) {
    size_t predicted;
    double mean = expectedMean(tokens, window, stride, &predicted);
    std::string arguments = package() + " --perplexity '" + path + "' --window " + std::to_string(window);
    Ran ran = run(stride == window ? arguments : arguments + " --stride " + std::to_string(stride));
    EXPECT_EQ(ran.code, 0) << ran.err;
    double perplexity = 0, printedMean = 0;
    size_t printedCount = 0;
    ASSERT_EQ(std::sscanf(ran.out.c_str(), "perplexity %lf (mean negative log likelihood %lf of %zu tokens",
                          &perplexity, &printedMean, &printedCount),
              3)
        << ran.out;
    EXPECT_NEAR(printedMean, mean, 1e-6);
    EXPECT_NEAR(perplexity / std::exp(mean), 1, 1e-6);
    EXPECT_EQ(printedCount, predicted);
  }
  std::string ids = temporaryPath("text-ids.npy");
  run::NpyArray array;
  array.descr = "<i4";
  array.shape = {static_cast<int64_t>(tokens.size())};
  array.data.resize(tokens.size() * 4);
  std::memcpy(array.data.data(), tokens.data(), array.data.size());
  run::writeNpy(ids, array);
  EXPECT_EQ(run(package() + " --perplexity '" + ids + "'").out, run(package() + " --perplexity '" + path + "'").out);
  run::writeNpy(ids, floats({1}, {1}));
  EXPECT_EQ(run(package() + " --perplexity '" + ids + "'").err,
            "mjolnir-run: error: '" + ids + "' holds <f4[1], not a list of token ids, <i4[N]\n");
  EXPECT_EQ(run(package() + " --perplexity '" + path + "' --kv-pages 24").code, 0); // one window at a time
  EXPECT_EQ(run(package() + " --perplexity '" + path + "' --window 97").code, 1);
  EXPECT_EQ(run(package() + " --perplexity '" + path + "' --window 10 --stride 11").code, 1);
  Ran empty = run(package() + " --perplexity /dev/null");
  EXPECT_EQ(empty.code, 1);
  EXPECT_EQ(empty.err, "mjolnir-run: error: the text has 0 tokens; at least 2 are needed to predict one\n");
}

TEST(Run, WritesLogits) {
  std::string path = temporaryPath("logits.npy");
  Ran ran = run(package() + " --tokens 4,5,6 --logits '" + path + "'");
  ASSERT_EQ(ran.code, 0) << ran.err;
  run::NpyArray array = run::readNpy(path);
  EXPECT_EQ(array.shape, (std::vector<int64_t>{3, llm::toyVocabulary}));
  const float *values = reinterpret_cast<const float *>(array.data.data());
  for (uint32_t v = 0; v < llm::toyVocabulary; ++v)
    ASSERT_EQ(values[2 * llm::toyVocabulary + v], ToyModel::logit(ToyModel::read({4, 5, 6}), v));
}

// ---- one entry ----

TEST(Run, RunsAnEntry) {
  std::string in = temporaryPath("in.npy"), out = temporaryPath("out.npy");
  run::writeNpy(in, floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  Ran ran = run(package() + " --entry increment --input in=@" + in + " --output out=@" + out + " --repeat 3 --stats");
  ASSERT_EQ(ran.code, 0) << ran.err;
  run::NpyArray expected = floats({2, 3}, {2, 3, 4, 5, 6, 7}), array = run::readNpy(out);
  EXPECT_EQ(array.data, expected.data);
  EXPECT_EQ(array.shape, expected.shape);
  EXPECT_EQ(ran.err.rfind("3 runs: median ", 0), 0u) << ran.err;
  EXPECT_EQ(run(package() + " --entry increment --input in=@" + in).code, 0); // outputs are optional
}

TEST(Run, RefusesWrongTensors) {
  std::string in = temporaryPath("in.npy"), wrong = temporaryPath("wrong.npy"), text = temporaryPath("text.npy");
  run::writeNpy(in, floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  run::writeNpy(wrong, floats({3, 2}, {1, 2, 3, 4, 5, 6}));
  write(text, "not an array");
  auto refusal = [](const std::string &arguments) {
    Ran ran = run(package() + " --entry " + arguments);
    EXPECT_EQ(ran.code, 1);
    return ran.err;
  };
  const std::string error = "mjolnir-run: error: ";
  EXPECT_EQ(refusal("increment"), error + "the input 'in' f32[2, 3] is missing; give --input in=@FILE.npy\n");
  EXPECT_EQ(refusal("increment --input in=@" + wrong),
            error + "'" + wrong + "' holds <f4[3, 2], but the input 'in' is f32[2, 3] (<f4)\n");
  EXPECT_EQ(refusal("increment --input in=@" + text),
            error + "cannot use '" + text + "': it does not start as a .npy file does\n");
  EXPECT_EQ(refusal("increment --input x=@" + in), error + "the entry has no input 'x'; it has in f32[2, 3]\n");
  EXPECT_EQ(refusal("increment --input in=@" + in + " --input in=@" + in), error + "--input gives 'in' twice\n");
  EXPECT_EQ(refusal("increment --input in=@" + in + " --output y=@y"),
            error + "the entry has no output 'y'; it has out f32[2, 3]\n");
  EXPECT_EQ(refusal("increment --input in=@" + in + " --output out=@/no/such/folder/y.npy"),
            error + "cannot write '/no/such/folder/y.npy': No such file or directory\n");
  EXPECT_NE(refusal("no_such_entry").find("no_such_entry"), std::string::npos);
}

} // namespace
