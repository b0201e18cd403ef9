// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Mjolnir's runtime, C API. Loads a package (.mjp) and runs its entry points.
//
// Rules that hold for every function here:
//  - A function that can fail returns an mj_status. MJ_OK is success; otherwise mj_last_error() holds a sentence for a
//    person, valid until the next call on the same thread.
//  - Handles are opaque. A package is immutable and may be shared by threads; a session belongs to one thread at a
//    time; sessions of one package are independent of each other.
//  - mj_session_run, mj_session_start and mj_session_wait neither allocate nor lock (one that fails allocates its
//    message; a CUDA session makes an entry's graph when it first runs).
//  - Strings are UTF-8; those returned live as long as the handle they came from.
#ifndef MJOLNIR_RUNTIME_H
#define MJOLNIR_RUNTIME_H

#include <dlpack/dlpack.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(MJOLNIR_BUILDING_RUNTIME)
#define MJ_API __attribute__((visibility("default")))
#else
#define MJ_API
#endif

typedef enum mj_status {
  MJ_OK = 0,
  MJ_ERROR_INVALID_ARGUMENT = 1, // the caller's arguments are wrong: a null handle, a tensor of another shape
  MJ_ERROR_NOT_FOUND = 2,        // a file, entry, input or member that does not exist
  MJ_ERROR_MALFORMED = 3,        // the package is not one, or is damaged
  MJ_ERROR_VERSION = 4,          // the package was made for another version of the runtime
  MJ_ERROR_UNSUPPORTED = 5,      // the machine lacks what the package needs: device, CPU feature
  MJ_ERROR_OUT_OF_MEMORY = 6,    // memory or KV pages; the message says what wanted how much
  MJ_ERROR_IO = 7,               // the operating system refused to read or map
  MJ_ERROR_INTERNAL = 8,
} mj_status;

/// The message of the last failure on this thread; "" if there was none.
MJ_API const char *mj_last_error(void);
/// For libraries over this one: makes `message` the last error of this thread and returns `status`. Null counts as "".
MJ_API mj_status mj_fail(mj_status status, const char *message);
/// The runtime's version, "0.1.0".
MJ_API const char *mj_version(void);
/// The package format this runtime reads: other majors and newer minors are refused.
MJ_API void mj_package_format(uint32_t *major, uint32_t *minor);

// ---- package ----

typedef struct mj_package mj_package;

/// Maps and verifies the package at `path`. On success `*package` must be given to mj_package_close.
MJ_API mj_status mj_package_open(const char *path, mj_package **package);
typedef struct mj_package_options {
  size_t struct_size; // sizeof(mj_package_options)
  /// Told how many bytes of the weights are on their way to a device that has memory of its own, now and then and once
  /// at the end, by the thread that opens the package; may be null.
  void (*progress)(void *user, uint64_t done, uint64_t total);
  void *user;
} mj_package_options;
/// The same, with options; null: none.
MJ_API mj_status mj_package_open_with(const char *path, const mj_package_options *options, mj_package **package);
/// Closes a package; its sessions must be destroyed first. Null is allowed.
MJ_API void mj_package_close(mj_package *package);

/// A member of the package's file by name ("tokenizer.json", "program.fb"); the bytes are mapped and live with the
/// package.
MJ_API mj_status mj_package_member(const mj_package *package, const char *name, const void **data, size_t *bytes);
MJ_API size_t mj_package_member_count(const mj_package *package);
MJ_API const char *mj_package_member_name(const mj_package *package, size_t index);

/// What opening a package, or making a session, took its time for, in order. "load the kernels" may have gone on beside
/// another phase.
typedef struct mj_phase {
  const char *name;
  uint64_t nanoseconds;
} mj_phase;
/// How many there are; `*phases` lives with the package.
MJ_API size_t mj_package_phases(const mj_package *package, const mj_phase **phases);

typedef enum mj_entry_kind { MJ_ENTRY_PLAIN = 0, MJ_ENTRY_RAGGED = 1 } mj_entry_kind;

typedef struct mj_entry_info {
  const char *name;
  mj_entry_kind kind;
  uint32_t tokens;             // ragged: T
  uint32_t sequences;          // ragged: B
  uint32_t pages_per_sequence; // ragged: P
  size_t inputs, outputs;
  uint64_t arena_bytes;
} mj_entry_info;

typedef struct mj_binding_info {
  const char *name;
  DLDataType dtype;
  int32_t ndim;
  const int64_t *shape; // elements
  size_t bytes;
} mj_binding_info;

MJ_API size_t mj_package_entry_count(const mj_package *package);
MJ_API mj_status mj_package_entry(const mj_package *package, size_t entry, mj_entry_info *info);
/// Index of the entry called `name`, or MJ_ERROR_NOT_FOUND with the names there are.
MJ_API mj_status mj_package_find_entry(const mj_package *package, const char *name, size_t *entry);
MJ_API mj_status mj_entry_input(const mj_package *package, size_t entry, size_t input, mj_binding_info *info);
MJ_API mj_status mj_entry_output(const mj_package *package, size_t entry, size_t output, mj_binding_info *info);

typedef struct mj_kv_info {
  uint32_t pools;          // 0: the program keeps no state
  uint32_t page_size;      // tokens a page
  uint64_t bytes_per_page; // of all pools together
  uint32_t max_context;    // tokens a sequence may hold
  uint32_t vocabulary;
  uint32_t window; // no row reads further back than this many tokens, its own included; 0: to the start
} mj_kv_info;
MJ_API mj_status mj_package_kv(const mj_package *package, mj_kv_info *info);

/// Models that mix layers with a window and layers without keep the former in a pool of their own, whose pages and
/// slots are those of `window_block_tables` and `window_slots`. Zeros where there is no such pool.
typedef struct mj_kv_window_info {
  uint32_t window;         // tokens that it keeps
  uint64_t bytes_per_page; // of this pool
} mj_kv_window_info;
MJ_API mj_status mj_package_kv_window(const mj_package *package, mj_kv_window_info *info);

/// Tensors that a session keeps between runs: what entries leave there, the next run of any entry finds there. Zeros
/// when the session is made.
MJ_API size_t mj_package_state_count(const mj_package *package);
MJ_API mj_status mj_package_state(const mj_package *package, size_t state, mj_binding_info *info);

// ---- session ----

typedef struct mj_session mj_session;

typedef struct mj_session_options {
  size_t struct_size; // sizeof(mj_session_options), so that later versions can add fields
  uint32_t threads;   // threads that run tiles, the caller's included; 0: one for each core this process may use
  uint32_t kv_pages;  // pages of paged KV memory; 0: enough for one sequence of max_context tokens
  uint32_t flags;     // of mj_session_flags
  uint32_t
      kv_window_pages; // of the pool of layers with a window; 0: what the sequences of a step use, at most kv_pages
} mj_session_options;

// For finding faults and for measuring; results are bit for bit the same. The host has neither.
typedef enum mj_session_flags {
  MJ_SESSION_NO_GRAPHS = 1,             // launch each kernel instead of replaying a captured graph
  MJ_SESSION_NO_DEPENDENT_LAUNCHES = 2, // start no kernel before the one before it has ended
  MJ_SESSION_EAGER_GRAPHS = 4,          // capture the graphs of all entries now, not when they first run
} mj_session_flags;

/// Makes a session: threads, arena, KV pages. `options` may be null. MJ_ERROR_OUT_OF_MEMORY says what wanted how much.
MJ_API mj_status mj_session_create(const mj_package *package, const mj_session_options *options, mj_session **session);
/// Null is allowed.
MJ_API void mj_session_destroy(mj_session *session);
/// What making the session took its time for; as mj_package_phases.
MJ_API size_t mj_session_phases(const mj_session *session, const mj_phase **phases);
/// How many KV pages the session has.
MJ_API uint32_t mj_session_kv_pages(const mj_session *session);
/// The same for the pool of the layers with a window; 0 where there is none.
MJ_API uint32_t mj_session_kv_window_pages(const mj_session *session);

/// Runs one entry to completion. `inputs` and `outputs` are in the entry's order; each is a dense row-major tensor of
/// exactly the binding's dtype and shape, at an address aligned to its element, in the memory of the CPU or of the
/// device that the package runs on, there at a multiple of 16 bytes. On that device nothing is copied: kernels read and
/// write the caller's memory (a CUDA session captures anew when addresses change: keep them). An output may be null
/// when the caller does not want it (the session then provides scratch memory). Outputs do not overlap inputs, with one
/// exception: where an output holds an input's elements and new ones behind or before them, a cache that grows, it may
/// lie so that these elements are where they are: then they are not copied. Index inputs of ragged entries that lie in
/// the CPU's memory are checked before anything runs: tokens below the vocabulary, offsets ascending and at most T,
/// slots and pages inside the pool, context lengths inside the block table. Of a block table only the pages that the
/// context length needs are looked at. Padding: a sequence without tokens has context length 0 and an empty range of
/// offsets; tokens from sequence_offsets[B] on are valid tokens at valid positions whose slot may be -1, which stores
/// nothing.
MJ_API mj_status mj_session_run(mj_session *session, size_t entry, const DLTensor *const *inputs, size_t input_count,
                                const DLTensor *const *outputs, size_t output_count);

/// Starts a run and returns; mj_session_wait waits for it. Two runs may be under way, the second queued behind the
/// first, so that a device need not wait for its host. What inputs hold in the CPU's memory is taken before the call
/// returns; outputs must stay where they are until the run has been waited for. Where mj_session_is_asynchronous says 0
/// the run is over when this returns.
/// With MJ_RUN_CONTINUE the run's `tokens` are the `next_tokens` of the run that was started before it, which the
/// caller need not know yet: both are of one ragged entry with as many tokens as sequences, and neither of those
/// tensors lies on the device. The tensor given for `tokens` is not looked at and may be null.
typedef enum mj_run_flags { MJ_RUN_CONTINUE = 1 } mj_run_flags;
MJ_API mj_status mj_session_start(mj_session *session, size_t entry, const DLTensor *const *inputs, size_t input_count,
                                  const DLTensor *const *outputs, size_t output_count, uint32_t flags);
/// Waits for the run that was started first of those under way and fills its outputs; MJ_ERROR_INVALID_ARGUMENT if
/// there is none. A failure is the run's: it is under way no longer.
MJ_API mj_status mj_session_wait(mj_session *session);
/// Runs that were started and not waited for: 0, 1 or 2. mj_session_run wants 0.
MJ_API uint32_t mj_session_under_way(const mj_session *session);
/// Whether runs go on while the host does something else.
MJ_API int mj_session_is_asynchronous(const mj_session *session);
/// Nanoseconds that the session has spent on making graphs, when it was created and when entries first ran; 0 where
/// there are none.
MJ_API uint64_t mj_session_capture_nanoseconds(const mj_session *session);

/// Makes all states of the session zeros, as when it was made; no run is under way. What its KV pages hold stays.
MJ_API mj_status mj_session_reset(mj_session *session);
/// Copies a state to a tensor, or a tensor to a state: of its dtype and shape, where tensors of a run may be. No run is
/// under way.
MJ_API mj_status mj_session_read_state(mj_session *session, size_t state, const DLTensor *tensor);
MJ_API mj_status mj_session_write_state(mj_session *session, size_t state, const DLTensor *tensor);

/// What is timed: nothing; the steps of a run, one after the other (two clock reads a step; no graphs); on a device of
/// its own clock, the run as a whole, as it is without timing (the host has the steps only).
typedef enum mj_profiling { MJ_PROFILE_OFF = 0, MJ_PROFILE_STEPS = 1, MJ_PROFILE_RUNS = 2 } mj_profiling;

/// Time and work of the steps of the last run that was waited for, when profiling is on. A copy has the kernel "copy";
/// a whole run has the kernel "run" and no tiles. The list lives until the next run is started; it is empty when
/// profiling was off or the run failed.
typedef struct mj_step_profile {
  const char *kernel;
  uint32_t tiles;
  uint64_t nanoseconds;
} mj_step_profile;
MJ_API mj_status mj_session_set_profiling(mj_session *session, int what); // an mj_profiling
MJ_API size_t mj_session_profile(const mj_session *session, const mj_step_profile **steps);

#ifdef __cplusplus
}
#endif
#endif // MJOLNIR_RUNTIME_H
