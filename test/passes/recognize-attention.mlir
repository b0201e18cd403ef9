// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --simplify --recognize --simplify | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --simplify --recognize --remarks-filter=recognize --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// As PyTorch's models are exported: heads in front, scores divided, a constant mask added, softmax in f32. The ways to
// heads and back cancel, the mask is seen to be causal.
// CHECK-LABEL: func.func @eager
// CHECK-SAME: (%[[Q:.*]]: tensor<1x4x16xbf16>, %[[K:.*]]: tensor<1x4x16xbf16>, %[[V:.*]]: tensor<1x4x16xbf16>)
// CHECK-DAG: %[[QH:.*]] = mj.reshape %[[Q]] : tensor<1x4x16xbf16> -> tensor<4x2x8xbf16>
// CHECK-DAG: %[[KH:.*]] = mj.reshape %[[K]] : tensor<1x4x16xbf16> -> tensor<4x2x8xbf16>
// CHECK-DAG: %[[VH:.*]] = mj.reshape %[[V]] : tensor<1x4x16xbf16> -> tensor<4x2x8xbf16>
// CHECK: %[[A:.*]] = mj.sdpa %[[QH]] over[%[[KH]]], [%[[VH]]] scale 5.000000e-01 causal : tensor<4x2x8xbf16>, [tensor<4x2x8xbf16>], [tensor<4x2x8xbf16>] -> tensor<4x2x8xbf16>
// CHECK-NEXT: %[[O:.*]] = mj.reshape %[[A]] : tensor<4x2x8xbf16> -> tensor<1x4x16xbf16>
// CHECK-NEXT: return %[[O]]
// REMARK: remark: [Passed] Attention | Category:recognize | Remark="attention of 2 heads, 4 rows over 4 keys, scale 0.5, causal"
func.func @eager(%q: tensor<1x4x16xbf16>, %k: tensor<1x4x16xbf16>, %v: tensor<1x4x16xbf16>) -> tensor<1x4x16xbf16> attributes {mj.entry} {
  %two = arith.constant dense<2.0> : tensor<1x2x4x4xbf16>
  %mask = arith.constant dense<[[0.0, 0xFF80, 0xFF80, 0xFF80], [0.0, 0.0, 0xFF80, 0xFF80], [0.0, 0.0, 0.0, 0xFF80], [0.0, 0.0, 0.0, 0.0]]> : tensor<4x4xbf16>
  %qh = mj.reshape %q : tensor<1x4x16xbf16> -> tensor<1x4x2x8xbf16>
  %kh = mj.reshape %k : tensor<1x4x16xbf16> -> tensor<1x4x2x8xbf16>
  %vh = mj.reshape %v : tensor<1x4x16xbf16> -> tensor<1x4x2x8xbf16>
  %qt = mj.transpose %qh [0, 2, 1, 3] : tensor<1x4x2x8xbf16> -> tensor<1x2x4x8xbf16>
  %kt = mj.transpose %kh [0, 2, 1, 3] : tensor<1x4x2x8xbf16> -> tensor<1x2x4x8xbf16>
  %vt = mj.transpose %vh [0, 2, 1, 3] : tensor<1x4x2x8xbf16> -> tensor<1x2x4x8xbf16>
  %kk = mj.transpose %kt [0, 1, 3, 2] : tensor<1x2x4x8xbf16> -> tensor<1x2x8x4xbf16>
  %s = mj.batch_matmul %qt, %kk : tensor<1x2x4x8xbf16>, tensor<1x2x8x4xbf16> -> tensor<1x2x4x4xbf16>
  %d = arith.divf %s, %two : tensor<1x2x4x4xbf16>
  %mb = mj.broadcast %mask like %d : tensor<4x4xbf16>, tensor<1x2x4x4xbf16> -> tensor<1x2x4x4xbf16>
  %m = arith.addf %d, %mb : tensor<1x2x4x4xbf16>
  %e = arith.extf %m : tensor<1x2x4x4xbf16> to tensor<1x2x4x4xf32>
  %p = mj.softmax %e : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %t = arith.truncf %p : tensor<1x2x4x4xf32> to tensor<1x2x4x4xbf16>
  %o = mj.batch_matmul %t, %vt : tensor<1x2x4x4xbf16>, tensor<1x2x4x8xbf16> -> tensor<1x2x4x8xbf16>
  %ot = mj.transpose %o [0, 2, 1, 3] : tensor<1x2x4x8xbf16> -> tensor<1x4x2x8xbf16>
  %r = mj.reshape %ot : tensor<1x4x2x8xbf16> -> tensor<1x4x16xbf16>
  return %r : tensor<1x4x16xbf16>
}

// -----

// Groups of heads by expansion; a mask that is compared from row and key numbers, more keys than rows; the scale as its
// root on queries and keys; concatenated keys and values stay for another pass.
// CHECK-LABEL: func.func @groups
// CHECK-SAME: (%[[Q:.*]]: tensor<4x4x8xf32>, %[[KC:.*]]: tensor<2x2x8xf32>, %[[KN:.*]]: tensor<4x2x8xf32>, %[[VC:.*]]: tensor<2x2x8xf32>, %[[VN:.*]]: tensor<4x2x8xf32>)
// CHECK-DAG: %[[K:.*]] = mj.concat %[[KC]], %[[KN]] axis 0
// CHECK-DAG: %[[V:.*]] = mj.concat %[[VC]], %[[VN]] axis 0
// CHECK: %[[A:.*]] = mj.sdpa %[[Q]] over[%[[K]]], [%[[V]]] scale 2.500000e-01 causal : tensor<4x4x8xf32>, [tensor<6x2x8xf32>], [tensor<6x2x8xf32>] -> tensor<4x4x8xf32>
// CHECK-NEXT: return %[[A]]
// REMARK: attention of 4 heads in groups of 2, 4 rows over 6 keys, scale 0.25, causal
func.func @groups(%q: tensor<4x4x8xf32>, %kc: tensor<2x2x8xf32>, %kn: tensor<4x2x8xf32>, %vc: tensor<2x2x8xf32>,
                  %vn: tensor<4x2x8xf32>) -> tensor<4x4x8xf32> attributes {mj.entry} {
  %half = arith.constant dense<0.5> : tensor<f32>
  %infinity = arith.constant dense<0xFF800000> : tensor<4x4x6xf32>
  %rows = arith.constant dense<[2, 3, 4, 5]> : tensor<4xi32>
  %columns = arith.constant dense<[0, 1, 2, 3, 4, 5]> : tensor<6xi32>
  %k = mj.concat %kc, %kn axis 0 : tensor<2x2x8xf32>, tensor<4x2x8xf32> -> tensor<6x2x8xf32>
  %v = mj.concat %vc, %vn axis 0 : tensor<2x2x8xf32>, tensor<4x2x8xf32> -> tensor<6x2x8xf32>
  %qt = mj.transpose %q [1, 0, 2] : tensor<4x4x8xf32> -> tensor<4x4x8xf32>
  %qf = mj.broadcast %half like %qt : tensor<f32>, tensor<4x4x8xf32> -> tensor<4x4x8xf32>
  %qs = arith.mulf %qt, %qf : tensor<4x4x8xf32>
  %kt = mj.transpose %k [1, 0, 2] : tensor<6x2x8xf32> -> tensor<2x6x8xf32>
  %kf = mj.broadcast %half like %kt : tensor<f32>, tensor<2x6x8xf32> -> tensor<2x6x8xf32>
  %ks = arith.mulf %kt, %kf : tensor<2x6x8xf32>
  %k1 = mj.reshape %ks : tensor<2x6x8xf32> -> tensor<2x1x6x8xf32>
  %k2 = mj.broadcast %k1 like %k1 : tensor<2x1x6x8xf32>, tensor<2x1x6x8xf32> -> tensor<2x2x6x8xf32>
  %k3 = mj.reshape %k2 : tensor<2x2x6x8xf32> -> tensor<4x6x8xf32>
  %vt = mj.transpose %v [1, 0, 2] : tensor<6x2x8xf32> -> tensor<2x6x8xf32>
  %v1 = mj.reshape %vt : tensor<2x6x8xf32> -> tensor<2x1x6x8xf32>
  %v2 = mj.broadcast %v1 like %v1 : tensor<2x1x6x8xf32>, tensor<2x1x6x8xf32> -> tensor<2x2x6x8xf32>
  %v3 = mj.reshape %v2 : tensor<2x2x6x8xf32> -> tensor<4x6x8xf32>
  %s = mj.batch_matmul %qs, %k3 {transpose_b} : tensor<4x4x8xf32>, tensor<4x6x8xf32> -> tensor<4x4x6xf32>
  %r1 = mj.reshape %rows : tensor<4xi32> -> tensor<4x1xi32>
  %rb = mj.broadcast %r1 like %s : tensor<4x1xi32>, tensor<4x4x6xf32> -> tensor<4x4x6xi32>
  %cb = mj.broadcast %columns like %s : tensor<6xi32>, tensor<4x4x6xf32> -> tensor<4x4x6xi32>
  %visible = arith.cmpi sle, %cb, %rb : tensor<4x4x6xi32>
  %m = arith.select %visible, %s, %infinity : tensor<4x4x6xi1>, tensor<4x4x6xf32>
  %p = mj.softmax %m : tensor<4x4x6xf32> -> tensor<4x4x6xf32>
  %o = mj.batch_matmul %p, %v3 : tensor<4x4x6xf32>, tensor<4x6x8xf32> -> tensor<4x4x8xf32>
  %ot = mj.transpose %o [1, 0, 2] : tensor<4x4x8xf32> -> tensor<4x4x8xf32>
  return %ot : tensor<4x4x8xf32>
}

// -----

// Masks that are not known: numbers of a weight for all heads; booleans, negated where they say what is hidden; a finite
// number in place of a hidden score is added. Heads of several sequences are heads.
mj.weight @mask : tensor<4x6xf32> from "mask"
// CHECK-LABEL: func.func @added
// CHECK: %[[M:.*]] = mj.get_weight @mask
// CHECK: mj.sdpa %arg0 over[%arg1], [%arg2] mask %[[M]] scale 1.250000e-01 : tensor<4x2x8xf32>, [tensor<6x2x8xf32>], [tensor<6x2x5xf32>], tensor<4x6xf32> -> tensor<4x2x5xf32>
// REMARK: attention of 2 heads, 4 rows over 6 keys, scale 0.125, masked
func.func @added(%q: tensor<4x2x8xf32>, %k: tensor<6x2x8xf32>, %v: tensor<6x2x5xf32>) -> tensor<4x2x5xf32> attributes {mj.entry} {
  %mask = mj.get_weight @mask : tensor<4x6xf32>
  %eighth = arith.constant dense<0.125> : tensor<2x4x6xf32>
  %qt = mj.transpose %q [1, 0, 2] : tensor<4x2x8xf32> -> tensor<2x4x8xf32>
  %kt = mj.transpose %k [1, 2, 0] : tensor<6x2x8xf32> -> tensor<2x8x6xf32>
  %vt = mj.transpose %v [1, 0, 2] : tensor<6x2x5xf32> -> tensor<2x6x5xf32>
  %s = mj.batch_matmul %qt, %kt : tensor<2x4x8xf32>, tensor<2x8x6xf32> -> tensor<2x4x6xf32>
  %d = arith.mulf %s, %eighth : tensor<2x4x6xf32>
  %mb = mj.broadcast %mask like %d : tensor<4x6xf32>, tensor<2x4x6xf32> -> tensor<2x4x6xf32>
  %m = arith.addf %mb, %d : tensor<2x4x6xf32>
  %p = mj.softmax %m : tensor<2x4x6xf32> -> tensor<2x4x6xf32>
  %o = mj.batch_matmul %p, %vt : tensor<2x4x6xf32>, tensor<2x6x5xf32> -> tensor<2x4x5xf32>
  %ot = mj.transpose %o [1, 0, 2] : tensor<2x4x5xf32> -> tensor<4x2x5xf32>
  return %ot : tensor<4x2x5xf32>
}

// CHECK-LABEL: func.func @hidden
// CHECK-DAG: %[[Z:.*]] = arith.cmpf ogt, %arg3, %{{.*}} : tensor<1x6xf32>
// CHECK-DAG: %[[N:.*]] = arith.{{xori|cmpf}}
// CHECK: %[[M:.*]] = mj.broadcast %{{.*}} : tensor<1x6xi1>, {{.*}} -> tensor<4x6xi1>
// CHECK: mj.sdpa %{{.*}} over[%{{.*}}], [%{{.*}}] mask %[[M]] scale 1.000000e+00 : {{.*}}, tensor<4x6xi1> -> tensor<4x6x8xf32>
// REMARK: attention of 6 heads, 4 rows over 6 keys, scale 1, masked
func.func @hidden(%q: tensor<3x2x4x8xf32>, %k: tensor<3x2x6x8xf32>, %v: tensor<3x2x6x8xf32>, %padding: tensor<1x6xf32>) -> tensor<3x2x4x8xf32> attributes {mj.entry} {
  %zero = arith.constant dense<0.0> : tensor<1x6xf32>
  %infinity = arith.constant dense<0xFF800000> : tensor<3x2x4x6xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<3x2x4x8xf32>, tensor<3x2x6x8xf32> -> tensor<3x2x4x6xf32>
  %h = arith.cmpf ogt, %padding, %zero : tensor<1x6xf32>
  %hb = mj.broadcast %h like %s : tensor<1x6xi1>, tensor<3x2x4x6xf32> -> tensor<3x2x4x6xi1>
  %m = arith.select %hb, %infinity, %s : tensor<3x2x4x6xi1>, tensor<3x2x4x6xf32>
  %p = mj.softmax %m : tensor<3x2x4x6xf32> -> tensor<3x2x4x6xf32>
  %o = mj.batch_matmul %p, %v : tensor<3x2x4x6xf32>, tensor<3x2x6x8xf32> -> tensor<3x2x4x8xf32>
  return %o : tensor<3x2x4x8xf32>
}

// What selects a finite number adds one that leaves nothing of any score, or rows that see nothing would not be means.
// CHECK-LABEL: func.func @finite
// CHECK-DAG: %[[N:.*]] = arith.constant dense<-1.2676506E+30> : tensor<4x6xf32>
// CHECK-DAG: %[[V:.*]] = arith.cmpf ogt
// CHECK: %[[M:.*]] = arith.select %[[V]], %{{.*}}, %[[N]] : tensor<4x6xi1>, tensor<4x6xf32>
// CHECK: mj.sdpa %{{.*}} mask %[[M]] scale
func.func @finite(%q: tensor<2x4x8xf32>, %k: tensor<2x6x8xf32>, %v: tensor<2x6x8xf32>, %z: tensor<4x6xf32>) -> tensor<2x4x8xf32> attributes {mj.entry} {
  %zero = arith.constant dense<0.0> : tensor<4x6xf32>
  %large = arith.constant dense<-1.0e9> : tensor<2x4x6xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x4x8xf32>, tensor<2x6x8xf32> -> tensor<2x4x6xf32>
  %h = arith.cmpf ogt, %z, %zero : tensor<4x6xf32>
  %hb = mj.broadcast %h like %s : tensor<4x6xi1>, tensor<2x4x6xf32> -> tensor<2x4x6xi1>
  %m = arith.select %hb, %s, %large : tensor<2x4x6xi1>, tensor<2x4x6xf32>
  %p = mj.softmax %m : tensor<2x4x6xf32> -> tensor<2x4x6xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x4x6xf32>, tensor<2x6x8xf32> -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// Also where the number is smaller or scaled with the scores, and in f16, which does not hold what is added.
// CHECK-LABEL: func.func @finite_and_scaled
// CHECK-DAG: %[[N:.*]] = arith.constant dense<-1.2676506E+30> : tensor<4x6xf32>
// CHECK-DAG: %[[V:.*]] = arith.cmpf ogt
// CHECK: %[[M:.*]] = arith.select %[[V]], %{{.*}}, %[[N]] : tensor<4x6xi1>, tensor<4x6xf32>
// CHECK: mj.sdpa %{{.*}} mask %[[M]] scale 5.000000e-01 : tensor<4x2x8xf16>, [tensor<6x2x8xf16>], [tensor<6x2x8xf16>], tensor<4x6xf32> -> tensor<4x2x8xf16>
func.func @finite_and_scaled(%q: tensor<2x4x8xf16>, %k: tensor<2x6x8xf16>, %v: tensor<2x6x8xf16>, %z: tensor<4x6xf32>) -> tensor<2x4x8xf16> attributes {mj.entry} {
  %zero = arith.constant dense<0.0> : tensor<4x6xf32>
  %large = arith.constant dense<-6.0e4> : tensor<2x4x6xf16>
  %half = arith.constant dense<0.5> : tensor<2x4x6xf16>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x4x8xf16>, tensor<2x6x8xf16> -> tensor<2x4x6xf16>
  %h = arith.cmpf ogt, %z, %zero : tensor<4x6xf32>
  %hb = mj.broadcast %h like %s : tensor<4x6xi1>, tensor<2x4x6xf16> -> tensor<2x4x6xi1>
  %m = arith.select %hb, %s, %large : tensor<2x4x6xi1>, tensor<2x4x6xf16>
  %d = arith.mulf %m, %half : tensor<2x4x6xf16>
  %p = mj.softmax %d : tensor<2x4x6xf16> -> tensor<2x4x6xf16>
  %o = mj.batch_matmul %p, %v : tensor<2x4x6xf16>, tensor<2x6x8xf16> -> tensor<2x4x8xf16>
  return %o : tensor<2x4x8xf16>
}

// A constant mask that hides nothing is none; the last so many keys are a window, in booleans or numbers, also where
// there are more keys than rows.
// CHECK-LABEL: func.func @window
// CHECK: mj.sdpa %{{.*}} scale 1.000000e+00 causal window 2 :
// REMARK: attention of 2 heads, 3 rows over 3 keys, scale 1, causal, window 2
func.func @window(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %infinity = arith.constant dense<0xFF800000> : tensor<2x3x3xf32>
  %zero = arith.constant dense<0.0> : tensor<2x3x3xf32>
  %visible = arith.constant dense<[[true, false, false], [true, true, false], [false, true, true]]> : tensor<3x3xi1>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %b = mj.broadcast %visible like %s : tensor<3x3xi1>, tensor<2x3x3xf32> -> tensor<2x3x3xi1>
  %m = arith.select %b, %s, %infinity : tensor<2x3x3xi1>, tensor<2x3x3xf32>
  %p = mj.softmax %m : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}
// CHECK-LABEL: func.func @added_window
// CHECK: mj.sdpa %{{.*}} scale 1.000000e+00 causal window 3 : tensor<2x2x8xf32>, [tensor<5x2x8xf32>]
func.func @added_window(%q: tensor<2x2x8xf32>, %k: tensor<2x5x8xf32>, %v: tensor<2x5x8xf32>) -> tensor<2x2x8xf32> attributes {mj.entry} {
  %mask = arith.constant dense<[[[-1.0e9, 0.0, 0.0, 0.0, -1.0e9], [-1.0e9, -1.0e9, 0.0, 0.0, 0.0]]]> : tensor<1x2x5xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x2x8xf32>, tensor<2x5x8xf32> -> tensor<2x2x5xf32>
  %b = mj.broadcast %mask like %s : tensor<1x2x5xf32>, tensor<2x2x5xf32> -> tensor<2x2x5xf32>
  %m = arith.addf %s, %b : tensor<2x2x5xf32>
  %p = mj.softmax %m : tensor<2x2x5xf32> -> tensor<2x2x5xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x2x5xf32>, tensor<2x5x8xf32> -> tensor<2x2x8xf32>
  return %o : tensor<2x2x8xf32>
}

// Compared from row and key numbers: i - j < 2 and j <= i.
// CHECK-LABEL: func.func @compared_window
// CHECK: mj.sdpa %{{.*}} scale 1.000000e+00 causal window 2 :
func.func @compared_window(%q: tensor<2x4x8xf32>, %k: tensor<2x4x8xf32>, %v: tensor<2x4x8xf32>) -> tensor<2x4x8xf32> attributes {mj.entry} {
  %infinity = arith.constant dense<0xFF800000> : tensor<2x4x4xf32>
  %numbers = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
  %column = mj.reshape %numbers : tensor<4xi64> -> tensor<4x1xi64>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x4x8xf32>, tensor<2x4x8xf32> -> tensor<2x4x4xf32>
  %i = mj.broadcast %column like %s : tensor<4x1xi64>, tensor<2x4x4xf32> -> tensor<2x4x4xi64>
  %j = mj.broadcast %numbers like %s : tensor<4xi64>, tensor<2x4x4xf32> -> tensor<2x4x4xi64>
  %back = arith.constant dense<-2> : tensor<2x4x4xi64>
  %first = arith.addi %i, %back : tensor<2x4x4xi64>
  %near = arith.cmpi sgt, %j, %first : tensor<2x4x4xi64>
  %before = arith.cmpi sle, %j, %i : tensor<2x4x4xi64>
  %visible = arith.andi %near, %before : tensor<2x4x4xi1>
  %m = arith.select %visible, %s, %infinity : tensor<2x4x4xi1>, tensor<2x4x4xf32>
  %p = mj.softmax %m : tensor<2x4x4xf32> -> tensor<2x4x4xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x4x4xf32>, tensor<2x4x8xf32> -> tensor<2x4x8xf32>
  return %o : tensor<2x4x8xf32>
}

// Close to a window, and masks: rows that see what comes after them; a window that is not the same for all rows; the
// first rows see only themselves and the others all; finite numbers where a row sees nothing. Known masks are numbers.
// CHECK-LABEL: func.func @both_sides
// CHECK: %[[M:.*]] = arith.constant dense<{{\[\[}}0.000000e+00, 0.000000e+00, 0xFF800000], [0.000000e+00, 0.000000e+00, 0.000000e+00], [0xFF800000, 0.000000e+00, 0.000000e+00]]> : tensor<3x3xf32>
// CHECK: mj.sdpa %{{.*}} mask %[[M]] scale 1.000000e+00 :
// REMARK: attention of 2 heads, 3 rows over 3 keys, scale 1, masked
func.func @both_sides(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %infinity = arith.constant dense<0xFF800000> : tensor<2x3x3xf32>
  %visible = arith.constant dense<[[true, true, false], [true, true, true], [false, true, true]]> : tensor<3x3xi1>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %b = mj.broadcast %visible like %s : tensor<3x3xi1>, tensor<2x3x3xf32> -> tensor<2x3x3xi1>
  %m = arith.select %b, %s, %infinity : tensor<2x3x3xi1>, tensor<2x3x3xf32>
  %p = mj.softmax %m : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}
// CHECK-LABEL: func.func @changing_window
// CHECK: mj.sdpa %{{.*}} mask %{{.*}} scale 1.000000e+00 :
func.func @changing_window(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %mask = arith.constant dense<[[0.0, -1.0e9, -1.0e9], [-1.0e9, 0.0, -1.0e9], [-1.0e9, 0.0, 0.0]]> : tensor<3x3xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %b = mj.broadcast %mask like %s : tensor<3x3xf32>, tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %m = arith.addf %s, %b : tensor<2x3x3xf32>
  %p = mj.softmax %m : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}
// CHECK-LABEL: func.func @first_apart
// CHECK: %[[M:.*]] = arith.constant dense<{{\[\[}}0.000000e+00, 0xFF800000, 0xFF800000], [0.000000e+00, 0.000000e+00, 0.000000e+00], [0.000000e+00, 0.000000e+00, 0.000000e+00]]> : tensor<3x3xf32>
// CHECK: mj.sdpa %{{.*}} mask %[[M]] scale 1.000000e+00 :
func.func @first_apart(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %infinity = arith.constant dense<0xFF800000> : tensor<2x3x3xf32>
  %hidden = arith.constant dense<[[[false, true, true], [false, false, false], [false, false, false]], [[false, true, true], [false, false, false], [false, false, false]]]> : tensor<2x3x3xi1>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %m = arith.select %hidden, %infinity, %s : tensor<2x3x3xi1>, tensor<2x3x3xf32>
  %p = mj.softmax %m : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}
// CHECK-LABEL: func.func @sees_nothing
// CHECK: mj.sdpa %{{.*}} mask %{{.*}} scale 1.000000e+00 : tensor<3x2x8xf32>, [tensor<2x2x8xf32>]
func.func @sees_nothing(%q: tensor<2x3x8xf32>, %k: tensor<2x2x8xf32>, %v: tensor<2x2x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %mask = arith.constant dense<[[-1.0e9, -1.0e9], [0.0, -1.0e9], [0.0, 0.0]]> : tensor<3x2xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x2x8xf32> -> tensor<2x3x2xf32>
  %b = mj.broadcast %mask like %s : tensor<3x2xf32>, tensor<2x3x2xf32> -> tensor<2x3x2xf32>
  %m = arith.addf %s, %b : tensor<2x3x2xf32>
  %p = mj.softmax %m : tensor<2x3x2xf32> -> tensor<2x3x2xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x2xf32>, tensor<2x2x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @nothing_hidden
// CHECK: mj.sdpa %{{.*}} over[%{{.*}}], [%{{.*}}] scale 1.000000e+00 :
func.func @nothing_hidden(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %zero = arith.constant dense<0.0> : tensor<2x3x3xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %m = arith.addf %s, %zero : tensor<2x3x3xf32>
  %p = mj.softmax %m : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}

// -----

// Near misses.
// CHECK-LABEL: func.func @multiplied_mask
// CHECK-NOT: mj.sdpa
// CHECK: return
// REMARK: remark: [Missed] Attention | Category:recognize | Remark="attention not recognized: the scores are multiplied with a tensor: a mask is added or selects"
func.func @multiplied_mask(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>, %z: tensor<2x3x3xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %m = arith.mulf %s, %z : tensor<2x3x3xf32>
  %p = mj.softmax %m : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @scores_read
// CHECK-NOT: mj.sdpa
// CHECK: return
// REMARK: attention not recognized: another operation reads the scores
func.func @scores_read(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>) -> (tensor<2x3x8xf32>, tensor<2x3x3xf32>) attributes {mj.entry} {
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %p = mj.softmax %s : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o, %s : tensor<2x3x8xf32>, tensor<2x3x3xf32>
}

// CHECK-LABEL: func.func @probabilities_read
// CHECK-NOT: mj.sdpa
// CHECK: return
// REMARK: attention not recognized: another operation reads the probabilities
func.func @probabilities_read(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>) -> (tensor<2x3x8xf32>, tensor<2x3x3xf32>) attributes {mj.entry} {
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %p = mj.softmax %s : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o, %p : tensor<2x3x8xf32>, tensor<2x3x3xf32>
}

// CHECK-LABEL: func.func @over_queries
// CHECK-NOT: mj.sdpa
// CHECK: return
// REMARK: attention not recognized: the softmax does not run along the keys
func.func @over_queries(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %t = mj.transpose %s [0, 2, 1] : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %p = mj.softmax %t : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @scaled_mask
// CHECK-NOT: mj.sdpa
// CHECK: return
// REMARK: attention not recognized: the mask is scaled with the scores
func.func @scaled_mask(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>, %z: tensor<2x3x3xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %half = arith.constant dense<0.5> : tensor<2x3x3xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %m = arith.addf %s, %z : tensor<2x3x3xf32>
  %d = arith.mulf %m, %half : tensor<2x3x3xf32>
  %p = mj.softmax %d : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @small_fill
// CHECK-NOT: mj.sdpa
// CHECK: return
// REMARK: attention not recognized: masked scores become -1, which hides nothing
func.func @small_fill(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>, %z: tensor<2x3x3xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %one = arith.constant dense<-1.0> : tensor<2x3x3xf32>
  %h = arith.cmpf ogt, %z, %one : tensor<2x3x3xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %m = arith.select %h, %s, %one : tensor<2x3x3xi1>, tensor<2x3x3xf32>
  %p = mj.softmax %m : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @scaled_fill
// CHECK-NOT: mj.sdpa
// CHECK: return
// REMARK: attention not recognized: masked scores become -1000, which hides nothing
func.func @scaled_fill(%q: tensor<2x3x8xf32>, %k: tensor<2x3x8xf32>, %v: tensor<2x3x8xf32>, %z: tensor<2x3x3xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %zero = arith.constant dense<0.0> : tensor<2x3x3xf32>
  %fill = arith.constant dense<-4.0e3> : tensor<2x3x3xf32>
  %quarter = arith.constant dense<0.25> : tensor<2x3x3xf32>
  %h = arith.cmpf ogt, %z, %zero : tensor<2x3x3xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x3xf32>
  %m = arith.select %h, %s, %fill : tensor<2x3x3xi1>, tensor<2x3x3xf32>
  %d = arith.mulf %m, %quarter : tensor<2x3x3xf32>
  %p = mj.softmax %d : tensor<2x3x3xf32> -> tensor<2x3x3xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x3x3xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}
