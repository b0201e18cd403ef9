// Operations of the mj dialect between wide floats and f8E4M3FN.
#ifndef MJOLNIR_DIALECT_MJ_MJQUANTOPS
#define MJOLNIR_DIALECT_MJ_MJQUANTOPS

include "mjolnir/Dialect/Mj/MjOpBase.td"

def Mj_QuantizeOp : Mj_TensorOp<"quantize"> {
  let summary = "rounds to f8E4M3FN with a fixed scale";
  let description = [{
    `e4m3_saturating(f32(x) * multiplier)`: round to nearest even, beyond 448 to 448 with its sign, NaN stays NaN. The scale is
    1 / multiplier.
  }];
  let arguments = (ins Mj_WideTensor:$x, F32Attr:$multiplier);
  let results = (outs Mj_F8Tensor:$result);
  let assemblyFormat = "$x `by` $multiplier attr-dict `:` type($x) `->` type($result)";
}

def Mj_DequantizeOp : Mj_TensorOp<"dequantize"> {
  let summary = "f8E4M3FN times its scale";
  let description = [{ `f32(x) * scale`, rounded once to the result's element type. }];
  let arguments = (ins Mj_F8Tensor:$x, F32Attr:$scale);
  let results = (outs Mj_WideTensor:$result);
  let assemblyFormat = "$x `by` $scale attr-dict `:` type($x) `->` type($result)";
}

def Mj_ChannelScaleOp : Mj_Op<"channel_scale", [Pure]> {
  let summary = "the f8E4M3FN scale of a weight's output channels";
  let description = [{
    `max_k |weight[n, k]| / 448` in f32 for each row n of [N, K]; 1 for a row of zeros. With a `tensor<1xf32>` as result one
    scale for the whole weight. Weights alone: packaging computes it.
  }];
  let arguments = (ins TensorRankOf<[F32, F16, BF16], [2]>:$weight);
  let results = (outs TensorRankOf<[F32], [1]>:$result);
  let assemblyFormat = "$weight attr-dict `:` type($weight) `->` type($result)";
  let hasVerifier = 1;
}

def Mj_QuantizeChannelsOp : Mj_Op<"quantize_channels", [Pure]> {
  let summary = "a weight in f8E4M3FN";
  let description = [{
    `e4m3_saturating(f32(weight[n, k]) / scales[n])`, `scales[0]` for all where there is one. Packaging computes it.
  }];
  let arguments = (ins TensorRankOf<[F32, F16, BF16], [2]>:$weight, TensorRankOf<[F32], [1]>:$scales);
  let results = (outs TensorRankOf<[F8E4M3FN], [2]>:$result);
  let assemblyFormat = "$weight `by` $scales attr-dict `:` type($weight) `,` type($scales) `->` type($result)";
  let hasVerifier = 1;
}

#endif
