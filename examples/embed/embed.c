// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Generates text from C: opens a package, continues a prompt, prints the text as it comes.
//   embed MODEL.mjp "Once upon a time" [MAX_NEW_TOKENS]
#include <mjolnir/llm.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// What the callback is given with each event.
struct Progress {
  mj_finish finish;
  size_t new_tokens;
};

/// Called after each step that brought something new. Nonzero would cancel the request.
static int on_event(void *user, const mj_event *event) {
  struct Progress *progress = user;
  progress->finish = event->finish;
  if (event->stats)
    progress->new_tokens = event->stats->new_tokens;
  if (fwrite(event->text, 1, event->text_bytes, stdout) != event->text_bytes || fflush(stdout) != 0)
    return 1;
  return 0;
}

/// Says what failed; every function of the runtime leaves its reason in mj_last_error.
static int fail(const char *what) {
  fprintf(stderr, "embed: cannot %s: %s\n", what, mj_last_error());
  return 1;
}

static int generate(mj_generator *generator, const char *prompt, uint32_t max_new_tokens) {
  mj_request request;
  struct Progress progress = {MJ_FINISH_NONE, 0};
  if (mj_request_init(generator, &request) != MJ_OK) // the package's own settings for sampling
    return fail("prepare a request");
  request.text = prompt;
  request.text_bytes = strlen(prompt);
  request.max_new_tokens = max_new_tokens;
  request.callback = on_event;
  request.user = &progress;
  if (mj_generator_submit(generator, &request, NULL) != MJ_OK)
    return fail("take the prompt");
  // A program with other work to do would call mj_generator_step when it has time.
  if (mj_generator_run(generator) != MJ_OK)
    return fail("generate");
  putchar('\n');
  fprintf(stderr, "%zu tokens\n", progress.new_tokens);
  return progress.finish == MJ_FINISH_CANCELLED ? 1 : 0;
}

int main(int argc, char **argv) {
  mj_package *package = NULL;
  mj_generator *generator = NULL;
  unsigned long max_new_tokens = 100;
  int result = 1;
  if (argc == 4) {
    char *end;
    errno = 0;
    max_new_tokens = strtoul(argv[3], &end, 10);
    if (errno || *end || end == argv[3] || argv[3][0] == '-' || max_new_tokens > UINT32_MAX)
      argc = 0;
  }
  if (argc != 3 && argc != 4) {
    fprintf(stderr, "usage: embed MODEL.mjp PROMPT [MAX_NEW_TOKENS]\n");
    return 2;
  }
  if (mj_package_open(argv[1], &package) != MJ_OK)
    fail("open the package");
  else if (mj_generator_create(package, NULL, &generator) != MJ_OK)
    fail("make a generator");
  else
    result = generate(generator, argv[2], (uint32_t)max_new_tokens);
  mj_generator_destroy(generator); // null is fine for both
  mj_package_close(package);
  return result;
}
