// The passes of Mjolnir, in the order of the pipeline. One pass a file, named as the pass.
//
// Each description states the numeric effect: *exact* (bit-identical on the oracle), *reassociating* (rounding only) or
// *lossy* (changes precision; always asked for by an option).
#ifndef MJOLNIR_PASSES_PASSES
#define MJOLNIR_PASSES_PASSES

include "mlir/Pass/PassBase.td"

def SpecializeBuckets : Pass<"specialize-buckets", "mlir::ModuleOp"> {
  let summary = "Makes a static copy of each ragged entry for every bucket";
  let description = [{
    An importer writes an entry over a symbolic batch. A captured program needs static shapes: for each decode size B
    there is a copy over B rows of B sequences, for each prefill size T one over T rows of up to `max-batch` sequences.
    A step that is smaller than its bucket pads it; padding rows are masked where rows meet (attention, cache writes),
    so that they never reach a result. Sequences hold at most `max-context` tokens, which gives the width of a block
    table. The module states the choice: `max_context` of `mj.model` becomes what the entries hold, `mj.page_size` is
    what block tables are made for. Entries without a symbolic batch stay as they are.

    NUMERIC EFFECT: exact.

    Before, one symbolic entry:
    ```mlir
    func.func @step(%batch: !mj.batch<? x ? x ?>, ...) attributes {mj.entry}
    ```
    After `specialize-buckets{decode=1,4 prefill=128 max-batch=4 page-size=16 max-context=256}`:
    ```mlir
    func.func @decode_b1(%batch: !mj.batch<1 x 1 x 16>, ...) attributes {mj.entry}
    func.func @decode_b4(%batch: !mj.batch<4 x 4 x 16>, ...) attributes {mj.entry}
    func.func @prefill_t128(%batch: !mj.batch<128 x 4 x 16>, ...) attributes {mj.entry}
    ```
  }];
  let options = [
    ListOption<"decode", "decode", "int64_t", "Numbers of sequences to make a decode entry for">,
    ListOption<"prefill", "prefill", "int64_t", "Numbers of token rows to make a prefill entry for">,
    Option<"maxBatch", "max-batch", "int64_t", "1", "Sequences of a prefill entry">,
    Option<"pageSize", "page-size", "int64_t", "16", "Tokens in a page of the KV cache">,
    Option<"maxContext", "max-context", "int64_t", "0", "Tokens a sequence may hold; 0: what the model allows">,
  ];
  let dependentDialects = ["mjolnir::mj::MjDialect"];
}

def NarrowActivations : Pass<"narrow-activations", "mlir::ModuleOp"> {
  let summary = "Stores activations, matrices and the KV cache in bf16";
  let description = [{
    The imported program is f32 throughout. This pass stores its activations (f32 or f16) and KV cache in bf16, and
    converts the matrices and biases of an f32 or f16 checkpoint. Sums of matmuls, norms, softmax and rotary embeddings
    stay f32 inside their kernels, each result is rounded once. What leaves the program or is sampled stays f32: logits,
    and pointwise operations on them. So do norm weights and rotary tables. Arguments and results of plain entries keep
    their types; arguments are rounded on the way in.

    NUMERIC EFFECT: lossy (bf16 rounding of every stored activation). The gate: an error against the f32 program of at
    most twice that of another implementation's bf16 run.
  }];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect"];
}

def FormFusions : Pass<"form-fusions", "mlir::ModuleOp"> {
  let summary = "Groups operations into regions, one kernel each";
  let description = [{
    Wraps every operation that touches data in an `mj.fusion`. Matmul, attention and sampling are anchors of regions of
    their own. Everything else works row by row (pointwise operations, norms, rotary embeddings, gathers, reshapes,
    cache writes): what lies between two anchors and is connected becomes one region. Anchors run as early as their
    operands allow, so that those runs are long. Pointwise chains with one result that only one matmul by a weight feeds
    become its epilogue, and two matmuls of the same input and shape whose results meet in one pointwise chain (the gate
    and up projections of an MLP) become one region. Weights, batch fields and what depends on weights alone stay
    outside, and so do reshapes that are a region's only work: they move nothing. What nothing reads is dropped.

    With `unfused` every operation is a region of its own: the oracle.

    NUMERIC EFFECT: exact on the oracle's f32; with narrowed activations, values inside a region are no longer rounded
    between operations (reassociating).
  }];
  let options = [Option<"unfused", "unfused", "bool", "false", "One region an operation">];
  let dependentDialects = ["mjolnir::mj::MjDialect"];
}

def SelectSchedules : Pass<"select-schedules", "mlir::ModuleOp"> {
  let summary = "Chooses a schedule for each region and an encoding for each weight";
  let description = [{
    Asks the target for the schedule of every region. The encoding of a weight is chosen once for all entries, so that
    prefill, decode and the gather of a tied embedding read the same bytes: where the target wants one, `mj.pack` is put
    behind the weight. Regions that read a weight in another way than by multiplication or gather read it row-major:
    then it is stored twice, which a remark says.

    NUMERIC EFFECT: exact.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"host\"", "The target, as in mjolnir-compile --target">,
    Option<"oracle", "oracle", "bool", "false", "The target's plain schedules, weights row-major">,
  ];
  let dependentDialects = ["mjolnir::mj::MjDialect"];
}

def HoistWeightComputation : Pass<"hoist-weight-computation", "mlir::ModuleOp"> {
  let summary = "Moves what depends on weights alone to packaging";
  let description = [{
    Conversions, packing and rotary tables are computed once, when the package is written: each becomes an `mj.prepare`,
    and the entries read its result. Equal computations of several entries become one. Weights that nothing reads are
    dropped.

    NUMERIC EFFECT: exact.
  }];
  let dependentDialects = ["mjolnir::mj::MjDialect"];
}

def LowerToExec : Pass<"lower-to-exec", "mlir::ModuleOp"> {
  let summary = "Turns entries into launches over buffers, equal regions into one kernel";
  let description = [{
    Each region becomes an `exec.launch`; regions that are equal but for the layer of the KV cache share an
    `exec.kernel`. The cache becomes an `exec.kv_pool`; the batch and the sampling parameters become inputs, called as
    their fields. Results of regions become arena buffers, or the outputs of the entry. The pool is one memory: an entry
    that uses an older version of the cache after an append is refused.

    NUMERIC EFFECT: exact.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"host\"", "The target, as in mjolnir-compile --target">,
    Option<"pageSize", "page-size", "int64_t", "0",
           "Tokens in a page of the KV cache; 0: what the module states, or 16">,
  ];
  let dependentDialects = ["mjolnir::exec::ExecDialect"];
}

def PlanMemory : Pass<"plan-memory", "mjolnir::exec::EntryOp"> {
  let summary = "Gives every arena buffer an offset";
  let description = [{
    A buffer lives from the first launch that touches it to the last. Buffers are placed largest first, each at the
    lowest offset where no buffer that lives at the same time lies. A remark states the arena's size beside the largest
    live set.

    NUMERIC EFFECT: exact.
  }];
  let options = [Option<"alignment", "alignment", "int64_t", "64", "Alignment of every offset, bytes">];
  let dependentDialects = ["mjolnir::exec::ExecDialect"];
}

def VerifyPhase : Pass<"verify-phase", "mlir::ModuleOp"> {
  let summary = "Checks what the next phase may rely on";
  let description = [{
    `input`: there is an entry; entries hold operations of `mj` and pointwise `arith` and `math` on tensors with rows,
    of element types that kernels know. `graph`, `numerics`: entries have static shapes, too. `fusion`: outside regions
    there are only weights, what depends on them alone, batch fields and reshapes; a region has one anchor at most.
    `schedule`: every region has a schedule and nothing but regions computes. `plan`: only planned programs are left,
    every arena buffer has its place, aligned, and no two that live at the same time overlap. `code`: there is an image
    if there are kernels.
  }];
  let options = [Option<"phase", "phase", "std::string", "\"\"", "The phase that the module is in">];
}

#endif
