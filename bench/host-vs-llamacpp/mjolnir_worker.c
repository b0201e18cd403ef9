// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Runs a package for compare.py: mjolnir_worker MODEL.mjp THREADS
// The commands and the answers are llamacpp_worker.py's. Time is taken around mj_generator_step; the most likely token is
// chosen inside the program.
#include <mjolnir/llm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MaxTokens = 4096 };

static mj_generator *generator;
static mj_generator_info info;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(mj_status status, const char *what) {
  if (status == MJ_OK)
    return;
  fprintf(stderr, "mjolnir_worker: %s: %s\n", what, mj_last_error());
  exit(1);
}

/// What the steps of the one request in flight brought.
struct Generated {
  int32_t tokens[MaxTokens];
  size_t count;
};

static int onEvent(void *user, const mj_event *event) {
  struct Generated *generated = user;
  for (size_t i = 0; i < event->token_count && generated->count < MaxTokens; ++i)
    generated->tokens[generated->count++] = event->tokens[i];
  return 0;
}

static const int32_t *prompt(size_t count) {
  static int32_t tokens[MaxTokens];
  for (size_t i = 0; i < count; ++i)
    tokens[i] = (int32_t)((7919 * i + 13) % info.vocabulary);
  return tokens;
}

static void submit(size_t promptTokens, uint32_t newTokens, struct Generated *generated) {
  mj_request request;
  check(mj_request_init(generator, &request), "mj_request_init");
  request.tokens = prompt(promptTokens);
  request.token_count = promptTokens;
  request.max_new_tokens = newTokens;
  request.temperature = 0;
  request.ignore_eos = 1;
  request.callback = onEvent;
  request.user = generated;
  generated->count = 0;
  check(mj_generator_submit(generator, &request, NULL), "mj_generator_submit");
}

static void prefill(size_t promptTokens) {
  static struct Generated generated;
  submit(promptTokens, 1, &generated);
  double begin = now();
  check(mj_generator_run(generator), "mj_generator_run");
  printf("{\"seconds\": %.9f}\n", now() - begin);
}

static void decode(size_t promptTokens, size_t steps) {
  static struct Generated generated;
  submit(promptTokens, (uint32_t)steps + 1, &generated);
  while (generated.count == 0)
    check(mj_generator_step(generator, NULL), "mj_generator_step");
  size_t before = generated.count;
  double begin = now();
  check(mj_generator_run(generator), "mj_generator_run");
  double seconds = now() - begin;
  if (before != 1 || generated.count != steps + 1) {
    fprintf(stderr, "mjolnir_worker: %zu tokens instead of %zu\n", generated.count, steps + 1);
    exit(1);
  }
  printf("{\"seconds\": %.9f, \"tokens\": [", seconds);
  for (size_t i = 0; i < generated.count; ++i)
    printf("%s%d", i ? ", " : "", generated.tokens[i]);
  printf("]}\n");
}

static void writeLogits(size_t promptTokens, const char *path) {
  float *logits = malloc(info.vocabulary * sizeof *logits);
  size_t row = promptTokens - 1;
  check(mj_generator_score(generator, prompt(promptTokens), promptTokens, &row, 1, logits), "mj_generator_score");
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(logits, sizeof *logits, info.vocabulary, file) != info.vocabulary || fclose(file)) {
    fprintf(stderr, "mjolnir_worker: cannot write %s\n", path);
    exit(1);
  }
  free(logits);
  printf("{}\n");
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: mjolnir_worker MODEL.mjp THREADS\n");
    return 2;
  }
  double begin = now();
  mj_package *package = NULL;
  check(mj_package_open(argv[1], &package), argv[1]);
  mj_generator_options options = {sizeof options, (uint32_t)strtoul(argv[2], NULL, 10), 0};
  check(mj_generator_create(package, &options, &generator), "mj_generator_create");
  double seconds = now() - begin;
  check(mj_generator_get_info(generator, &info), "mj_generator_get_info");
  printf("{\"vocabulary\": %u, \"load_seconds\": %.6f}\n", info.vocabulary, seconds);
  fflush(stdout);

  char line[4096], path[4000];
  unsigned first, second;
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "prefill %u", &first) == 1 && first && first <= MaxTokens)
      prefill(first);
    else if (sscanf(line, "decode %u %u", &first, &second) == 2 && first && first <= MaxTokens && second < MaxTokens)
      decode(first, second);
    else if (sscanf(line, "logits %u %3999s", &first, path) == 2 && first && first <= MaxTokens)
      writeLogits(first, path);
    else {
      fprintf(stderr, "mjolnir_worker: unknown command: %s", line);
      return 1;
    }
    fflush(stdout);
  }
  mj_generator_destroy(generator);
  mj_package_close(package);
  return 0;
}
