// Every operation of exec is printed as it is written, in text and in bytecode.
// RUN: mjolnir-opt %s --verify-roundtrip | FileCheck %s

// CHECK: mj.weight @w : tensor<8x16xbf16> from "w"
mj.weight @w : tensor<8x16xbf16> from "w"

// CHECK: exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072
exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072

// CHECK: exec.kernel @matmul schedule <"host.matmul", {rows = 4 : i64}> tiles 2 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>] attributes {ops = "model.layers.0.mlp.up_proj"} {
// CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<4x16xf32>, %[[W:.*]]: tensor<8x16xbf16>):
// CHECK-NEXT: %[[Y:.*]] = mj.matmul %[[X]], %[[W]] {transpose_b}
// CHECK-NEXT: exec.return %[[Y]] : tensor<4x8xf32>
exec.kernel @matmul schedule <"host.matmul", {rows = 4 : i64}> tiles 2 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>]
    attributes {ops = "model.layers.0.mlp.up_proj"} {
^bb0(%x: tensor<4x16xf32>, %w: tensor<8x16xbf16>):
  %y = mj.matmul %x, %w {transpose_b} : tensor<4x16xf32>, tensor<8x16xbf16> -> tensor<4x8xf32>
  exec.return %y : tensor<4x8xf32>
}

// CHECK: exec.kernel @append schedule <"host.pointwise"> tiles 1 accesses [#exec.access<read>] {
// CHECK: exec.return %{{.*}} : !mj.kv<3 x 2 x 8 x bf16>
exec.kernel @append schedule <"host.pointwise"> tiles 1 accesses [#exec.access<read>] {
^bb0(%kv: !mj.kv<3 x 2 x 8 x bf16>):
  exec.return %kv : !mj.kv<3 x 2 x 8 x bf16>
}

// CHECK: exec.entry @plain inputs [#exec.binding<"x", tensor<4x16xf32>>] outputs [#exec.binding<"y", tensor<4x8xf32>>] {
// CHECK-NEXT: ^bb0(%[[IN:.*]]: !exec.buffer, %[[OUT:.*]]: !exec.buffer):
exec.entry @plain inputs [#exec.binding<"x", tensor<4x16xf32>>] outputs [#exec.binding<"y", tensor<4x8xf32>>] {
^bb0(%in: !exec.buffer, %out: !exec.buffer):
  // CHECK-NEXT: %[[W:.*]] = exec.weight_buffer @w
  %w = exec.weight_buffer @w
  // CHECK-NEXT: %[[T:.*]] = exec.arena_buffer 128
  %t = exec.arena_buffer 128
  // CHECK-NEXT: exec.launch @matmul(%[[IN]], %[[W]], %[[T]])
  exec.launch @matmul(%in, %w, %t)
  // CHECK-NEXT: exec.copy %[[T]] to %[[OUT]] bytes 128
  exec.copy %t to %out bytes 128
  // CHECK-NEXT: %[[H:.*]] = exec.part %[[OUT]] at 64 bytes 32
  %h = exec.part %out at 64 bytes 32
  // CHECK-NEXT: exec.copy %[[T]] to %[[H]] bytes 32
  exec.copy %t to %h bytes 32
}

// CHECK: exec.entry @ragged ragged [4, 2, 8] arena 256 align 64 inputs [] outputs [] attributes {note = "planned"} {
exec.entry @ragged ragged [4, 2, 8] arena 256 align 64 inputs [] outputs [] attributes {note = "planned"} {
  // CHECK-NEXT: exec.arena_buffer 128 at 128
  %t = exec.arena_buffer 128 at 128
  // CHECK-NEXT: %[[P:.*]] = exec.pool_buffer @kv at 1024
  %p = exec.pool_buffer @kv at 1024
  // CHECK-NEXT: exec.launch @append(%[[P]])
  exec.launch @append(%p)
}

// CHECK: exec.image @host member "kernels/host.so" : dense<[127, 69, 76, 70]> : tensor<4xi8>
exec.image @host member "kernels/host.so" : dense<[127, 69, 76, 70]> : tensor<4xi8>

// CHECK: exec.kv_pool @last : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072 window 24
exec.kv_pool @last : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072 window 24

// CHECK: exec.kernel @split schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>, #exec.access<read_write>] in_place [#exec.in_place<1 over 0>] scratch 64 {
exec.kernel @split schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>, #exec.access<read_write>] in_place [#exec.in_place<1 over 0>] scratch 64 {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}

// CHECK: exec.entry @scheduled arena 128 align 64 graph inputs [] outputs [] {
exec.entry @scheduled arena 128 align 64 graph inputs [] outputs [] {
  %a = exec.arena_buffer 64 at 0
  %s = exec.arena_buffer 64 at 64
  // CHECK: exec.launch @split(%{{.*}}, %{{.*}}, %{{.*}}) after []{{$}}
  exec.launch @split(%a, %a, %s) after []
  // CHECK-NEXT: exec.launch @split(%{{.*}}, %{{.*}}, %{{.*}}) after [0] dependent
  exec.launch @split(%a, %a, %s) after [0] dependent
  // CHECK-NEXT: exec.copy %{{.*}} to %{{.*}} bytes 64 after [0, 1]
  exec.copy %a to %s bytes 64 after [0, 1]
}

// A kernel that a library computes.
// CHECK: exec.kernel @call schedule <"cublaslt"> tiles 1 accesses {{.*}} scratch 256 library <library = "cublaslt", x = 0, weight = 1, result = 3, bias = 2, transpose_weight = true, activation = "relu", alpha = 5.000000e-01 : f32> {
exec.kernel @call schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>, #exec.access<read_write>] scratch 256 library <library = "cublaslt", x = 0, weight = 1, result = 3, bias = 2, transpose_weight = true, activation = "relu", alpha = 0.5 : f32> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// CHECK: exec.state @x : tensor<16xf32>
exec.state @x : tensor<16xf32>

// CHECK: exec.entry @kept
exec.entry @kept arena 64 align 64 inputs [] outputs [] {
  // CHECK-NEXT: %{{.*}} = exec.state_buffer @x
  %x = exec.state_buffer @x
  %s = exec.arena_buffer 64 at 0
  exec.launch @split(%x, %x, %s)
}

// A kernel whose bulk tensor copies see operands as matrices.
// CHECK: exec.kernel @mapped schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>]
// CHECK-SAME: tensor_maps [#exec.tensor_map<operand = 1, rows = 16, columns = 64, box_rows = 8, box_columns = 64>, #exec.tensor_map<operand = 2, rows = 4, columns = 16, box_rows = 256, box_columns = 8>] {
exec.kernel @mapped schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>]
    tensor_maps [#exec.tensor_map<operand = 1, rows = 16, columns = 64, box_rows = 8, box_columns = 64>,
                 #exec.tensor_map<operand = 2, rows = 4, columns = 16, box_rows = 256, box_columns = 8>] {
^bb0(%x: tensor<4x64xbf16>, %w: tensor<16x64xbf16>):
  %y = mj.matmul %x, %w {transpose_b} : tensor<4x64xbf16>, tensor<16x64xbf16> -> tensor<4x16xbf16>
  exec.return %y : tensor<4x16xbf16>
}
