// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --select-schedules=target=host:x86-64-v3 | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --select-schedules=target=host:x86-64-v3 --remarks-filter=select-schedules --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: mjolnir-opt %s --split-input-file --select-schedules="target=host:x86-64-v3 oracle" | FileCheck %s --check-prefix=ORACLE

// A tied embedding is multiplied in two entries and gathered in one: all read the same encoding. Norm weights are no matrices.
mj.weight @embed : tensor<32x16xbf16> from "embed"
mj.weight @norm : tensor<16xbf16> from "norm"
// CHECK-LABEL: func.func @decode
// CHECK: %[[E:.*]] = mj.get_weight @embed : tensor<32x16xbf16>
// CHECK-NEXT: %[[P:.*]] = mj.pack %[[E]] : tensor<32x16xbf16> to tensor<32x16xbf16, #mj.encoding<"[[ENCODING:.*]]">>
// CHECK: mj.fusion({{.*}} = %[[P]] : tensor<32x16xbf16, #mj.encoding<"[[ENCODING]]">>{{.*}} schedule #mj.schedule<"host.rows"> {
// CHECK: mj.gather %{{.*}} : tensor<32x16xbf16, #mj.encoding<"[[ENCODING]]">>
// CHECK: mj.fusion({{.*}} = %[[P]] : tensor<32x16xbf16, #mj.encoding<"[[ENCODING]]">>{{.*}} schedule #mj.schedule<"host.matmul"> {
// CHECK: mj.matmul %{{.*}} : tensor<4x16xbf16>, tensor<32x16xbf16, #mj.encoding<"[[ENCODING]]">> -> tensor<4x32xf32>
// CHECK-LABEL: func.func @prefill
// CHECK: mj.pack %{{.*}} : tensor<32x16xbf16> to tensor<32x16xbf16, #mj.encoding<"[[ENCODING]]">>
// CHECK: schedule #mj.schedule<"host.matmul">

// REMARK: remark: [Passed] Encoding | Category:select-schedules | Remark="@embed is stored as rows16x2"
// REMARK-NOT: Remark="@
// REMARK: remark: [Analysis] Schedules | Category:select-schedules | Remark="regions by schedule: 1 host.rows, 2 host.matmul"

// ORACLE-LABEL: func.func @decode
// ORACLE-NOT: mj.pack
// ORACLE: schedule #mj.schedule<"host.rows">
// ORACLE: schedule #mj.schedule<"host.plain_matmul">
func.func @decode(%tokens: tensor<4xi32>) -> tensor<4x32xf32> attributes {mj.entry} {
  %embed = mj.get_weight @embed : tensor<32x16xbf16>
  %norm = mj.get_weight @norm : tensor<16xbf16>
  %x = mj.fusion(%e = %embed : tensor<32x16xbf16>, %t = %tokens : tensor<4xi32>, %n = %norm : tensor<16xbf16>) -> tensor<4x16xbf16> {
    %g = mj.gather %e[%t] : tensor<32x16xbf16>, tensor<4xi32> -> tensor<4x16xbf16>
    %o = mj.norm rms %g, weight %n eps 0.0 : tensor<4x16xbf16>, weight tensor<16xbf16> -> tensor<4x16xbf16>
    mj.yield %o : tensor<4x16xbf16>
  }
  %y = mj.fusion(%a = %x : tensor<4x16xbf16>, %e = %embed : tensor<32x16xbf16>) -> tensor<4x32xf32> {
    %m = mj.matmul %a, %e {transpose_b} : tensor<4x16xbf16>, tensor<32x16xbf16> -> tensor<4x32xf32>
    mj.yield %m : tensor<4x32xf32>
  }
  return %y : tensor<4x32xf32>
}
func.func @prefill(%x: tensor<64x16xbf16>) -> tensor<64x32xf32> attributes {mj.entry} {
  %embed = mj.get_weight @embed : tensor<32x16xbf16>
  %y = mj.fusion(%a = %x : tensor<64x16xbf16>, %e = %embed : tensor<32x16xbf16>) -> tensor<64x32xf32> {
    %m = mj.matmul %a, %e {transpose_b} : tensor<64x16xbf16>, tensor<32x16xbf16> -> tensor<64x32xf32>
    mj.yield %m : tensor<64x32xf32>
  }
  return %y : tensor<64x32xf32>
}

// -----

// Conversions are part of what is encoded: the same conversion in two entries is the same weight.
mj.weight @w : tensor<32x16xf32> from "w"
// CHECK-LABEL: func.func @converted
// CHECK: %[[T:.*]] = arith.truncf %{{.*}} : tensor<32x16xf32> to tensor<32x16xbf16>
// CHECK: mj.pack %[[T]] : tensor<32x16xbf16> to tensor<32x16xbf16, #mj.encoding<
// CHECK-LABEL: func.func @unconverted
// CHECK: mj.pack %{{.*}} : tensor<32x16xf32> to tensor<32x16xf32, #mj.encoding<
// REMARK: @w is stored as rows16x2
// REMARK: @w is stored as rows16
func.func @converted(%x: tensor<4x16xbf16>) -> tensor<4x32xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<32x16xf32>
  %t = arith.truncf %w : tensor<32x16xf32> to tensor<32x16xbf16>
  %y = mj.fusion(%a = %x : tensor<4x16xbf16>, %b = %t : tensor<32x16xbf16>) -> tensor<4x32xbf16> {
    %m = mj.matmul %a, %b {transpose_b} : tensor<4x16xbf16>, tensor<32x16xbf16> -> tensor<4x32xbf16>
    mj.yield %m : tensor<4x32xbf16>
  }
  return %y : tensor<4x32xbf16>
}
func.func @unconverted(%x: tensor<4x16xf32>) -> tensor<4x32xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<32x16xf32>
  %y = mj.fusion(%a = %x : tensor<4x16xf32>, %b = %w : tensor<32x16xf32>) -> tensor<4x32xf32> {
    %m = mj.matmul %a, %b {transpose_b} : tensor<4x16xf32>, tensor<32x16xf32> -> tensor<4x32xf32>
    mj.yield %m : tensor<4x32xf32>
  }
  return %y : tensor<4x32xf32>
}

// -----

// What is only gathered stays row-major, and so does what is multiplied without transpose_b, or in a type without encoding.
mj.weight @table : tensor<32x16xbf16> from "table"
mj.weight @plain : tensor<16x32xbf16> from "plain"
mj.weight @half : tensor<32x16xf16> from "half"
// CHECK-LABEL: func.func @row_major
// CHECK-NOT: mj.pack
// CHECK: schedule #mj.schedule<"host.rows">
// CHECK: schedule #mj.schedule<"host.plain_matmul">
// CHECK: schedule #mj.schedule<"host.plain_matmul">
// REMARK: remark: [Missed] Encoding | Category:select-schedules | Remark="@table stays row-major: its rows are only gathered"
// REMARK-NOT: Remark="@plain
// REMARK: @half stays row-major: the target has no encoding for its type
// REMARK: regions by schedule: 1 host.rows, 2 host.plain_matmul
func.func @row_major(%tokens: tensor<4xi32>) -> (tensor<4x32xbf16>, tensor<4x32xbf16>) attributes {mj.entry} {
  %table = mj.get_weight @table : tensor<32x16xbf16>
  %plain = mj.get_weight @plain : tensor<16x32xbf16>
  %half = mj.get_weight @half : tensor<32x16xf16>
  %x = mj.fusion(%e = %table : tensor<32x16xbf16>, %t = %tokens : tensor<4xi32>) -> tensor<4x16xbf16> {
    %g = mj.gather %e[%t] : tensor<32x16xbf16>, tensor<4xi32> -> tensor<4x16xbf16>
    mj.yield %g : tensor<4x16xbf16>
  }
  %y = mj.fusion(%a = %x : tensor<4x16xbf16>, %b = %plain : tensor<16x32xbf16>) -> tensor<4x32xbf16> {
    %m = mj.matmul %a, %b : tensor<4x16xbf16>, tensor<16x32xbf16> -> tensor<4x32xbf16>
    mj.yield %m : tensor<4x32xbf16>
  }
  %z = mj.fusion(%a = %x : tensor<4x16xbf16>, %b = %half : tensor<32x16xf16>) -> tensor<4x32xbf16> {
    %m = mj.matmul %a, %b {transpose_b} : tensor<4x16xbf16>, tensor<32x16xf16> -> tensor<4x32xbf16>
    mj.yield %m : tensor<4x32xbf16>
  }
  return %y, %z : tensor<4x32xbf16>, tensor<4x32xbf16>
}

// -----

// A weight that another region reads element by element, or that the entry returns, is there in both ways.
mj.weight @w : tensor<32x16xf32> from "w"
// CHECK-LABEL: func.func @both
// CHECK: %[[W:.*]] = mj.get_weight @w : tensor<32x16xf32>
// CHECK: %[[P:.*]] = mj.pack %[[W]]
// CHECK: mj.fusion({{.*}} = %[[P]] : tensor<32x16xf32, #mj.encoding<{{.*}} schedule #mj.schedule<"host.matmul">
// CHECK: mj.fusion({{.*}} = %[[W]] : tensor<32x16xf32>) {{.*}} schedule #mj.schedule<"host.rows">
// CHECK: return %{{.*}}, %{{.*}}, %[[W]]
// REMARK: @w is stored as rows16, and row-major for regions that neither multiply by it nor gather its rows
func.func @both(%x: tensor<4x16xf32>) -> (tensor<4x32xf32>, tensor<32x16xf32>, tensor<32x16xf32>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<32x16xf32>
  %y = mj.fusion(%a = %x : tensor<4x16xf32>, %b = %w : tensor<32x16xf32>) -> tensor<4x32xf32> {
    %m = mj.matmul %a, %b {transpose_b} : tensor<4x16xf32>, tensor<32x16xf32> -> tensor<4x32xf32>
    mj.yield %m : tensor<4x32xf32>
  }
  %n = mj.fusion(%b = %w : tensor<32x16xf32>) -> tensor<32x16xf32> {
    %m = arith.negf %b : tensor<32x16xf32>
    mj.yield %m : tensor<32x16xf32>
  }
  return %y, %n, %w : tensor<4x32xf32>, tensor<32x16xf32>, tensor<32x16xf32>
}

// -----

// What is encoded already is not encoded again, so the pass may run twice.
mj.prepare @packed : tensor<32x16xf32, #mj.encoding<"rows16">> {
  %w = mj.get_weight @w : tensor<32x16xf32>
  %p = mj.pack %w : tensor<32x16xf32> to tensor<32x16xf32, #mj.encoding<"rows16">>
  mj.yield %p : tensor<32x16xf32, #mj.encoding<"rows16">>
}
mj.weight @w : tensor<32x16xf32> from "w"
// CHECK-LABEL: func.func @packed_already
// CHECK-NEXT: mj.get_weight @packed
// CHECK-NEXT: mj.fusion
// CHECK-SAME: schedule #mj.schedule<"host.matmul">
func.func @packed_already(%x: tensor<4x16xf32>) -> tensor<4x32xf32> attributes {mj.entry} {
  %w = mj.get_weight @packed : tensor<32x16xf32, #mj.encoding<"rows16">>
  %y = mj.fusion(%a = %x : tensor<4x16xf32>, %b = %w : tensor<32x16xf32, #mj.encoding<"rows16">>) -> tensor<4x32xf32> {
    %m = mj.matmul %a, %b {transpose_b} : tensor<4x16xf32>, tensor<32x16xf32, #mj.encoding<"rows16">> -> tensor<4x32xf32>
    mj.yield %m : tensor<4x32xf32>
  }
  return %y : tensor<4x32xf32>
}

// -----

// Attention and sampling have schedules of their own; a module without regions has nothing to choose.
// CHECK-LABEL: func.func @anchors
// CHECK: schedule #mj.schedule<"host.attention">
// CHECK: schedule #mj.schedule<"host.sample">
// ORACLE-LABEL: func.func @anchors
// ORACLE: schedule #mj.schedule<"host.plain_attention">
// ORACLE: schedule #mj.schedule<"host.sample">
// CHECK-LABEL: func.func @empty
// CHECK-NEXT: return
func.func @anchors(%q: tensor<4x2x8xf32>, %l: tensor<4x9xf32>, %batch: !mj.batch<4 x 4 x 1>, %kv: !mj.kv<1 x 1 x 8 x f32>, %s: !mj.sampling<4>)
    -> (tensor<4x2x8xf32>, tensor<4xi32>) attributes {mj.entry} {
  %a = mj.fusion(%0 = %q : tensor<4x2x8xf32>, %1 = %kv : !mj.kv<1 x 1 x 8 x f32>, %2 = %batch : !mj.batch<4 x 4 x 1>) -> tensor<4x2x8xf32> {
    %r = mj.attention %0, %1[0] over %2 scale 0.5 : tensor<4x2x8xf32>, <1 x 1 x 8 x f32>, <4 x 4 x 1> -> tensor<4x2x8xf32>
    mj.yield %r : tensor<4x2x8xf32>
  }
  %n = mj.fusion(%0 = %l : tensor<4x9xf32>, %1 = %s : !mj.sampling<4>, %2 = %batch : !mj.batch<4 x 4 x 1>) -> tensor<4xi32> {
    %r = mj.sample %0 with %1 at %2 : tensor<4x9xf32>, <4>, <4 x 4 x 1> -> tensor<4xi32>
    mj.yield %r : tensor<4xi32>
  }
  return %a, %n : tensor<4x2x8xf32>, tensor<4xi32>
}
func.func @empty() attributes {mj.entry} {
  return
}
