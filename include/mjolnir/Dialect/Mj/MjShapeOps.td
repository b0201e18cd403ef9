// Operations of the mj dialect that move elements and compute nothing.
#ifndef MJOLNIR_DIALECT_MJ_MJSHAPEOPS
#define MJOLNIR_DIALECT_MJ_MJSHAPEOPS

include "mjolnir/Dialect/Mj/MjOpBase.td"

// Elements that are moved are of any kind: activations, indices, booleans of a mask.
def Mj_AnyTensor : RankedTensorOf<[F32, F16, BF16, F8E4M3FN, I32, I64, I8, I1]>;

def Mj_ReshapeOp : Mj_TensorOp<"reshape"> {
  let summary = "the same elements in another shape";
  let description = [{
    Row-major order is kept. Of a symbolic shape only what is behind the leading dimension may change, so that it needs no
    arithmetic.
  }];
  let arguments = (ins Mj_AnyTensor:$source);
  let results = (outs Mj_AnyTensor:$result);
  let assemblyFormat = "$source attr-dict `:` type($source) `->` type($result)";
  let hasFolder = 1;
}

def Mj_BroadcastOp : Mj_TensorOp<"broadcast"> {
  let summary = "repeats a tensor along axes that it lacks or has one element of";
  let description = [{
    Shapes are aligned at their last axis; each size of the source is the result's, or 1 and repeated. `like` gives the
    result's leading dimension. A scalar is a `tensor<f32>`.
  }];
  let arguments = (ins Mj_AnyTensor:$source, AnyRankedTensor:$like);
  let results = (outs Mj_AnyTensor:$result);
  let assemblyFormat = "$source `like` $like attr-dict `:` type($source) `,` type($like) `->` type($result)";
  let hasFolder = 1;
}

def Mj_TransposeOp : Mj_TensorOp<"transpose"> {
  let summary = "the axes in another order";
  let description = [{ Axis i of the result is axis `permutation[i]` of the source. }];
  let arguments = (ins Mj_AnyTensor:$source, DenseI64ArrayAttr:$permutation);
  let results = (outs Mj_AnyTensor:$result);
  let assemblyFormat = "$source $permutation attr-dict `:` type($source) `->` type($result)";
  let hasFolder = 1;
}

def Mj_SliceOp : Mj_TensorOp<"slice"> {
  let summary = "a part of a tensor";
  let description = [{
    `result[i, j, ...] = source[offsets[0] + i * strides[0], offsets[1] + j * strides[1], ...]`; the result's type gives the
    sizes. A leading dimension that is symbolic is taken whole.
  }];
  let arguments = (ins Mj_AnyTensor:$source, DenseI64ArrayAttr:$offsets, DenseI64ArrayAttr:$strides);
  let results = (outs Mj_AnyTensor:$result);
  let assemblyFormat = "$source `from` $offsets `by` $strides attr-dict `:` type($source) `->` type($result)";
  let hasFolder = 1;
}

def Mj_ConcatOp : Mj_TensorOp<"concat"> {
  let summary = "tensors one after the other along an axis";
  let arguments = (ins Variadic<Mj_AnyTensor>:$sources, I64Attr:$axis);
  let results = (outs Mj_AnyTensor:$result);
  let assemblyFormat = "$sources `axis` $axis attr-dict `:` type($sources) `->` type($result)";
  let hasFolder = 1;
}

#endif
