// Written by generate.py.
// Sampling alone. Both weights are filled with a standard deviation of 0.02: 0.0032 of a score, times 1250.
// gpu-check: options --page-size=64 --max-context=512 --batch=1,32,128 --prefill=256
// gpu-check: steps 1x64 32x64 128x64
module attributes {mj.model = {architecture = "sampling", head_dim = 64 : i64, heads = 1 : i64, hidden_size = 64 : i64, kv_heads = 1 : i64, layers = 1 : i64, max_context = 8704 : i64, vocabulary = 151936 : i64}, mj.phase = "input"} {
mj.weight @embedding : tensor<151936x64xbf16> from "embedding"
mj.weight @head : tensor<151936x64xbf16> from "head"
func.func @step(%batch: !mj.batch<? x ? x ?> {mj.name = "batch"}, %kv: !mj.kv<1 x 1 x 64 x f32> {mj.name = "kv"}, %sampling: !mj.sampling<?> {mj.name = "sampling"}) -> (tensor<?xi32> {mj.name = "next_tokens"}, tensor<?x151936xf32> {mj.name = "logits"}, !mj.kv<1 x 1 x 64 x f32> {mj.name = "kv"}) attributes {mj.entry} {
  %table = mj.get_weight @embedding : tensor<151936x64xbf16>
  %tokens = mj.batch_field %batch[tokens] : <? x ? x ?>
  %small = mj.gather %table[%tokens] : tensor<151936x64xbf16>, tensor<?xi32> -> tensor<?x64xf32>
  %number = arith.constant dense<1.250000e+03> : tensor<f32>
  %factor = mj.broadcast %number like %small : tensor<f32>, tensor<?x64xf32> -> tensor<?x64xf32>
  %x = arith.mulf %small, %factor : tensor<?x64xf32>
  %key = mj.reshape %x : tensor<?x64xf32> -> tensor<?x1x64xf32>
  %cached = mj.kv_append %kv[0], %key, %key at %batch : <1 x 1 x 64 x f32>, tensor<?x1x64xf32>, tensor<?x1x64xf32>, <? x ? x ?> -> <1 x 1 x 64 x f32>
  %last = mj.batch_field %batch[logit_rows] : <? x ? x ?>
  %y = mj.gather %x[%last] : tensor<?x64xf32>, tensor<?xi32> -> tensor<?x64xf32>
  %head = mj.get_weight @head : tensor<151936x64xbf16>
  %logits = mj.matmul %y, %head {transpose_b} : tensor<?x64xf32>, tensor<151936x64xbf16> -> tensor<?x151936xf32>
  %next = mj.sample %logits with %sampling at %batch : tensor<?x151936xf32>, <?>, <? x ? x ?> -> tensor<?xi32>
  return %next, %logits, %cached : tensor<?xi32>, tensor<?x151936xf32>, !mj.kv<1 x 1 x 64 x f32>
}
}
