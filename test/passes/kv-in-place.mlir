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

// A cache that the entry returns: attention reads the parts, the concatenation stays for the caller, and why is said.
// CHECK-LABEL: func.func @grows
// CHECK-SAME: (%[[Q:[^:]*]]: tensor<2x2x4xf32>, %[[P:[^:]*]]: tensor<6x2x4xf32>)
// CHECK-NEXT: %[[N:.*]] = mj.concat %[[P]], %[[Q]] axis 0
// CHECK-NEXT: mj.sdpa %[[Q]] over[%[[P]], %[[Q]]], [%[[P]], %[[Q]]]
// CHECK-NEXT: return %{{.*}}, %[[N]]
// REMARK: remark: [Missed] State | Category:kv-in-place | Remark="result 1 of @grows holds argument 1 and new rows, 256 bytes that every call copies: it is longer than the argument, whose memory cannot hold it; return the new rows alone, or keep the cache in an !mj.kv"
func.func @grows(%q: tensor<2x2x4xf32>, %past: tensor<6x2x4xf32>) -> (tensor<2x2x4xf32>, tensor<8x2x4xf32>) attributes {mj.entry} {
  %k = mj.concat %past, %q axis 0 : tensor<6x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  %a = mj.sdpa %q over [%k], [%k] scale 0.5 : tensor<2x2x4xf32>, [tensor<8x2x4xf32>], [tensor<8x2x4xf32>] -> tensor<2x2x4xf32>
  return %a, %k : tensor<2x2x4xf32>, tensor<8x2x4xf32>
}

// CHECK-LABEL: func.func @replaces_rows
// CHECK: mj.concat
// REMARK: result 0 of @replaces_rows holds argument 1 and new rows, 256 bytes that every call copies: tensors of an entry are written by it or by its caller, not by both
func.func @replaces_rows(%new: tensor<2x2x4xf32>, %past: tensor<8x2x4xf32>) -> tensor<8x2x4xf32> attributes {mj.entry} {
  %front = mj.slice %past from [0, 0, 0] by [1, 1, 1] : tensor<8x2x4xf32> -> tensor<4x2x4xf32>
  %back = mj.slice %past from [6, 0, 0] by [1, 1, 1] : tensor<8x2x4xf32> -> tensor<2x2x4xf32>
  %k = mj.concat %front, %new, %back axis 0 : tensor<4x2x4xf32>, tensor<2x2x4xf32>, tensor<2x2x4xf32> -> tensor<8x2x4xf32>
  return %k : tensor<8x2x4xf32>
}
