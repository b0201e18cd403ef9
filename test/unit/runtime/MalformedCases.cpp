// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// One broken program for each rule.
#include "MalformedCases.h"

namespace mjolnir::test {
namespace {

using fb::Operand;
using fb::ProgramT;
using fb::Space;

fb::LaunchT &launchOf(ProgramT &program, size_t entry, size_t step) {
  return *program.entries[entry]->steps[step]->kind.AsLaunch();
}
fb::CopyT &copyOf(ProgramT &program) { return *program.entries[Affine]->steps[2]->kind.AsCopy(); }
Operand &operandOf(ProgramT &program, size_t entry, size_t step, size_t operand) {
  return launchOf(program, entry, step).operands[operand];
}

void setIndex(Operand &o, uint32_t index) { o = Operand(o.space(), index, o.offset(), o.bytes()); }
void setOffset(Operand &o, uint64_t offset) { o = Operand(o.space(), o.index(), offset, o.bytes()); }
void setBytes(Operand &o, uint64_t bytes) { o = Operand(o.space(), o.index(), o.offset(), bytes); }

fb::MatmulCallT &callOf(ProgramT &program) { return *program.entries[Multiply]->steps[0]->kind.AsMatmulCall(); }

fb::TensorMapT &mapOf(ProgramT &program, size_t map) { return *program.kernels.back()->tensor_maps[map]; }

/// Makes a step of 'affine' wait for `after`.
void nameSteps(ProgramT &program, size_t step, std::vector<uint32_t> after) {
  program.entries[Affine]->steps[step]->waits = fb::Waits::named;
  program.entries[Affine]->steps[step]->after = std::move(after);
}

/// A second pool, with tables of its own, that keeps a page.
fb::KvPoolT &addWindowPool(ProgramT &program, const char *name) {
  program.kv_pools.push_back(std::make_unique<fb::KvPoolT>(*program.kv_pools[0]));
  fb::KvPoolT &pool = *program.kv_pools.back();
  pool.name = name;
  pool.window = 4;
  pool.own_tables = true;
  return pool;
}

struct ProgramCase {
  const char *name;
  const char *sentence;
  void (*change)(ProgramT &);
  mj_status code = MJ_ERROR_MALFORMED;
};

/// Gives the program a state of a session, and entry affine a step that copies `bytes` of state `index` to its output.
void useState(ProgramT &p, const char *name, uint32_t index = 0, uint64_t bytes = 1024) {
  p.states.push_back(std::make_unique<fb::BindingT>(*p.entries[Affine]->inputs[0]));
  p.states.back()->name = name;
  fb::CopyT &copy = *p.entries[Affine]->steps[2]->kind.AsCopy();
  copy.source = std::make_unique<fb::Operand>(fb::Space::state, index, 0, bytes);
  copy.destination = std::make_unique<fb::Operand>(fb::Space::output, 1, 0, bytes);
}

const ProgramCase ProgramCases[] = {
    // ---- states ----
    {"state-nameless", "state 0 has no name", [](ProgramT &p) { useState(p, ""); }},
    {"state-twice", "two states are called 'x'", [](ProgramT &p) { useState(p, "x"), useState(p, "x"); }},
    {"state-empty", "state 'x': dimension 0 is 0", [](ProgramT &p) { useState(p, "x"), p.states[0]->shape[0] = 0; }},
    {"state-unknown", "entry 'affine' step 2 source is state 1, but there are 1",
     [](ProgramT &p) { useState(p, "x", 1); }},
    {"state-of-none", "entry 'affine' step 2 source is state 0, but there are 0",
     [](ProgramT &p) { useState(p, "x"), p.states.clear(); }},
    {"state-too-small", "is 1024 bytes at 0 of state 'x', which has 512",
     [](ProgramT &p) { useState(p, "x"), p.states[0]->shape[0] = 2; }},
    // ---- version and target ----
    {"version-newer-major", "the package has format 2.5; this runtime reads 1.0 to 1.5: it needs a newer runtime",
     [](ProgramT &p) { p.version_major = 2; }, MJ_ERROR_VERSION},
    {"version-newer-minor", "the package has format 1.6; this runtime reads 1.0 to 1.5: it needs a newer runtime",
     [](ProgramT &p) { p.version_minor = 6; }, MJ_ERROR_VERSION},
    {"version-older-major", "the package has format 0.5; this runtime reads 1.0 to 1.5: compile it again",
     [](ProgramT &p) { p.version_major = 0; }, MJ_ERROR_VERSION},
    {"target-unknown", "the package is for target 'abacus'", [](ProgramT &p) { p.target->kind = "abacus"; },
     MJ_ERROR_UNSUPPORTED},
    {"target-nameless", "the target's kind has no name", [](ProgramT &p) { p.target->kind = ""; }},
    {"target-without-triple", "the target 'host' has no triple", [](ProgramT &p) { p.target->triple = ""; }},
    {"target-other-architecture", "the package holds code for 'riscv64-unknown-linux-gnu'; this machine is",
     [](ProgramT &p) { p.target->triple = "riscv64-unknown-linux-gnu"; }, MJ_ERROR_UNSUPPORTED},
    {"target-other-system", "this machine runs Linux",
     [](ProgramT &p) {
       p.target->triple.replace(p.target->triple.find("unknown-linux-gnu"), std::string::npos, "apple-macosx");
     },
     MJ_ERROR_UNSUPPORTED},
    {"target-unknown-feature", "CPU feature 'teleport', which this runtime does not know",
     [](ProgramT &p) { p.target->features = {"teleport"}; }, MJ_ERROR_UNSUPPORTED},

    {"cuda-without-architecture", "the target 'cuda' names no architecture",
     [](ProgramT &p) { p.target->kind = "cuda", p.target->features.clear(); }},
    {"cuda-unknown-architecture", "the target 'cuda' has the architecture 'avx2', which is none",
     [](ProgramT &p) { p.target->kind = "cuda", p.target->features = {"sm_90a", "avx2"}; }},
    {"cuda-kernel-without-ptx", "is in no PTX image, though the target names an architecture for machine code and one",
     [](ProgramT &p) { p.target->kind = "cuda", p.target->features = {"sm_90a", "compute_90"}; }},
    {"cuda-kernel-in-no-ptx-image", "is as PTX in image 7, but there are 1",
     [](ProgramT &p) {
       p.target->kind = "cuda", p.target->features = {"sm_90a", "compute_90"};
       p.kernels[0]->portable_image = 7;
     }},
    {"cuda-kernel-without-threads", "has blocks of 0 threads",
     [](ProgramT &p) { p.target->kind = "cuda", p.target->features = {"sm_90a"}; }},
    {"cuda-kernel-with-much-shared-memory", "wants 1000000 bytes of shared memory",
     [](ProgramT &p) {
       p.target->kind = "cuda", p.target->features = {"sm_90a"};
       for (auto &kernel : p.kernels)
         kernel->threads = 128, kernel->shared_bytes = 1000000;
     }},

    // ---- images and kernels ----
    {"image-without-member", "image 0 is the member 'nothing.so', which the file does not have",
     [](ProgramT &p) { p.images[0]->member = "nothing.so"; }},
    {"image-is-the-program", "image 0 is the program itself",
     [](ProgramT &p) { p.images[0]->member = "program.fb"; }},
    {"image-twice", "image 1: the member 'kernels.so' is an image twice",
     [](ProgramT &p) {
       p.images.push_back(std::make_unique<fb::ImageT>());
       p.images[1]->member = "kernels.so";
     }},
    {"image-not-elf", "image 'notes.json' is too small to be an ELF file",
     [](ProgramT &p) { p.images[0]->member = "notes.json"; }},
    {"kernel-nameless", "kernel 1 has no name", [](ProgramT &p) { p.kernels[1]->name = ""; }},
    {"kernel-name-with-newline", "kernel 1: the name 'sc?le' is not plain UTF-8",
     [](ProgramT &p) { p.kernels[1]->name = "sc\nle"; }},
    {"kernel-name-not-utf8", "kernel 2: the name", [](ProgramT &p) { p.kernels[2]->name = "\xc0\x80"; }},
    {"kernel-twice", "two kernels are called 'add'", [](ProgramT &p) { p.kernels[1]->name = "add"; }},
    {"kernel-without-symbol", "kernel 'scale' has no symbol", [](ProgramT &p) { p.kernels[1]->symbol = ""; }},
    {"kernel-unknown-symbol", "kernel 'scale': image 'kernels.so' has no symbol 'test_missing'",
     [](ProgramT &p) { p.kernels[1]->symbol = "test_missing"; }},
    {"kernel-unknown-image", "kernel 'scale' is in image 7, but there are 1",
     [](ProgramT &p) { p.kernels[1]->image = 7; }},
    {"kernel-without-operands", "kernel 'scale' has no operands", [](ProgramT &p) { p.kernels[1]->operand_count = 0; }},

    // ---- weights ----
    {"weights-without-member", "the program has 3 weights but names no member that holds them",
     [](ProgramT &p) { p.weights_member = ""; }},
    {"weights-unknown-member", "the weights are in the member 'elsewhere', which the file does not have",
     [](ProgramT &p) { p.weights_member = "elsewhere"; }},
    {"weights-in-the-program", "the weights' member is the program itself",
     [](ProgramT &p) { p.weights_member = "program.fb"; }},
    {"weights-in-an-image", "the member 'kernels.so' is named as weights and as an image",
     [](ProgramT &p) { p.weights_member = "kernels.so"; }},
    {"weights-data-unaligned", "tensor data starts at 65 of 'weights.safetensors', not at a multiple of 64",
     [](ProgramT &p) { p.weights_data_offset = 65; }},
    {"weights-too-few-bytes", "the program wants 100000 bytes of tensor data",
     [](ProgramT &p) { p.weights_bytes = 100000; }},
    {"weights-data-beyond-member", "bytes of tensor data from offset 18446744073709551552",
     [](ProgramT &p) { p.weights_data_offset = ~uint64_t(63); }},
    {"weights-header-elsewhere", "has no safetensors header that ends at 64",
     [](ProgramT &p) {
       p.weights_bytes += p.weights_data_offset - 64;
       p.weights_data_offset = 64;
     }},
    {"weight-nameless", "weight 0 has no name", [](ProgramT &p) { p.weights[0]->name = ""; }},
    {"weight-twice", "two weights are called 'w'", [](ProgramT &p) { p.weights[1]->name = "w"; }},
    {"weight-unknown-dtype", "weight 'w' has the unknown dtype 77",
     [](ProgramT &p) { p.weights[0]->dtype = static_cast<fb::DType>(77); }},
    {"weight-empty-dimension", "weight 'w': dimension 1 is 0", [](ProgramT &p) { p.weights[0]->shape = {64, 0}; }},
    {"weight-overflowing-shape", "weight 'w': the size of its shape overflows at dimension 1",
     [](ProgramT &p) { p.weights[0]->shape = {uint64_t(1) << 32, uint64_t(1) << 32}; }},
    {"weight-many-dimensions", "weight 'w' has 17 dimensions, more than 16",
     [](ProgramT &p) { p.weights[0]->shape.assign(17, 1); }},
    {"weight-wrong-size", "weight 'w' is row-major and has 256 bytes, but its shape needs 260",
     [](ProgramT &p) { p.weights[0]->shape = {65}; }},
    {"weight-without-bytes", "weight 'packed' has no bytes", [](ProgramT &p) { p.weights[2]->bytes = 0; }},
    {"weight-unaligned", "weight 'packed' starts at 321, not at a multiple of 64",
     [](ProgramT &p) { p.weights[2]->offset = 321; }},
    {"weight-beyond-data", "weight 'packed' (192 bytes at 384) does not fit the 512 bytes of tensor data",
     [](ProgramT &p) { p.weights[2]->offset = 384; }},
    {"weight-overflowing-offset", "weight 'packed' (192 bytes at 18446744073709551552) does not fit",
     [](ProgramT &p) { p.weights[2]->offset = ~uint64_t(63); }},

    // ---- KV pools ----
    {"pool-nameless", "KV pool 0 has no name", [](ProgramT &p) { p.kv_pools[0]->name = ""; }},
    {"pool-unknown-dtype", "KV pool 'kv' has the unknown dtype 200",
     [](ProgramT &p) { p.kv_pools[0]->dtype = static_cast<fb::DType>(200); }},
    {"pool-empty-page", "KV pool 'kv' has an empty page: layers 1, heads 1, head_dim 8, page_size 0",
     [](ProgramT &p) { p.kv_pools[0]->page_size = 0; }},
    {"pool-overflow", "KV pool 'kv': the size of a page overflows",
     [](ProgramT &p) { p.kv_pools[0]->layers = p.kv_pools[0]->heads = p.kv_pools[0]->head_dim = 0xffffffff; }},
    {"pool-wrong-size", "KV pool 'kv' says 257 bytes a page; its layout makes 256",
     [](ProgramT &p) { p.kv_pools[0]->bytes_per_page = 257; }},
    {"pool-unaligned-page", "KV pool 'kv': a page of 32 bytes is not a multiple of 64 bytes",
     [](ProgramT &p) {
       p.kv_pools[0]->head_dim = 1;
       p.kv_pools[0]->bytes_per_page = 32;
     }},
    {"pools-of-different-pages", "KV pool 'window' has pages of 8 tokens, the first pool 4",
     [](ProgramT &p) {
       p.kv_pools.push_back(std::make_unique<fb::KvPoolT>(*p.kv_pools[0]));
       p.kv_pools[1]->name = "window";
       p.kv_pools[1]->page_size = 8;
       p.kv_pools[1]->bytes_per_page = 512;
     }},
    {"pool-own-tables-first", "KV pool 'kv' has tables of its own, but is the first, whose tables are block_tables",
     [](ProgramT &p) {
       p.kv_pools[0]->window = 4;
       p.kv_pools[0]->own_tables = true;
     }},
    {"pool-own-tables-without-window", "KV pool 'window' has tables of its own, but no window",
     [](ProgramT &p) { addWindowPool(p, "window").window = 0; }},
    {"pools-own-tables-twice", "KV pool 'more' has tables of its own, as another pool has; there is one",
     [](ProgramT &p) {
       addWindowPool(p, "window");
       addWindowPool(p, "more");
     }},
    {"pool-twice", "two KV pools are called 'kv'",
     [](ProgramT &p) { p.kv_pools.push_back(std::make_unique<fb::KvPoolT>(*p.kv_pools[0])); }},

    // ---- entries ----
    {"no-entries", "the program has no entry", [](ProgramT &p) { p.entries.clear(); }},
    {"entry-nameless", "entry 0 has no name", [](ProgramT &p) { p.entries[Affine]->name = ""; }},
    {"entry-twice", "two entries are called 'affine'", [](ProgramT &p) { p.entries[Count]->name = "affine"; }},
    {"entry-unknown-kind", "entry 'affine' is of the unknown kind 9",
     [](ProgramT &p) { p.entries[Affine]->kind = static_cast<fb::EntryKind>(9); }},
    {"input-nameless", "entry 'affine' input 1 has no name", [](ProgramT &p) { p.entries[Affine]->inputs[1]->name = ""; }},
    {"input-twice", "entry 'affine' input 'a' is there twice",
     [](ProgramT &p) { p.entries[Affine]->inputs[1]->name = "a"; }},
    {"output-empty-dimension", "entry 'affine' output 'y': dimension 0 is 0",
     [](ProgramT &p) { p.entries[Affine]->outputs[0]->shape = {0, 64}; }},
    {"arena-alignment", "entry 'affine' wants its arena aligned to 96",
     [](ProgramT &p) { p.entries[Affine]->arena_alignment = 96; }},
    {"arena-enormous", "entry 'affine' wants an arena of 18446744073709551615 bytes",
     [](ProgramT &p) { p.entries[Affine]->arena_bytes = ~uint64_t(0); }},

    // ---- launches ----
    {"launch-unknown-kernel", "entry 'affine' step 0 launches kernel 6, but there are 6",
     [](ProgramT &p) { launchOf(p, Affine, 0).kernel = 6; }},
    {"launch-without-tiles", "entry 'affine' step 0 launches no tile of kernel 'add'",
     [](ProgramT &p) { launchOf(p, Affine, 0).tiles = 0; }},
    {"launch-too-many-tiles", "entry 'affine' step 0 launches 4000000000 tiles of kernel 'add'",
     [](ProgramT &p) { launchOf(p, Affine, 0).tiles = 4000000000u; }},
    {"launch-operand-count", "entry 'affine' step 1 gives 2 operands to kernel 'scale', which takes 3",
     [](ProgramT &p) { launchOf(p, Affine, 1).operands.pop_back(); }},
    {"operand-unknown-space", "step 0 operand 0 of kernel 'add' is in the unknown space 12",
     [](ProgramT &p) { operandOf(p, Affine, 0, 0) = Operand(static_cast<Space>(12), 0, 0, 4); }},
    {"operand-unknown-input", "step 0 operand 1 of kernel 'add' is input 5, but there are 2",
     [](ProgramT &p) { setIndex(operandOf(p, Affine, 0, 1), 5); }},
    {"operand-unknown-output", "step 1 operand 0 of kernel 'scale' is output 2, but there are 2",
     [](ProgramT &p) { setIndex(operandOf(p, Affine, 1, 0), 2); }},
    {"operand-unknown-weight", "step 1 operand 2 of kernel 'scale' is weight 3, but there are 3",
     [](ProgramT &p) { setIndex(operandOf(p, Affine, 1, 2), 3); }},
    {"operand-unknown-pool", "step 0 operand 0 of kernel 'count' is KV pool 1, but there are 1",
     [](ProgramT &p) { setIndex(operandOf(p, Count, 0, 0), 1); }},
    {"operand-second-arena", "step 0 operand 0 of kernel 'add' is in arena 1, but an entry has one",
     [](ProgramT &p) { setIndex(operandOf(p, Affine, 0, 0), 1); }},
    {"operand-part-of-pool", "step 0 operand 0 of kernel 'count' states 256 bytes of a KV pool",
     [](ProgramT &p) { setBytes(operandOf(p, Count, 0, 0), 256); }},
    {"operand-beyond-page", "step 0 operand 0 of kernel 'count' is at 256 of pages of 256 bytes",
     [](ProgramT &p) { setOffset(operandOf(p, Count, 0, 0), 256); }},
    {"operand-unaligned-in-page", "step 0 operand 0 of kernel 'count' is at 32 of a KV page, not at a multiple of 64",
     [](ProgramT &p) { setOffset(operandOf(p, Count, 0, 0), 32); }},
    {"operand-empty", "step 0 operand 1 of kernel 'add' is empty",
     [](ProgramT &p) { setBytes(operandOf(p, Affine, 0, 1), 0); }},
    {"operand-unaligned-arena", "operand 0 of kernel 'add' is at 1000 of the arena, not at a multiple of 64",
     [](ProgramT &p) { setOffset(operandOf(p, Affine, 0, 0), 1000); }},
    {"operand-unaligned-input", "operand 1 of kernel 'add' is at 2 of input 'a', not at a multiple of 4",
     [](ProgramT &p) { operandOf(p, Affine, 0, 1) = Operand(Space::input, 0, 2, 4); }},
    {"operand-beyond-input", "operand 1 of kernel 'add' is 1028 bytes at 0 of input 'a', which has 1024",
     [](ProgramT &p) { setBytes(operandOf(p, Affine, 0, 1), 1028); }},
    {"operand-beyond-output", "operand 0 of kernel 'scale' is 1024 bytes at 4 of output 'y', which has 1024",
     [](ProgramT &p) { setOffset(operandOf(p, Affine, 1, 0), 4); }},
    {"operand-beyond-arena", "operand 0 of kernel 'add' is 1024 bytes at 1088 of the arena, which has 2048",
     [](ProgramT &p) { setOffset(operandOf(p, Affine, 0, 0), 1088); }},
    {"operand-beyond-weight", "operand 2 of kernel 'scale' is 256 bytes at 64 of weight 'w', which has 256",
     [](ProgramT &p) { setOffset(operandOf(p, Affine, 1, 2), 64); }},
    {"operand-overflow", "operand 0 of kernel 'add' is 18446744073709551615 bytes at 1024 of the arena",
     [](ProgramT &p) { setBytes(operandOf(p, Affine, 0, 0), ~uint64_t(0)); }},

    // ---- order of steps ----
    {"order-unknown", "entry 'affine' step 1 waits in the unknown way 7",
     [](ProgramT &p) { p.entries[Affine]->steps[1]->waits = static_cast<fb::Waits>(7); }},
    {"order-named-and-all", "entry 'affine' step 2 waits for all earlier steps and names 1 of them",
     [](ProgramT &p) { p.entries[Affine]->steps[2]->after = {0}; }},
    {"order-of-itself", "entry 'affine' step 1 waits for step 1, which does not come before it",
     [](ProgramT &p) { nameSteps(p, 1, {1}); }},
    {"order-beyond-the-end", "entry 'affine' step 2 waits for step 4294967295, which does not come before it",
     [](ProgramT &p) { nameSteps(p, 2, {0, 0xffffffff}); }},
    {"order-descending", "entry 'affine' step 2 waits for step 0 after step 1; they are named in ascending order",
     [](ProgramT &p) { nameSteps(p, 2, {1, 0}); }},
    {"order-twice", "entry 'affine' step 2 waits for step 1 after step 1; they are named in ascending order",
     [](ProgramT &p) { nameSteps(p, 2, {1, 1}); }},
    {"dependent-first", "entry 'affine' step 0 starts early, but there is no launch right before it",
     [](ProgramT &p) { launchOf(p, Affine, 0).dependent = true; }},
    {"dependent-on-a-copy", "entry 'affine' step 1 starts early, but there is no launch right before it",
     [](ProgramT &p) {
       std::swap(p.entries[Affine]->steps[0], p.entries[Affine]->steps[2]);
       launchOf(p, Affine, 1).dependent = true;
     }},

    // ---- copies ----
    {"copy-of-unequal-sizes", "entry 'affine' step 2 copies 512 bytes into 1024",
     [](ProgramT &p) { setBytes(*copyOf(p).source, 512); }},
    {"copy-into-input", "entry 'affine' step 2 copies into an input",
     [](ProgramT &p) { *copyOf(p).destination = Operand(Space::input, 0, 0, 1024); }},
    {"copy-into-weight", "entry 'affine' step 2 copies into a weight",
     [](ProgramT &p) {
       *copyOf(p).source = Operand(Space::arena, 0, 0, 256);
       *copyOf(p).destination = Operand(Space::weight, 0, 0, 256);
     }},
    {"copy-of-pool", "entry 'affine' step 2 copies a KV pool",
     [](ProgramT &p) { *copyOf(p).source = Operand(Space::pool, 0, 0, 0); }},
    {"copy-onto-itself", "entry 'affine' step 2 copies between ranges that overlap",
     [](ProgramT &p) { *copyOf(p).destination = Operand(Space::arena, 0, 512, 1024); }},
    {"copy-source-beyond-arena", "entry 'affine' step 2 source is 1024 bytes at 2048 of the arena, which has 2048",
     [](ProgramT &p) { setOffset(*copyOf(p).source, 2048); }},

    // ---- ragged entries ----
    {"ragged-without-tokens", "entry 'step' is ragged with 0 tokens", [](ProgramT &p) { p.entries[Step]->tokens = 0; }},
    {"ragged-without-pool", "entry 'step' is ragged, but the program has no KV pool",
     [](ProgramT &p) {
       p.kv_pools.clear();
       p.entries.erase(p.entries.begin(), p.entries.begin() + Step);
     }},
    {"ragged-without-vocabulary", "entry 'step' is ragged, but the program does not say how large the vocabulary is",
     [](ProgramT &p) { p.language_model->vocabulary = 0; }},
    {"ragged-without-slots", "entry 'step' is ragged, but has no input 'slots'",
     [](ProgramT &p) { p.entries[Step]->inputs[5]->name = "slot"; }},
    {"ragged-wrong-dtype", "entry 'step' input 'seeds' is i32[2]; a ragged entry has i64[2]",
     [](ProgramT &p) { p.entries[Step]->inputs[10]->dtype = fb::DType::i32; }},
    {"ragged-wrong-shape", "entry 'step' input 'block_tables' is i32[4,2]; a ragged entry has i32[2,4]",
     [](ProgramT &p) { p.entries[Step]->inputs[4]->shape = {4, 2}; }},
    {"ragged-extra-input", "entry 'step' is ragged and has the input 'extra'",
     [](ProgramT &p) {
       p.entries[Step]->inputs.push_back(std::make_unique<fb::BindingT>(*p.entries[Step]->inputs[0]));
       p.entries[Step]->inputs.back()->name = "extra";
     }},
    {"ragged-without-window-tables", "entry 'step' is ragged, but has no input 'window_block_tables'",
     [](ProgramT &p) { addWindowPool(p, "window"); }},
    {"ragged-with-window-tables", "entry 'step' is ragged and has the input 'window_slots', which",
     [](ProgramT &p) {
       p.entries[Step]->inputs.push_back(std::make_unique<fb::BindingT>(*p.entries[Step]->inputs[5]));
       p.entries[Step]->inputs.back()->name = "window_slots";
     }},
    {"ragged-wrong-window-tables",
     "entry 'step' input 'window_block_tables' is i32[8]; a ragged entry has i32[2,4]",
     [](ProgramT &p) {
       addWindowPool(p, "window");
       for (const char *name : {"window_block_tables", "window_slots"}) {
         p.entries[Step]->inputs.push_back(std::make_unique<fb::BindingT>(*p.entries[Step]->inputs[5]));
         p.entries[Step]->inputs.back()->name = name;
       }
     }},
    {"ragged-without-logits", "entry 'step' is ragged, but has no output 'logits'",
     [](ProgramT &p) { p.entries[Step]->outputs[1]->name = "scores"; }},
    {"ragged-logits-of-other-vocabulary", "entry 'step' output 'logits' is f32[2,16]; a ragged entry has f32[2,17]",
     [](ProgramT &p) { p.language_model->vocabulary = 17; }},
};

// Of makeCallProgram().
const ProgramCase CallCases[] = {
    {"library-nameless", "library 0 has no name", [](ProgramT &p) { p.libraries[0]->name = ""; }},
    {"library-unknown", "the package calls the library 'abacus', which this runtime does not know; it knows 'cublaslt'",
     [](ProgramT &p) { p.libraries[0]->name = "abacus"; }, MJ_ERROR_UNSUPPORTED},
    {"library-twice", "two libraries are called 'cublaslt'",
     [](ProgramT &p) { p.libraries.push_back(std::make_unique<fb::LibraryT>(*p.libraries[0])); }},
    {"call-on-the-host", "entry 'multiply' step 0 calls a library, which the target 'host' cannot",
     [](ProgramT &p) { p.target->kind = "host", p.target->triple = "x86_64-unknown-linux-gnu"; }},
    {"call-of-unknown-library", "entry 'multiply' step 0 calls library 1, but there are 1",
     [](ProgramT &p) { callOf(p).library = 1; }},
    {"call-without-libraries", "entry 'multiply' step 0 calls library 0, but there are 0",
     [](ProgramT &p) { p.libraries.clear(); }},
    {"call-nameless", "entry 'multiply' step 0 call has no name", [](ProgramT &p) { callOf(p).name = ""; }},
    {"call-without-rows", "call 'product' multiplies 0 x 32 by 32 x 16; sizes are 1 to 2147483647",
     [](ProgramT &p) { callOf(p).m = 0; }},
    {"call-enormous", "call 'product' multiplies 4 x 4294967296 by 4294967296 x 16; sizes are",
     [](ProgramT &p) { callOf(p).k = uint64_t(1) << 32; }},
    {"call-of-unknown-dtype", "call 'product' has no product of the dtypes 77 and 2 to 2",
     [](ProgramT &p) { callOf(p).x_dtype = static_cast<fb::DType>(77); }},
    {"call-of-mixed-dtypes", "call 'product' has no product of the dtypes 2 and 3 to 2",
     [](ProgramT &p) { callOf(p).weight_dtype = fb::DType::f8e4m3fn; }},
    {"call-to-narrower-dtype", "call 'product' has no product of the dtypes 2 and 2 to 1",
     [](ProgramT &p) { callOf(p).result_dtype = fb::DType::f16; }},
    {"call-of-f8-not-transposed", "call 'product' multiplies f8e4m3fn by a weight of 16 x 32; both are multiples of 16",
     [](ProgramT &p) {
       callOf(p).x_dtype = callOf(p).weight_dtype = fb::DType::f8e4m3fn;
       callOf(p).weight_transposed = false;
     }},
    {"call-with-scale", "call 'product' scales a product that is not of f8e4m3fn",
     [](ProgramT &p) { callOf(p).weight_scale = std::make_unique<Operand>(Space::weight, 0, 0, 4); }},
    {"call-with-unknown-activation", "call 'product' has the unknown activation 9",
     [](ProgramT &p) { callOf(p).activation = static_cast<fb::Activation>(9); }},
    {"call-with-infinite-alpha", "call 'product' has an alpha that is no finite number",
     [](ProgramT &p) { callOf(p).alpha = 1 / 0.0f; }},
    {"call-operand-beyond-input", "call 'product' x is 256 bytes at 16 of input 'x', which has 256",
     [](ProgramT &p) { setOffset(*callOf(p).x, 16); }},
    {"call-operand-too-short", "call 'product' weight has 1008 bytes; its shape has 1024",
     [](ProgramT &p) { setBytes(*callOf(p).weight, 1008); }},
    {"call-bias-too-long", "call 'product' bias has 64 bytes; its shape has 32",
     [](ProgramT &p) { *callOf(p).bias = Operand(Space::weight, 0, 0, 64); }},
    {"call-operand-unaligned", "call 'product' bias is at 8, not at a multiple of 16",
     [](ProgramT &p) { *callOf(p).bias = Operand(Space::input, 0, 8, 32); }},
    {"call-operand-in-pool", "call 'product' residual is in a KV pool, which only kernels may touch",
     [](ProgramT &p) { *callOf(p).residual = Operand(Space::pool, 0, 0, 0); }},
    {"call-into-input", "call 'product' result is an input, which is read-only",
     [](ProgramT &p) { *callOf(p).result = Operand(Space::input, 3, 0, 128); }},
    {"call-into-weight", "call 'product' result is a weight, which is read-only",
     [](ProgramT &p) { *callOf(p).result = Operand(Space::weight, 0, 0, 128); }},
    {"call-onto-operand", "call 'product' result overlaps its workspace",
     [](ProgramT &p) { *callOf(p).result = Operand(Space::arena, 0, 2944, 128); }},
    {"call-workspace-onto-operand", "call 'product' workspace overlaps its bias",
     [](ProgramT &p) { *callOf(p).bias = Operand(Space::arena, 0, 1024, 32); }},
    {"call-workspace-empty", "call 'product' workspace is empty",
     [](ProgramT &p) { setBytes(*callOf(p).workspace, 0); }},
    {"call-workspace-unaligned", "call 'product' workspace is not at a multiple of 256 of an arena that is aligned so",
     [](ProgramT &p) { setOffset(*callOf(p).workspace, 1088); }},
    {"call-before-dependent", "entry 'multiply' step 1 starts early, but there is no launch right before it",
     [](ProgramT &p) {
       auto launch = std::make_unique<fb::StepT>(*p.entries[Stack]->steps[0]);
       launch->kind.AsLaunch()->operands[0] = Operand(Space::arena, 0, 0, 64);
       launch->kind.AsLaunch()->dependent = true;
       p.entries[Multiply]->steps.push_back(std::move(launch));
     }},
};

// Of makeMapProgram().
const ProgramCase MapCases[] = {
    {"map-on-the-host", "kernel 'show' takes tensor maps, which the target 'host' does not have",
     [](ProgramT &p) { p.target->kind = "host", p.target->triple = "x86_64-unknown-linux-gnu"; }},
    {"map-of-unknown-operand", "kernel 'show' tensor map 1 is of operand 3, but there are 3",
     [](ProgramT &p) { mapOf(p, 1).operand = 3; }},
    {"map-of-unknown-dtype", "kernel 'show' tensor map 0 has the dtype 77; it may be",
     [](ProgramT &p) { mapOf(p, 0).dtype = static_cast<fb::DType>(77); }},
    {"map-of-integers", "kernel 'show' tensor map 1 has the dtype 6; it may be f32, f16, bf16, f8e4m3fn or i8",
     [](ProgramT &p) { mapOf(p, 1).dtype = fb::DType::i32; }},
    {"map-without-rows", "kernel 'show' tensor map 0 has 0 rows of 64; there are 1 to 2^32 of each",
     [](ProgramT &p) { mapOf(p, 0).rows = 0; }},
    {"map-enormous", "kernel 'show' tensor map 0 has 18 rows of 4294967304; there are 1 to 2^32 of each",
     [](ProgramT &p) { mapOf(p, 0).columns = (uint64_t(1) << 32) + 8; }},
    {"map-of-long-boxes", "kernel 'show' tensor map 0 has boxes of 257 rows of 64; there are 1 to 256 of each",
     [](ProgramT &p) { mapOf(p, 0).box_rows = 257; }},
    {"map-of-empty-boxes", "kernel 'show' tensor map 0 has boxes of 8 rows of 0; there are 1 to 256 of each",
     [](ProgramT &p) { mapOf(p, 0).box_columns = 0; }},
    {"map-of-unaligned-rows", "kernel 'show' tensor map 0 has rows of 120 bytes, not a multiple of 16",
     [](ProgramT &p) { mapOf(p, 0).columns = 60; }},
    {"map-of-wide-boxes",
     "kernel 'show' tensor map 0 has boxes with rows of 144 bytes; these are multiples of 16 up to 128",
     [](ProgramT &p) { mapOf(p, 0).box_columns = 72; }},
    {"map-of-unaligned-boxes", "kernel 'show' tensor map 0 has boxes with rows of 24 bytes; these are multiples of 16",
     [](ProgramT &p) { mapOf(p, 0).box_columns = 12; }},
    {"map-beyond-operand",
     "step 0 operand 1 of kernel 'show' has 2304 bytes, fewer than the 19 rows of 64 of its tensor map",
     [](ProgramT &p) { mapOf(p, 0).rows = 19; }},
    {"map-overflow",
     "step 0 operand 1 of kernel 'show' has 2304 bytes, fewer than the 4294967296 rows of 2147483648 of its tensor map",
     [](ProgramT &p) { mapOf(p, 0).rows = uint64_t(1) << 32, mapOf(p, 0).columns = uint64_t(1) << 31; }},
    {"map-of-unaligned-operand",
     "step 0 operand 1 of kernel 'show' is at 8, and its tensor map must begin at a multiple of 16",
     [](ProgramT &p) { operandOf(p, Show, 0, 1) = Operand(Space::input, 0, 8, 2304); }},
    {"map-of-pool", "step 0 operand 1 of kernel 'show' is in a KV pool, of which there are no tensor maps",
     [](ProgramT &p) { operandOf(p, Show, 0, 1) = Operand(Space::pool, 0, 0, 0); }},
};

} // namespace

std::vector<MalformedCase> makeMalformedPrograms(const std::string &image) {
  std::vector<MalformedCase> cases;
  auto add = [&](const ProgramCase &source, ProgramT program) {
    Members members = makeMembers(std::move(program), image, source.change);
    cases.push_back({source.name, source.code, source.sentence, zipMembers(members), members[0].second});
  };
  for (const ProgramCase &source : ProgramCases)
    add(source, makeProgram());
  for (const ProgramCase &source : CallCases)
    add(source, makeCallProgram());
  for (const ProgramCase &source : MapCases)
    add(source, makeMapProgram());
  return cases;
}

} // namespace mjolnir::test
