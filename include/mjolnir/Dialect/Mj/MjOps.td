// Operations of the mj dialect.
#ifndef MJOLNIR_DIALECT_MJ_MJOPS
#define MJOLNIR_DIALECT_MJ_MJOPS

include "mjolnir/Dialect/Mj/MjEnums.td"
include "mjolnir/Dialect/Mj/MjInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mjolnir/Dialect/Mj/MjOpBase.td"
include "mjolnir/Dialect/Mj/MjQuantOps.td"
include "mjolnir/Dialect/Mj/MjShapeOps.td"

//===--------------------------------------------------------------------===//
// Weights
//===--------------------------------------------------------------------===//

def Mj_WeightOp : Mj_Op<"weight", [Symbol]> {
  let summary = "a tensor of the checkpoint";
  let description = [{
    Names a tensor of the checkpoint: `source` is its name there. Its bytes are read when the package is written.

    ```mlir
    mj.weight @l0.q_proj : tensor<2048x1024xbf16> from "model.layers.0.self_attn.q_proj.weight"
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Mj_FloatTensor>:$type, StrAttr:$source);
  let assemblyFormat = "$sym_name `:` $type `from` $source attr-dict";
  let hasVerifier = 1;
}

def Mj_PrepareOp : Mj_Op<"prepare", [Symbol, IsolatedFromAbove, SingleBlockImplicitTerminator<"YieldOp">, NoRegionArguments]> {
  let summary = "a tensor that packaging computes from weights";
  let description = [{
    A tensor of the package computed once, when the package is written, from weights alone: conversion, packing into a target's
    encoding, RoPE tables. The body runs by itself, one tensor at a time, with operations whose result does not depend on the
    machine, so that equal checkpoints give byte-equal packages.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Mj_FloatTensor>:$type);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `:` $type attr-dict-with-keyword $body";
  let hasVerifier = 1;
}

def Mj_GetWeightOp : Mj_Op<"get_weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a weight";
  let description = [{ The value of an `mj.weight` or `mj.prepare`; its type is the symbol's. }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs Mj_FloatTensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def Mj_PackOp : Mj_Op<"pack", [Pure]> {
  let summary = "stores a weight in a target's encoding";
  let description = [{ The same tensor in another encoding: source and result differ in `#mj.encoding` only. }];
  let arguments = (ins Mj_FloatTensor:$source);
  let results = (outs Mj_FloatTensor:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `to` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Mj_RopeTableOp : Mj_Op<"rope_table", [Pure]> {
  let summary = "cosines and sines of a rotary position embedding";
  let description = [{
    `tensor<C x D/2 x 2 x f32>`: for position p and pair i, cos and sin of p * f_i with f_i = theta^(-2i/D), rounded to f32 as
    the models were trained with it; the product, cosine and sine are computed in f64. With `llama3` = [factor,
    low_freq_factor, high_freq_factor, original_max_position_embeddings], f_i is rescaled as Llama 3.1 does (long wavelengths
    divided by factor, a linear ramp between). A positive `linear` divides all f_i.
  }];
  let arguments = (ins F64Attr:$theta, OptionalAttr<DenseF64ArrayAttr>:$llama3, DefaultValuedAttr<F64Attr, "1.0">:$linear);
  let results = (outs TensorRankOf<[F32], [3]>:$result);
  let assemblyFormat = "`theta` $theta attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===--------------------------------------------------------------------===//
// The batch
//===--------------------------------------------------------------------===//

def Mj_BatchFieldOp : Mj_Op<"batch_field", [Pure, InferTypeOpAdaptor]> {
  let summary = "one field of the batch as a tensor";
  let description = [{ See `!mj.batch` for the fields and their types. }];
  let arguments = (ins Mj_BatchType:$batch, Mj_BatchField:$field);
  let results = (outs RankedTensorOf<[I32]>:$result);
  let assemblyFormat = "$batch `[` $field `]` attr-dict `:` type($batch)";
}

//===--------------------------------------------------------------------===//
// Tensor operations
//===--------------------------------------------------------------------===//

def Mj_GatherOp : Mj_TensorOp<"gather"> {
  let summary = "rows of a table";
  let description = [{
    `result[t, ...] = table[indices[t], ...]`, converted to the result's element type. An index outside the table is undefined;
    the runtime checks token ids before a step.
  }];
  let arguments = (ins Mj_FloatTensor:$table, Mj_IndexTensor:$indices);
  let results = (outs Mj_FloatTensor:$result);
  let assemblyFormat = "$table `[` $indices `]` attr-dict `:` type($table) `,` type($indices) `->` type($result)";
}

def Mj_MatmulOp : Mj_TensorOp<"matmul"> {
  let summary = "matrix product with a weight";
  let description = [{
    `result[t, n] = sum_k x[t, k] * weight[n, k]` with `transpose_b`, `weight[k, n]` without. Products and sums are f32 whatever
    the operands' element types; the result is rounded once to its own.

    Quantized operands are multiplied as they are stored and the sum is scaled in f32: by `weight_scale[n]`, one for each
    output channel (or one for all, `tensor<1xf32>`), then by `x_scale`.
  }];
  let arguments = (ins Mj_FloatTensor:$x, Mj_FloatTensor:$weight, Optional<TensorRankOf<[F32], [1]>>:$weight_scale,
                       UnitAttr:$transpose_b, OptionalAttr<F32Attr>:$x_scale);
  let results = (outs Mj_FloatTensor:$result);
  let builders = [
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$x, "::mlir::Value":$weight, "bool":$transposeB), [{
      build($_builder, $_state, result, x, weight, ::mlir::Value(), transposeB, ::mlir::FloatAttr());
    }]>];
  let assemblyFormat = [{
    $x `,` $weight (`scaled` `by` $weight_scale^)? attr-dict `:` type($x) `,` type($weight) (`,` type($weight_scale)^)? `->`
    type($result)
  }];
}

def Mj_BatchMatmulOp : Mj_TensorOp<"batch_matmul"> {
  let summary = "matrix products of two activations";
  let description = [{
    `result[..., m, n] = sum_k a[..., m, k] * b[..., k, n]`, `b[..., n, k]` with `transpose_b`. The leading axes are equal.
    Products and sums are f32; the result is rounded once.
  }];
  let arguments = (ins Mj_FloatTensor:$a, Mj_FloatTensor:$b, UnitAttr:$transpose_b);
  let results = (outs Mj_FloatTensor:$result);
  let assemblyFormat = "$a `,` $b attr-dict `:` type($a) `,` type($b) `->` type($result)";
}

def Mj_ReduceOp : Mj_TensorOp<"reduce"> {
  let summary = "sum, mean, maximum or minimum over some axes";
  let description = [{
    The axes (ascending) disappear from the shape. Computed in f32, rounded once. A maximum or minimum over a NaN is NaN.
  }];
  let arguments = (ins Mj_ReduceKind:$kind, Mj_FloatTensor:$x, DenseI64ArrayAttr:$axes);
  let results = (outs Mj_FloatTensor:$result);
  let assemblyFormat = "$kind $x `over` $axes attr-dict `:` type($x) `->` type($result)";
}

def Mj_SoftmaxOp : Mj_TensorOp<"softmax"> {
  let summary = "softmax over the last axis";
  let description = [{
    `exp(x - max) / sum(exp(x - max))` in f32, rounded once. A row of -infinity alone gives zeros.
  }];
  let arguments = (ins Mj_FloatTensor:$x);
  let results = (outs Mj_FloatTensor:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
}

def Mj_NormOp : Mj_TensorOp<"norm", [AttrSizedOperandSegments]> {
  let summary = "RMS or layer normalization over the last axis";
  let description = [{
    `rms`: `x / sqrt(mean(x^2) + eps) * weight`. `layer`: `(x - mean(x)) / sqrt(var(x) + eps) * weight + bias`, the variance
    being the mean of squared deviations. Computed in f32, rounded once.
  }];
  let arguments = (ins Mj_NormKind:$kind, Mj_FloatTensor:$x, Optional<Mj_FloatTensor>:$weight,
                       Optional<Mj_FloatTensor>:$bias, F32Attr:$eps);
  let results = (outs Mj_FloatTensor:$result);
  let assemblyFormat = [{
    $kind $x (`,` `weight` $weight^)? (`,` `bias` $bias^)? `eps` $eps attr-dict `:`
    type($x) (`,` `weight` type($weight)^)? (`,` `bias` type($bias)^)? `->` type($result)
  }];
}

def Mj_RopeOp : Mj_TensorOp<"rope"> {
  let summary = "rotary position embedding";
  let description = [{
    Rotates pairs of each head's elements by the angles of the row's position: `half` pairs (i, i + D/2), `interleaved` pairs
    (2i, 2i + 1). `x` is [T, heads, D], `table` as `mj.rope_table` makes it; without positions, row t of it is that of row t
    of `x`. Computed in f32, rounded once.
  }];
  let arguments = (ins TensorRankOf<[F32, F16, BF16], [3]>:$x, Optional<Mj_IndexTensor>:$positions,
                       TensorRankOf<[F32], [3]>:$table, Mj_RopePairs:$pairs);
  let results = (outs TensorRankOf<[F32, F16, BF16], [3]>:$result);
  let assemblyFormat = [{
    $pairs $x (`at` $positions^)? `,` $table attr-dict `:` custom<RopeTypes>(type($x), type($positions), type($table)) `->`
    type($result)
  }];
}

//===--------------------------------------------------------------------===//
// Attention and its state
//===--------------------------------------------------------------------===//

def Mj_KvAppendOp : Mj_Op<"kv_append", [Pure]> {
  let summary = "the KV cache with this step's keys and values of one layer";
  let description = [{
    Row t of `key` and `value` ([T, heads, head_dim]) goes to slot `batch.slots[t]`; rows with slot -1 are skipped. Values are
    rounded to the cache's element type. With `scales` ([2, heads]: of the keys, of the values) head h is divided by its
    scale before: f8E4M3FN saturates.
  }];
  let arguments = (ins Mj_KvType:$kv, Mj_FloatTensor:$key, Mj_FloatTensor:$value, Mj_BatchType:$batch,
                       Optional<TensorRankOf<[F32], [2]>>:$scales, I64Attr:$layer);
  let results = (outs Mj_KvType:$result);
  let assemblyFormat = [{
    $kv `[` $layer `]` `,` $key `,` $value `at` $batch (`scaled` `by` $scales^)? attr-dict `:` type($kv) `,` type($key) `,`
    type($value) `,` type($batch) (`,` type($scales)^)? `->` type($result)
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Value":$kv, "::mlir::Value":$key, "::mlir::Value":$value, "::mlir::Value":$batch,
                   "int64_t":$layer), [{
      build($_builder, $_state, kv.getType(), kv, key, value, batch, ::mlir::Value(), layer);
    }]>];
  let hasVerifier = 1;
}

def Mj_AttentionOp : Mj_TensorOp<"attention"> {
  let summary = "scaled dot-product attention of the batch's rows over the KV cache";
  let description = [{
    For row t of sequence i, head h of `query` ([T, heads, head_dim]) attends to the cached tokens of sequence i at positions
    0 .. p where p is the row's position, or the last `window` of them; kv head `h / (heads / kv heads)`. Softmax of
    `scale * q.k` in f32. Padding rows give zero. `scales` are those that the cache was appended with: keys and values are
    multiplied by their head's.
  }];
  let arguments = (ins TensorRankOf<[F32, F16, BF16], [3]>:$query, Mj_KvType:$kv, Mj_BatchType:$batch,
                       Optional<TensorRankOf<[F32], [2]>>:$scales, I64Attr:$layer, F32Attr:$scale,
                       OptionalAttr<I64Attr>:$window);
  let results = (outs TensorRankOf<[F32, F16, BF16], [3]>:$result);
  let assemblyFormat = [{
    $query `,` $kv `[` $layer `]` `over` $batch (`scaled` `by` $scales^)? `scale` $scale (`window` $window^)? attr-dict `:`
    type($query) `,` type($kv) `,` type($batch) (`,` type($scales)^)? `->` type($result)
  }];
}

def Mj_SdpaOp : Mj_TensorOp<"sdpa", [AttrSizedOperandSegments]> {
  let summary = "scaled dot-product attention over tensors";
  let description = [{
    For row t and head h of `query` ([T, heads, D]): softmax over the rows s of all `keys` segments ([S_i, kv heads, D], one
    after the other) of `scale * q.k`, in f32, times the `values` segments ([S_i, kv heads, E]); kv head
    `h / (heads / kv heads)`. The result is [T, heads, E]. A segment is what was computed before or what is new: nothing has
    to be concatenated. `mask` is added before softmax (floats) or says which s may be seen (i1); its shape is [T, S] or
    [heads, T, S], S the sum of the segments. With `causal`, row t sees the rows up to S - T + t, with a `window` the last
    `window` of them. A row that sees nothing gives zeros.
  }];
  let arguments = (ins TensorRankOf<[F32, F16, BF16], [3]>:$query,
                       Variadic<TensorRankOf<[F32, F16, BF16], [3]>>:$keys,
                       Variadic<TensorRankOf<[F32, F16, BF16], [3]>>:$values,
                       Optional<RankedTensorOf<[F32, F16, BF16, I1]>>:$mask, F32Attr:$scale, UnitAttr:$causal,
                       OptionalAttr<I64Attr>:$window);
  let results = (outs TensorRankOf<[F32, F16, BF16], [3]>:$result);
  let assemblyFormat = [{
    $query `over` `[` $keys `]` `,` `[` $values `]` (`mask` $mask^)? `scale` $scale (`causal` $causal^)? (`window` $window^)?
    attr-dict `:` type($query) `,` `[` type($keys) `]` `,` `[` type($values) `]` (`,` type($mask)^)? `->` type($result)
  }];
}

def Mj_SampleOp : Mj_Op<"sample", [Pure]> {
  let summary = "draws the next token of each sequence";
  let description = [{
    `logits` is `tensor<B x V x f32>`. Temperature 0 takes the largest logit, the lowest index among equals. Otherwise
    logits / temperature are reduced to the `top_k` largest (0: all; ties at the threshold stay), softmax gives probabilities,
    the smallest set of the most probable whose mass reaches `top_p` stays (ties stay), and u drawn by Philox4x32-10 with key
    `seed` and counter `context_lengths[b]` picks the first index whose cumulative mass exceeds u. NaN counts as -infinity.
  }];
  let arguments = (ins TensorRankOf<[F32], [2]>:$logits, Mj_SamplingType:$sampling, Mj_BatchType:$batch);
  let results = (outs Mj_IndexTensor:$result);
  let assemblyFormat = [{
    $logits `with` $sampling `at` $batch attr-dict `:` type($logits) `,` type($sampling) `,` type($batch) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===--------------------------------------------------------------------===//
// Regions
//===--------------------------------------------------------------------===//

def Mj_FusionOp : Mj_Op<"fusion", [IsolatedFromAbove, Pure, SingleBlockImplicitTerminator<"YieldOp">]> {
  let summary = "a region that becomes one kernel";
  let description = [{
    What a kernel computes. Isolated from above: the operands are all that it reads, weights among them, so that equal regions
    of different layers and buckets become one kernel. `schedule` says how, from phase schedule on.

    ```mlir
    %h = mj.fusion(%a = %x : tensor<4x1024xbf16>, %b = %y : tensor<4x1024xbf16>) -> tensor<4x1024xbf16> {
      %0 = arith.addf %a, %b : tensor<4x1024xbf16>
      mj.yield %0 : tensor<4x1024xbf16>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$inputs, OptionalAttr<Mj_ScheduleAttr>:$schedule);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$results, "::mlir::ValueRange":$inputs)>];
}

def Mj_YieldOp : Mj_Op<"yield", [Pure, Terminator, ReturnLike, ParentOneOf<["FusionOp", "PrepareOp"]>]> {
  let summary = "ends the body of a fusion or of a prepared weight";
  let arguments = (ins Variadic<AnyType>:$results);
  let builders = [OpBuilder<(ins), [{ (void)$_state; }]>];
  let assemblyFormat = "($results^ `:` type($results))? attr-dict";
}

#endif
