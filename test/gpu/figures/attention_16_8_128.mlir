// Written by generate.py.
// Paged decode attention alone: 16 query heads and 8 of keys and values, of 128; pages of 64.
// gpu-check: options --page-size=64 --max-context=8704 --batch=1,4,32,128 --prefill=256
// gpu-check: options --page-size=64 --max-context=8704 --batch=1,4,32,128 --prefill=256 --fp8-kv
// gpu-check: steps 1x512 4x2048 32x512 32x2048 32x8192 128x2048
module attributes {mj.model = {architecture = "attention_16_8_128", head_dim = 128 : i64, heads = 16 : i64, hidden_size = 2048 : i64, kv_heads = 8 : i64, layers = 16 : i64, max_context = 8704 : i64, vocabulary = 64 : i64}, mj.phase = "input"} {
mj.weight @queries : tensor<64x2048xbf16> from "queries"
mj.weight @head : tensor<64x2048xbf16> from "head"
func.func @step(%batch: !mj.batch<? x ? x ?> {mj.name = "batch"}, %kv: !mj.kv<16 x 8 x 128 x f32> {mj.name = "kv"}, %sampling: !mj.sampling<?> {mj.name = "sampling"}) -> (tensor<?xi32> {mj.name = "next_tokens"}, tensor<?x64xf32> {mj.name = "logits"}, !mj.kv<16 x 8 x 128 x f32> {mj.name = "kv"}) attributes {mj.entry} {
  %table = mj.get_weight @queries : tensor<64x2048xbf16>
  %tokens = mj.batch_field %batch[tokens] : <? x ? x ?>
  %query = mj.gather %table[%tokens] : tensor<64x2048xbf16>, tensor<?xi32> -> tensor<?x2048xf32>
  %x0 = mj.reshape %query : tensor<?x2048xf32> -> tensor<?x16x128xf32>
  %x1 = mj.attention %x0, %kv[0] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x2 = mj.attention %x1, %kv[1] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x3 = mj.attention %x2, %kv[2] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x4 = mj.attention %x3, %kv[3] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x5 = mj.attention %x4, %kv[4] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x6 = mj.attention %x5, %kv[5] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x7 = mj.attention %x6, %kv[6] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x8 = mj.attention %x7, %kv[7] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x9 = mj.attention %x8, %kv[8] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x10 = mj.attention %x9, %kv[9] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x11 = mj.attention %x10, %kv[10] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x12 = mj.attention %x11, %kv[11] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x13 = mj.attention %x12, %kv[12] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x14 = mj.attention %x13, %kv[13] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x15 = mj.attention %x14, %kv[14] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %x16 = mj.attention %x15, %kv[15] over %batch scale 0.088388348 : tensor<?x16x128xf32>, <16 x 8 x 128 x f32>, <? x ? x ?> -> tensor<?x16x128xf32>
  %flat = mj.reshape %x16 : tensor<?x16x128xf32> -> tensor<?x2048xf32>
  %head = mj.get_weight @head : tensor<64x2048xbf16>
  %last = mj.batch_field %batch[logit_rows] : <? x ? x ?>
  %y = mj.gather %flat[%last] : tensor<?x2048xf32>, tensor<?xi32> -> tensor<?x2048xf32>
  %logits = mj.matmul %y, %head {transpose_b} : tensor<?x2048xf32>, tensor<64x2048xbf16> -> tensor<?x64xf32>
  %next = mj.sample %logits with %sampling at %batch : tensor<?x64xf32>, <?>, <? x ? x ?> -> tensor<?xi32>
  return %next, %logits, %kv : tensor<?xi32>, tensor<?x64xf32>, !mj.kv<16 x 8 x 128 x f32>
}
}
