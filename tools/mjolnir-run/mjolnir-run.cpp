// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-run: runs a package. This file reads the command line; the commands are in the files beside it.

#include "Commands.h"

#include <CLI/CLI.hpp>

#include <iostream>

using namespace mjolnir;
using namespace mjolnir::run;

int run::fail(const std::string &message) {
  std::cerr << "mjolnir-run: error: " << message << '\n';
  return ExitFailure;
}

namespace {

const char *const footer = R"(Examples:
  mjolnir-run model.mjp --prompt "Once upon a time" --max-new-tokens 200 --stats
  mjolnir-run model.mjp --prompt-file notes.txt --temperature 0.8 --top-p 0.95 --seed 7
  mjolnir-run model.mjp --tokens 1,2,3 --print-tokens
  mjolnir-run model.mjp --perplexity held-out.txt --window 512 --stride 256
  mjolnir-run model.mjp --entry main --input x=@x.npy --output y=@y.npy

Text goes to stdout as it comes; progress, statistics and errors go to stderr.
Exit codes: 0 success; 1 failure while running, said on stderr; 2 wrong usage.)";

void addGeneration(CLI::App &app, Options &options) {
  auto *prompt = app.add_option("--prompt", options.prompt, "Continue this text")->group("Generation");
  auto *file =
      app.add_option("--prompt-file", options.promptFile, "Continue the text of this file ('-': standard input)")
          ->type_name("FILE")
          ->group("Generation");
  auto *tokens = app.add_option("--tokens", options.tokens, "Continue these token ids: 1,2,3")
                     ->delimiter(',')
                     ->type_name("IDS")
                     ->allow_extra_args(false)
                     ->check(CLI::NonNegativeNumber)
                     ->group("Generation");
  prompt->excludes(file)->excludes(tokens);
  file->excludes(tokens);
  app.add_option("--max-new-tokens", options.maxNewTokens,
                 "Generate at most this many tokens; 0: until the context or the KV pages are full")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str()
      ->group("Generation");
  app.add_option("--temperature", options.temperature,
                 "0: always the most likely token; higher: more varied (default: the package's, or 0)")
      ->type_name("N")
      ->group("Generation");
  app.add_option("--top-k", options.topK,
                 "Sample from the K most likely tokens; 0: off (default: the package's, or off)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->group("Generation");
  app.add_option(
         "--top-p", options.topP,
         "Sample from the most likely tokens that make up this probability; 1: off (default: the package's, or off)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->group("Generation");
  app.add_option("--seed", options.seed, "Seed of sampling; the same seed gives the same text")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str()
      ->group("Generation");
  app.add_option("--stop", options.stops, "End before this text; may be given several times")
      ->allow_extra_args(false)
      ->group("Generation");
  app.add_flag("--ignore-eos", options.ignoreEos, "Go on after the model's end-of-text token")->group("Generation");
  app.add_flag("--no-special-tokens", options.noSpecialTokens,
               "Do not put around the prompt what the tokenizer adds, such as a begin-of-text token")
      ->group("Generation");
  app.add_flag("--echo", options.echo, "Print the prompt, too")->group("Generation");
  app.add_flag("--print-tokens", options.printTokens, "Print token ids, separated by commas, instead of text")
      ->group("Generation");
}

void addScoring(CLI::App &app, Options &options) {
  app.add_option("--perplexity", options.perplexityFile,
                 "Print the perplexity of the text in this file ('-': standard input; FILE.npy: its token ids, i32): "
                 "exp of the "
                 "mean negative log "
                 "likelihood of its tokens, each predicted from those before it in its window")
      ->type_name("FILE")
      ->group("Scoring");
  app.add_option("--window", options.window, "Tokens a window; 0: the package's longest context")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str()
      ->group("Scoring");
  app.add_option(
         "--stride", options.stride,
         "Tokens from one window to the next; 0: the window, so that windows do not overlap. Where they overlap, "
         "tokens are predicted in the first window that holds them; the first token of the text, or of windows "
         "that do not overlap, is not predicted")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str()
      ->group("Scoring");
  app.add_option("--logits", options.logitsFile,
                 "Write the logits that follow each token of the prompt to this .npy file: f32 [tokens, vocabulary]")
      ->type_name("FILE")
      ->group("Scoring");
}

void addEntry(CLI::App &app, Options &options) {
  auto nameAndFile = [](const std::string &argument) -> std::string {
    size_t split = argument.find("=@");
    bool good = split != std::string::npos && split > 0 && split + 2 < argument.size();
    return good ? "" : "'" + argument + "' is not of the form NAME=@FILE";
  };
  app.add_option("--entry", options.entry, "Run this entry of the package once (mjolnir-inspect lists them)")
      ->group("One entry");
  app.add_option("--input", options.inputs,
                 "Read this input of the entry from a .npy file of its type and shape; every input is needed")
      ->check(nameAndFile)
      ->type_name("NAME=@FILE")
      ->allow_extra_args(false)
      ->group("One entry");
  app.add_option("--output", options.outputs, "Write this output to a .npy file")
      ->check(nameAndFile)
      ->type_name("NAME=@FILE")
      ->allow_extra_args(false)
      ->group("One entry");
  app.add_option("--repeat", options.repeat, "Run the entry this many times (with --stats: the median time)")
      ->check(CLI::PositiveNumber)
      ->type_name("N")
      ->capture_default_str()
      ->group("One entry");
}

/// Which of the tool's jobs was asked for; complains if none, or several.
using Command = int (*)(const Package &, const Options &);
Command chooseCommand(const CLI::App &app, const Options &options) {
  bool hasPrompt = options.prompt || options.promptFile || !options.tokens.empty();
  auto given = [&](const char *name) { return app.count(name) > 0; };
  for (const char *other : {"--perplexity", "--logits"})
    if (given("--entry") && given(other))
      throw CLI::ValidationError("--entry", std::string("excludes ") + other);
  if (given("--trace") && (given("--perplexity") || given("--logits")))
    throw CLI::ValidationError("--trace", "goes with a prompt or --entry");
  if (given("--perplexity") && (given("--logits") || hasPrompt))
    throw CLI::ValidationError("--perplexity", "excludes --logits and a prompt");
  if (given("--entry")) {
    if (hasPrompt)
      throw CLI::ValidationError("--entry", "excludes a prompt");
    return runEntry;
  }
  for (const char *needsEntry : {"--input", "--output", "--repeat"})
    if (given(needsEntry))
      throw CLI::ValidationError(needsEntry, "needs --entry");
  if (given("--perplexity"))
    return perplexity;
  for (const char *needsPerplexity : {"--window", "--stride"})
    if (given(needsPerplexity))
      throw CLI::ValidationError(needsPerplexity, "needs --perplexity");
  if (!hasPrompt)
    throw CLI::ValidationError("nothing to do", "give --prompt, --prompt-file, --tokens, --perplexity or --entry");
  return given("--logits") ? logits : generate;
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Runs a Mjolnir package: generates text, measures perplexity, or runs one entry.");
  app.footer(footer);
  app.get_formatter()->column_width(34);
  app.set_version_flag("--version", std::string("mjolnir-run ") + mj_version());
  Options options;
  app.add_option("package", options.package, "The package, a .mjp file")->type_name("FILE")->required();
  app.add_option("--threads", options.threads, "Threads to compute with; 0: one for each core this process may use")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--kv-pages", options.kvPages,
                 "Pages of KV memory; 0: as many as the longest context needs (as the windows need, for --perplexity)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--kv-window-pages", options.kvWindowPages,
                 "The same for layers with a window, where a model mixes them with others; 0: what a step's sequences use")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--stats", options.stats, "Print times and speeds to stderr");
  app.add_option(
         "--trace", options.traceFile,
         "Write what each kernel of each run took to this file, which chrome://tracing and ui.perfetto.dev show; "
         "kernels then run one by one")
      ->type_name("FILE");
  app.add_flag("--no-run-ahead", options.noRunAhead,
               "Wait for each token before the next step starts; the text is the same")
      ->group("Generation");
  addGeneration(app, options);
  addScoring(app, options);
  addEntry(app, options);
  Command command = nullptr;
  try {
    app.parse(argc, argv);
    command = chooseCommand(app, options);
  } catch (const CLI::ParseError &e) {
    return app.exit(e) == 0 ? ExitOk : ExitUsage;
  }
  try {
    options.started = std::chrono::steady_clock::now();
    auto package = Package::open(options.package);
    if (!package)
      return fail(package.error().message);
    return command(*package, options);
  } catch (const std::bad_alloc &) {
    return fail("the process has no memory left");
  } catch (const std::exception &e) {
    return fail(e.what());
  }
}
