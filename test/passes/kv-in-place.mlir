// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --kv-in-place | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --kv-in-place --remarks-filter=kv-in-place --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// The example of the documentation.
// CHECK-LABEL: func.func @cached
// CHECK-SAME: (%[[Q:[^:]*]]: tensor<2x2x4xf32>, %[[CK:[^:]*]]: tensor<6x2x4xf32>, %[[CV:[^:]*]]: tensor<6x2x4xf32>, %[[K:[^:]*]]: tensor<2x2x4xf32>, %[[V:[^:]*]]: tensor<2x2x4xf32>)
// CHECK-NEXT: %[[A:.*]] = mj.sdpa %[[Q]] over[%[[CK]], %[[K]]], [%[[CV]], %[[V]]] scale 5.000000e-01
// CHECK-NEXT: return %[[A]]
// REMARK: remark: [Passed] Segments | Category:kv-in-place | Remark="'mj.sdpa' reads segments of 6 + 2 rows where they lie: 512 bytes are not copied"
func.func @cached(%q: tensor<2x2x4xf32>, %cached_k: tensor<6x2x4xf32>, %cached_v: tensor<6x2x4xf32>, %new_k: tensor<2x2x4xf32>, %new_v: tensor<2x2x4xf32>) -> tensor<2x2x4xf32> attributes {mj.entry} {
  %k = mj.concat %cached_k, %new_k axis 0 : tensor<6x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  %v = mj.concat %cached_v, %new_v axis 0 : tensor<6x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  %a = mj.sdpa %q over [%k], [%v] scale 0.5 : tensor<2x2x4xf32>, [tensor<8x2x4xf32>], [tensor<8x2x4xf32>] -> tensor<2x2x4xf32>
  return %a : tensor<2x2x4xf32>
}

// Rows are an axis further in, keys and values concatenated in another layout than attention reads, three parts, one of
// them concatenated itself. Only the views of each part are left.
// CHECK-LABEL: func.func @behind_views
// CHECK-SAME: (%[[Q:[^:]*]]: tensor<2x2x4xf32>, %[[A:[^:]*]]: tensor<2x3x4xf32>, %[[B:[^:]*]]: tensor<2x1x4xf32>, %[[C:[^:]*]]: tensor<2x2x4xf32>, %[[D:[^:]*]]: tensor<3x8xf32>, %[[E:[^:]*]]: tensor<1x8xf32>, %[[F:[^:]*]]: tensor<2x8xf32>)
// CHECK-NEXT: %[[K0:.*]] = mj.transpose %[[A]] {{.*}} : tensor<2x3x4xf32> -> tensor<3x2x4xf32>
// CHECK-NEXT: %[[K1:.*]] = mj.transpose %[[B]] {{.*}} : tensor<2x1x4xf32> -> tensor<1x2x4xf32>
// CHECK-NEXT: %[[K2:.*]] = mj.transpose %[[C]] {{.*}} : tensor<2x2x4xf32> -> tensor<2x2x4xf32>
// CHECK-NEXT: %[[V0:.*]] = mj.reshape %[[D]] : tensor<3x8xf32> -> tensor<3x2x4xf32>
// CHECK-NEXT: %[[V1:.*]] = mj.reshape %[[E]] : tensor<1x8xf32> -> tensor<1x2x4xf32>
// CHECK-NEXT: %[[V2:.*]] = mj.reshape %[[F]] : tensor<2x8xf32> -> tensor<2x2x4xf32>
// CHECK-NEXT: mj.sdpa %[[Q]] over[%[[K0]], %[[K1]], %[[K2]]], [%[[V0]], %[[V1]], %[[V2]]]
// CHECK-NEXT: return
// REMARK: 'mj.sdpa' reads segments of 3 + 1 + 2 rows
func.func @behind_views(%q: tensor<2x2x4xf32>, %a: tensor<2x3x4xf32>, %b: tensor<2x1x4xf32>, %c: tensor<2x2x4xf32>, %d: tensor<3x8xf32>, %e: tensor<1x8xf32>, %f: tensor<2x8xf32>) -> tensor<2x2x4xf32> attributes {mj.entry} {
  %ab = mj.concat %a, %b axis 1 : tensor<2x3x4xf32>, tensor<2x1x4xf32> -> tensor<2x4x4xf32>
  %abc = mj.concat %ab, %c axis 1 : tensor<2x4x4xf32>, tensor<2x2x4xf32> -> tensor<2x6x4xf32>
  %k = mj.transpose %abc [1, 0, 2] : tensor<2x6x4xf32> -> tensor<6x2x4xf32>
  %def = mj.concat %d, %e, %f axis 0 : tensor<3x8xf32>, tensor<1x8xf32>, tensor<2x8xf32> -> tensor<6x8xf32>
  %v = mj.reshape %def : tensor<6x8xf32> -> tensor<6x2x4xf32>
  %r = mj.sdpa %q over [%k], [%v] scale 0.5 : tensor<2x2x4xf32>, [tensor<6x2x4xf32>], [tensor<6x2x4xf32>] -> tensor<2x2x4xf32>
  return %r : tensor<2x2x4xf32>
}

// Steps that are written out one after the other read the same cache, each where it is.
// CHECK-LABEL: func.func @two_steps
// CHECK-SAME: %[[CK:[^:]*]]: tensor<6x2x4xf32>, %[[CV:[^:]*]]: tensor<6x2x4xf32>)
// CHECK-NEXT: %[[X:.*]] = mj.sdpa %[[Q:.*]] over[%[[CK]], %[[Q]]], [%[[CV]], %[[Q]]]
// CHECK-NEXT: mj.sdpa %[[X]] over[%[[CK]], %[[X]]], [%[[CV]], %[[X]]]
// CHECK-NEXT: return
func.func @two_steps(%q: tensor<2x2x4xf32>, %ck: tensor<6x2x4xf32>, %cv: tensor<6x2x4xf32>) -> tensor<2x2x4xf32> attributes {mj.entry} {
  %k = mj.concat %ck, %q axis 0 : tensor<6x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  %v = mj.concat %cv, %q axis 0 : tensor<6x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  %x = mj.sdpa %q over [%k], [%v] scale 0.5 : tensor<2x2x4xf32>, [tensor<8x2x4xf32>], [tensor<8x2x4xf32>] -> tensor<2x2x4xf32>
  %k1 = mj.concat %ck, %x axis 0 : tensor<6x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  %v1 = mj.concat %cv, %x axis 0 : tensor<6x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  %y = mj.sdpa %x over [%k1], [%v1] scale 0.5 : tensor<2x2x4xf32>, [tensor<8x2x4xf32>], [tensor<8x2x4xf32>] -> tensor<2x2x4xf32>
  return %y : tensor<2x2x4xf32>
}

// -----

// Near misses: keys and values in different parts; parts that are heads, not rows.
// CHECK-LABEL: func.func @different_rows
// CHECK-COUNT-2: mj.concat
// CHECK: mj.sdpa
// REMARK: remark: [Missed] Segments | Category:kv-in-place | Remark="the concatenation before 'mj.sdpa' stays: keys are made of 6 + 2 rows, values of 2 + 6"
// REMARK: the concatenation before 'mj.sdpa' stays: keys are made of 6 + 2 rows, values of 8
func.func @different_rows(%q: tensor<2x2x4xf32>, %a: tensor<6x2x4xf32>, %b: tensor<2x2x4xf32>, %c: tensor<8x2x4xf32>) -> (tensor<2x2x4xf32>, tensor<2x2x4xf32>) attributes {mj.entry} {
  %k = mj.concat %a, %b axis 0 : tensor<6x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  %v = mj.concat %b, %a axis 0 : tensor<2x2x4xf32>, tensor<6x2x4xf32> -> tensor<8x2x4xf32>
  %r = mj.sdpa %q over [%k], [%v] scale 0.5 : tensor<2x2x4xf32>, [tensor<8x2x4xf32>], [tensor<8x2x4xf32>] -> tensor<2x2x4xf32>
  %s = mj.sdpa %q over [%k], [%c] scale 0.5 : tensor<2x2x4xf32>, [tensor<8x2x4xf32>], [tensor<8x2x4xf32>] -> tensor<2x2x4xf32>
  return %r, %s : tensor<2x2x4xf32>, tensor<2x2x4xf32>
}

// CHECK-LABEL: func.func @heads
// CHECK: mj.concat
// CHECK: mj.sdpa
// REMARK-NOT: @heads
func.func @heads(%q: tensor<2x2x4xf32>, %a: tensor<8x1x4xf32>) -> tensor<2x2x4xf32> attributes {mj.entry} {
  %k = mj.concat %a, %a axis 1 : tensor<8x1x4xf32>, tensor<8x1x4xf32> -> tensor<8x2x4xf32>
  %r = mj.sdpa %q over [%k], [%k] scale 0.5 : tensor<2x2x4xf32>, [tensor<8x2x4xf32>], [tensor<8x2x4xf32>] -> tensor<2x2x4xf32>
  return %r : tensor<2x2x4xf32>
}

// -----

// A cache that the entry returns: attention reads the parts; the new rows are written behind the cached ones, which need not
// be copied.
// CHECK-LABEL: func.func @grows
// CHECK-SAME: (%[[Q:[^:]*]]: tensor<2x2x4xf32>, %[[P:[^:]*]]: tensor<6x2x4xf32>)
// CHECK-NEXT: %[[N:.*]] = mj.concat %[[P]], %[[Q]] axis 0
// CHECK-NEXT: mj.sdpa %[[Q]] over[%[[P]], %[[Q]]], [%[[P]], %[[Q]]]
// CHECK-NEXT: return %{{.*}}, %[[N]]
// REMARK: remark: [Passed] State | Category:kv-in-place | Remark="result 1 of @grows holds argument 1 and new rows: these are written where they go, and the argument's 192 bytes are copied only if the caller's memory for the result is not where they lie"
func.func @grows(%q: tensor<2x2x4xf32>, %past: tensor<6x2x4xf32>) -> (tensor<2x2x4xf32>, tensor<8x2x4xf32>) attributes {mj.entry} {
  %k = mj.concat %past, %q axis 0 : tensor<6x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  %a = mj.sdpa %q over [%k], [%k] scale 0.5 : tensor<2x2x4xf32>, [tensor<8x2x4xf32>], [tensor<8x2x4xf32>] -> tensor<2x2x4xf32>
  return %a, %k : tensor<2x2x4xf32>, tensor<8x2x4xf32>
}

// As exporters return it: with a batch of one, the rows behind it. The parts are reshaped, not the whole.
// CHECK-LABEL: func.func @grows_reshaped
// CHECK-SAME: (%[[P:[^:]*]]: tensor<1x6x2x4xf32>, %[[N:[^:]*]]: tensor<2x8xf32>)
// CHECK-NEXT: %[[C:.*]] = mj.reshape %[[P]] : tensor<1x6x2x4xf32> -> tensor<6x8xf32>
// CHECK-NEXT: %[[A:.*]] = mj.reshape %[[C]] : tensor<6x8xf32> -> tensor<1x6x2x4xf32>
// CHECK-NEXT: %[[B:.*]] = mj.reshape %[[N]] : tensor<2x8xf32> -> tensor<1x2x2x4xf32>
// CHECK-NEXT: %[[R:.*]] = mj.concat %[[A]], %[[B]] axis 1 : tensor<1x6x2x4xf32>, tensor<1x2x2x4xf32> -> tensor<1x8x2x4xf32>
// CHECK-NEXT: return %[[R]]
// REMARK: [Passed] State {{.*}}result 0 of @grows_reshaped holds argument 0 and new rows
func.func @grows_reshaped(%past: tensor<1x6x2x4xf32>, %new: tensor<2x8xf32>) -> tensor<1x8x2x4xf32> attributes {mj.entry} {
  %p = mj.reshape %past : tensor<1x6x2x4xf32> -> tensor<6x8xf32>
  %c = mj.concat %p, %new axis 0 : tensor<6x8xf32>, tensor<2x8xf32> -> tensor<8x8xf32>
  %r = mj.reshape %c : tensor<8x8xf32> -> tensor<1x8x2x4xf32>
  return %r : tensor<1x8x2x4xf32>
}

// Near misses: rows that are dropped or replaced; heads in front, so that each has its own end; a part that would begin
// between two places that kernels can write from; another reader.
// CHECK-LABEL: func.func @replaces_rows
// CHECK: mj.concat
// REMARK: remark: [Missed] State | Category:kv-in-place | Remark="result 0 of @replaces_rows holds argument 1 and new rows, 256 bytes that every call copies: some rows of the argument are dropped or replaced; return the new rows alone, keep the cache in an !mj.kv, or, if its size stays, give both the name of a state (mj.state)"
func.func @replaces_rows(%new: tensor<2x2x4xf32>, %past: tensor<8x2x4xf32>) -> tensor<8x2x4xf32> attributes {mj.entry} {
  %front = mj.slice %past from [0, 0, 0] by [1, 1, 1] : tensor<8x2x4xf32> -> tensor<4x2x4xf32>
  %back = mj.slice %past from [6, 0, 0] by [1, 1, 1] : tensor<8x2x4xf32> -> tensor<2x2x4xf32>
  %k = mj.concat %front, %new, %back axis 0 : tensor<4x2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  return %k : tensor<8x2x4xf32>
}

// CHECK-LABEL: func.func @heads_in_front
// REMARK: result 0 of @heads_in_front holds argument 0 and new rows, 256 bytes that every call copies: its parts lie in 2 pieces each; return
func.func @heads_in_front(%past: tensor<2x6x4xf32>, %new: tensor<2x2x4xf32>) -> tensor<2x8x4xf32> attributes {mj.entry} {
  %c = mj.concat %past, %new axis 1 : tensor<2x6x4xf32>, tensor<2x2x4xf32> -> tensor<2x8x4xf32>
  return %c : tensor<2x8x4xf32>
}

// CHECK-LABEL: func.func @unaligned
// REMARK: result 0 of @unaligned holds argument 0 and new rows, 128 bytes that every call copies: a part would begin at byte 96, which is no multiple of 64; return
func.func @unaligned(%past: tensor<3x8xf32>, %new: tensor<1x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %c = mj.concat %past, %new axis 0 : tensor<3x8xf32>, tensor<1x8xf32> -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @read_again
// REMARK: result 1 of @read_again holds argument 0 and new rows, 256 bytes that every call copies: another operation or result reads it, too; return
func.func @read_again(%past: tensor<6x8xf32>, %new: tensor<2x8xf32>) -> (tensor<8x8xf32>, tensor<8x8xf32>) attributes {mj.entry} {
  %c = mj.concat %past, %new axis 0 : tensor<6x8xf32>, tensor<2x8xf32> -> tensor<8x8xf32>
  %n = arith.negf %c : tensor<8x8xf32>
  return %n, %c : tensor<8x8xf32>, tensor<8x8xf32>
}

// CHECK-LABEL: func.func @turned
// REMARK: result 0 of @turned holds argument 0 and new rows, 256 bytes that every call copies: the argument comes in another type or order; return
func.func @turned(%past: tensor<8x6xf32>, %new: tensor<2x8xf32>) -> tensor<8x8xf32> attributes {mj.entry} {
  %p = mj.transpose %past [1, 0] : tensor<8x6xf32> -> tensor<6x8xf32>
  %c = mj.concat %p, %new axis 0 : tensor<6x8xf32>, tensor<2x8xf32> -> tensor<8x8xf32>
  return %c : tensor<8x8xf32>
}
