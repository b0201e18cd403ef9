// Types and attributes of mj are printed as they are written, in text and in bytecode.
// RUN: mjolnir-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func.func private @batch(!mj.batch<? x ? x ?>, !mj.batch<128 x 4 x 8>, !mj.batch<1 x 1 x ?>)
func.func private @batch(!mj.batch<? x ? x ?>, !mj.batch<128 x 4 x 8>, !mj.batch<1 x 1 x ?>)

// CHECK-LABEL: func.func private @kv(!mj.kv<28 x 8 x 128 x f32>, !mj.kv<1 x 2 x 4 x bf16>, !mj.kv<1 x 2 x 4 x f8E4M3FN>, !mj.kv<1 x 2 x 4 x f16>)
func.func private @kv(!mj.kv<28 x 8 x 128 x f32>, !mj.kv<1 x 2 x 4 x bf16>, !mj.kv<1 x 2 x 4 x f8E4M3FN>, !mj.kv<1 x 2 x 4 x f16>)

// CHECK-LABEL: func.func private @sampling(!mj.sampling<?>, !mj.sampling<4>)
func.func private @sampling(!mj.sampling<?>, !mj.sampling<4>)

// CHECK-LABEL: func.func private @encoding(tensor<4x8xbf16, #mj.encoding<"rows16">>)
func.func private @encoding(tensor<4x8xbf16, #mj.encoding<"rows16">>)

// CHECK-LABEL: func.func private @schedule()
// CHECK-SAME: a = #mj.schedule<"host.matmul", {rows = 6 : i64}>
// CHECK-SAME: b = #mj.schedule<"host.pointwise">
func.func private @schedule() attributes {a = #mj.schedule<"host.matmul", {rows = 6 : i64}>, b = #mj.schedule<"host.pointwise">}
