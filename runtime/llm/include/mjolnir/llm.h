// Mjolnir's text generation, C API: tokens and text in, text out as it comes. Built over mjolnir/runtime.h, whose rules
// hold here too: statuses, mj_last_error, opaque handles, UTF-8, handles created here are destroyed here.
//
// A generator serves requests over one package: submit some, then call mj_generator_step until none is left. Each step
// runs the program once for as many requests as fit (requests join and leave between steps), and hands what is new to
// their callbacks. A generator belongs to one thread at a time; a tokenizer may be shared by threads.
#ifndef MJOLNIR_LLM_H
#define MJOLNIR_LLM_H

#include "mjolnir/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(MJOLNIR_BUILDING_LLM)
#define MJ_LLM_API __attribute__((visibility("default")))
#else
#define MJ_LLM_API
#endif

// ---- tokenizer ----

typedef struct mj_tokenizer mj_tokenizer;

/// Reads the `bytes` bytes of a tokenizer.json: byte-level BPE as Qwen, Llama 3 and GPT-2 use it. What it does not
/// support is named: MJ_ERROR_UNSUPPORTED.
MJ_LLM_API mj_status mj_tokenizer_create(const void *json, size_t bytes, mj_tokenizer **tokenizer);
/// Null is allowed.
MJ_LLM_API void mj_tokenizer_destroy(mj_tokenizer *tokenizer);
/// One more than the largest token id.
MJ_LLM_API size_t mj_tokenizer_size(const mj_tokenizer *tokenizer);
/// The id of the token that tokenizer.json writes as `text` (zero-terminated), -1 if there is none.
MJ_LLM_API int32_t mj_tokenizer_find(const mj_tokenizer *tokenizer, const char *text);
/// Writes the first `capacity` tokens of `text` to `ids` and sets `*count` to how many there are; when that is more
/// than `capacity`, call again with more room. Bytes that are not UTF-8 count as U+FFFD. `add_special_tokens`: whether
/// to add what the tokenizer puts around a text, such as a begin-of-text token.
MJ_LLM_API mj_status mj_tokenizer_encode(const mj_tokenizer *tokenizer, const char *text, size_t bytes,
                                         int add_special_tokens, int32_t *ids, size_t capacity, size_t *count);
/// The same for the way back: writes at most `capacity` bytes of text, not zero-terminated, and sets `*bytes` to how
/// many there are. Ids without a token are left out, and with `skip_special_tokens` special tokens as well.
MJ_LLM_API mj_status mj_tokenizer_decode(const mj_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                         int skip_special_tokens, char *text, size_t capacity, size_t *bytes);

// ---- generator ----

typedef struct mj_generator mj_generator;

typedef struct mj_run_profile {
  const char *entry;
  uint64_t start_nanoseconds;   // of the monotonic clock
  const mj_step_profile *steps; // one after the other from then on; valid during the call only
  size_t step_count;
} mj_run_profile;

typedef struct mj_generator_options {
  size_t struct_size;     // sizeof(mj_generator_options)
  uint32_t threads;       // as in mj_session_options; 0: one for each core
  uint32_t kv_pages;      // as in mj_session_options; 0: enough for one sequence of the longest context
  uint32_t flags;         // of mj_generator_flags
  uint32_t session_flags; // of mj_session_flags
  /// Told of each step of the generator what its kernels took; the steps then run kernel by kernel, and none runs
  /// ahead. May be null.
  void (*profile)(void *user, const mj_run_profile *run);
  void *profile_user;
  uint32_t kv_window_pages; // as in mj_session_options; 0: what the sequences of a step use
} mj_generator_options;

// A generator runs ahead where that gains something: it starts the next step of decoding before it has read the tokens
// that the step under way draws. Whether a request has ended is then known one step late, and what that step drew for
// it is dropped. Tokens, text and the order of events are the same either way.
typedef enum mj_generator_flags {
  MJ_GENERATOR_NO_RUN_AHEAD = 1,     // never
  MJ_GENERATOR_ALWAYS_RUN_AHEAD = 2, // also where steps do not overlap with the host's work, which costs time
  MJ_GENERATOR_TIME_DEVICE = 4,      // measure what the device takes for each step
} mj_generator_flags;

/// Makes a generator with its own session. `options` may be null. The package must outlive it and hold ragged entries.
/// If the package has no tokenizer.json, or one that is not supported, the generator works with token ids only.
MJ_LLM_API mj_status mj_generator_create(const mj_package *package, const mj_generator_options *options,
                                         mj_generator **generator);
/// What making it took its time for; as mj_package_phases. "read the tokenizer" went on beside the others.
MJ_LLM_API size_t mj_generator_phases(const mj_generator *generator, const mj_phase **phases);
/// Null is allowed. Unfinished requests are dropped without an event.
MJ_LLM_API void mj_generator_destroy(mj_generator *generator);

typedef struct mj_generator_info {
  uint32_t max_context; // tokens a request may hold, prompt and generation together
  uint32_t vocabulary;
  uint32_t page_size;  // tokens
  uint32_t kv_pages;   // that the session has
  uint32_t max_active; // requests in one step at most
} mj_generator_info;
MJ_LLM_API mj_status mj_generator_get_info(const mj_generator *generator, mj_generator_info *info);
/// The package's tokenizer, owned by the generator; MJ_ERROR_NOT_FOUND or the reason why it cannot be used.
MJ_LLM_API mj_status mj_generator_tokenizer(const mj_generator *generator, const mj_tokenizer **tokenizer);

typedef enum mj_finish {
  MJ_FINISH_NONE = 0,         // not finished
  MJ_FINISH_STOP = 1,         // a stop token or a stop string
  MJ_FINISH_LENGTH = 2,       // max_new_tokens
  MJ_FINISH_CONTEXT_FULL = 3, // max_context tokens
  MJ_FINISH_PAGES_FULL = 4,   // no max_new_tokens was given, and all KV pages are used
  MJ_FINISH_CANCELLED = 5,    // by mj_generator_cancel or a callback
  MJ_FINISH_SCORED = 6,       // a scoring request is complete
  MJ_FINISH_ERROR = 7,        // running the program failed; mj_generator_step returned the reason
} mj_finish;

typedef struct mj_request_stats {
  size_t prompt_tokens, new_tokens;
  uint64_t first_token_nanoseconds; // from submission to the first new token
  uint64_t total_nanoseconds;       // from submission on
} mj_request_stats;

/// What a step brought a request. Everything it points to is valid during the callback only.
typedef struct mj_event {
  uint64_t request;
  // New tokens, and the text that became certain: text may lag behind tokens (half a character, the start of a stop
  // string). The token that stopped a request is among the tokens, not in the text.
  const int32_t *tokens;
  size_t token_count;
  const char *text; // UTF-8, not zero-terminated
  size_t text_bytes;
  // Scoring: the logits [vocabulary] of what follows token `row` of the request; otherwise null.
  const float *logits;
  size_t row;
  mj_finish finish;              // MJ_FINISH_NONE: more will come; otherwise this is the request's last event
  const mj_request_stats *stats; // with the last event; otherwise null
} mj_event;

/// Return nonzero to cancel the request. A callback may submit and cancel requests, but not step or destroy the
/// generator.
typedef int (*mj_event_callback)(void *user, const mj_event *event);

typedef struct mj_request {
  size_t struct_size; // sizeof(mj_request)
  // The prompt: text, or tokens when `tokens` is not null. It must not be empty.
  const char *text;
  size_t text_bytes;
  int add_special_tokens; // for text
  const int32_t *tokens;
  size_t token_count;
  uint32_t max_new_tokens; // 0: until something else ends it; the request then takes all the pages that are left
  // Sampling, done by the program. The random numbers of a request depend on its seed and its length alone.
  float temperature; // 0: the most likely token
  uint32_t top_k;    // 0: off
  float top_p;       // 1: off
  uint64_t seed;
  // Ends of generation.
  int ignore_eos;             // do not stop at the package's end-of-text tokens
  const int32_t *stop_tokens; // besides those
  size_t stop_token_count;
  const char *const *stop_texts; // zero-terminated; the text ends before the first of them
  size_t stop_text_count;
  int keep_special_tokens;    // show special tokens in the text
  mj_event_callback callback; // may be null
  void *user;
} mj_request;

/// Fills `request` with the defaults of the package's generation_config.json; without one: the most likely token, and
/// no end-of-text tokens.
MJ_LLM_API mj_status mj_request_init(const mj_generator *generator, mj_request *request);

/// Takes a request. Nothing of it is used after the call but the callback and `user`. Errors: an empty prompt, a token
/// outside the vocabulary, a prompt longer than max_context, a parameter out of range; MJ_ERROR_OUT_OF_MEMORY when it
/// needs more KV pages than the session has, with the arithmetic. `id` may be null.
MJ_LLM_API mj_status mj_generator_submit(mj_generator *generator, const mj_request *request, uint64_t *id);

/// Takes a scoring request: the program is fed `tokens`, and for each of `rows` (ascending, below `token_count`; null:
/// all of them) an event brings the logits of what follows that token.
MJ_LLM_API mj_status mj_generator_submit_score(mj_generator *generator, const int32_t *tokens, size_t token_count,
                                               const size_t *rows, size_t row_count, mj_event_callback callback,
                                               void *user, uint64_t *id);

/// Ends a request at the next step, with a last event. MJ_ERROR_NOT_FOUND if there is none of this number.
MJ_LLM_API mj_status mj_generator_cancel(mj_generator *generator, uint64_t id);

/// Runs the program once for some of the requests, and sets `*unfinished` (may be null) to how many requests are left.
/// With none, does nothing. On failure the requests of that step have ended with MJ_FINISH_ERROR; the generator stays
/// usable.
MJ_LLM_API mj_status mj_generator_step(mj_generator *generator, size_t *unfinished);
/// Steps until no request is left.
MJ_LLM_API mj_status mj_generator_run(mj_generator *generator);

/// Scores at once: logits [row_count, vocabulary] (row_count is token_count when `rows` is null). Other requests
/// advance too.
MJ_LLM_API mj_status mj_generator_score(mj_generator *generator, const int32_t *tokens, size_t token_count,
                                        const size_t *rows, size_t row_count, float *logits);

/// Work and time since the generator was made, or since mj_generator_reset_stats.
typedef struct mj_generator_stats {
  uint64_t prefill_steps, prefill_tokens, prefill_nanoseconds; // steps that read prompts
  uint64_t decode_steps, decode_tokens, decode_nanoseconds;    // steps with one token a request
  // Of those nanoseconds, what the host worked; the rest it waited for the device, or is in the two below. What the
  // device worked in the same steps, with MJ_GENERATOR_TIME_DEVICE (on device host: 0).
  uint64_t prefill_host_nanoseconds, decode_host_nanoseconds;
  uint64_t prefill_device_nanoseconds, decode_device_nanoseconds;
  uint64_t ahead_steps;          // steps that were started before the one before them was known
  uint64_t dropped_tokens;       // drawn for requests that had ended
  uint64_t callback_nanoseconds; // what callers did with their events while steps went on
  uint64_t capture_nanoseconds;  // what making the graphs of entries took, which is done when they first run
} mj_generator_stats;
MJ_LLM_API mj_status mj_generator_get_stats(const mj_generator *generator, mj_generator_stats *stats);
MJ_LLM_API mj_status mj_generator_reset_stats(mj_generator *generator);

#ifdef __cplusplus
}
#endif
#endif // MJOLNIR_LLM_H
