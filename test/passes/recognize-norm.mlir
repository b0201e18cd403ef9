// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --simplify --recognize --simplify | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --simplify --recognize --remarks-filter=recognize --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// As PyTorch's models are exported: in f32 between casts, the weight after the cast back.
mj.weight @w : tensor<8xbf16> from "w"
// CHECK-LABEL: func.func @rms_with_casts
// CHECK-SAME: (%[[X:.*]]: tensor<1x6x8xbf16>)
// CHECK-NEXT: %[[W:.*]] = mj.get_weight @w
// CHECK-NEXT: %[[N:.*]] = mj.norm rms %[[X]], weight %[[W]] eps 9.99999997E-7 : tensor<1x6x8xbf16>, weight tensor<8xbf16> -> tensor<1x6x8xbf16>
// CHECK-NEXT: return %[[N]]
// REMARK: remark: [Passed] Norm | Category:recognize | Remark="rms norm of 8 elements with weight @w, eps 1e-06"
func.func @rms_with_casts(%x: tensor<1x6x8xbf16>) -> tensor<1x6x8xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8xbf16>
  %two = arith.constant dense<2.0> : tensor<1x6x8xf32>
  %eps = arith.constant dense<1.0e-6> : tensor<1x6x1xf32>
  %e = arith.extf %x : tensor<1x6x8xbf16> to tensor<1x6x8xf32>
  %s = math.powf %e, %two : tensor<1x6x8xf32>
  %m = mj.reduce mean %s over [2] : tensor<1x6x8xf32> -> tensor<1x6xf32>
  %k = mj.reshape %m : tensor<1x6xf32> -> tensor<1x6x1xf32>
  %a = arith.addf %k, %eps : tensor<1x6x1xf32>
  %r = math.rsqrt %a : tensor<1x6x1xf32>
  %b = mj.broadcast %r like %e : tensor<1x6x1xf32>, tensor<1x6x8xf32> -> tensor<1x6x8xf32>
  %n = arith.mulf %e, %b : tensor<1x6x8xf32>
  %t = arith.truncf %n : tensor<1x6x8xf32> to tensor<1x6x8xbf16>
  %wb = mj.broadcast %w like %t : tensor<8xbf16>, tensor<1x6x8xbf16> -> tensor<1x6x8xbf16>
  %y = arith.mulf %wb, %t : tensor<1x6x8xbf16>
  return %y : tensor<1x6x8xbf16>
}

// Gemma's: 1 + w, before the cast back; a sum and a factor for the mean, a quotient by the root; symbolic rows.
// CHECK-LABEL: func.func @rms_one_plus
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>)
// CHECK-DAG: %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<8xf32>
// CHECK-DAG: %[[W:.*]] = mj.get_weight @w
// CHECK-DAG: %[[E:.*]] = arith.extf %[[W]]
// CHECK: %[[P:.*]] = arith.addf %[[E]], %[[ONE]] : tensor<8xf32>
// CHECK-NEXT: %[[N:.*]] = mj.norm rms %[[X]], weight %[[P]] eps 9.99999974E-6 : tensor<?x8xf32>, weight tensor<8xf32> -> tensor<?x8xf32>
// CHECK-NEXT: return %[[N]]
// REMARK: rms norm of 8 elements with weight @w
func.func @rms_one_plus(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8xbf16>
  %one = arith.constant dense<1.0> : tensor<8xf32>
  %eps = arith.constant dense<1.0e-5> : tensor<f32>
  %eighth = arith.constant dense<0.125> : tensor<f32>
  %s = arith.mulf %x, %x : tensor<?x8xf32>
  %m = mj.reduce sum %s over [1] : tensor<?x8xf32> -> tensor<?xf32>
  %k = mj.reshape %m : tensor<?xf32> -> tensor<?x1xf32>
  %eb = mj.broadcast %eighth like %k : tensor<f32>, tensor<?x1xf32> -> tensor<?x1xf32>
  %d = arith.mulf %k, %eb : tensor<?x1xf32>
  %epsb = mj.broadcast %eps like %k : tensor<f32>, tensor<?x1xf32> -> tensor<?x1xf32>
  %a = arith.addf %epsb, %d : tensor<?x1xf32>
  %r = math.sqrt %a : tensor<?x1xf32>
  %b = mj.broadcast %r like %x : tensor<?x1xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  %n = arith.divf %x, %b : tensor<?x8xf32>
  %e = arith.extf %w : tensor<8xbf16> to tensor<8xf32>
  %p = arith.addf %e, %one : tensor<8xf32>
  %wb = mj.broadcast %p like %n : tensor<8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  %y = arith.mulf %n, %wb : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// Layer norms: with weight and bias; without, the deviations computed twice, powers for squares and roots.
mj.weight @w : tensor<8xf32> from "w"
mj.weight @b : tensor<8xf32> from "b"
// CHECK-LABEL: func.func @layer
// CHECK-SAME: (%[[X:.*]]: tensor<6x8xf32>)
// CHECK-DAG: %[[W:.*]] = mj.get_weight @w
// CHECK-DAG: %[[B:.*]] = mj.get_weight @b
// CHECK: %[[N:.*]] = mj.norm layer %[[X]], weight %[[W]], bias %[[B]] eps 9.99999974E-6
// CHECK-NEXT: return %[[N]]
// REMARK: layer norm of 8 elements with weight @w and bias @b
func.func @layer(%x: tensor<6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8xf32>
  %b = mj.get_weight @b : tensor<8xf32>
  %eps = arith.constant dense<1.0e-5> : tensor<6x1xf32>
  %m = mj.reduce mean %x over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %mk = mj.reshape %m : tensor<6xf32> -> tensor<6x1xf32>
  %mb = mj.broadcast %mk like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %d = arith.subf %x, %mb : tensor<6x8xf32>
  %s = arith.mulf %d, %d : tensor<6x8xf32>
  %v = mj.reduce mean %s over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %vk = mj.reshape %v : tensor<6xf32> -> tensor<6x1xf32>
  %a = arith.addf %vk, %eps : tensor<6x1xf32>
  %r = math.sqrt %a : tensor<6x1xf32>
  %rb = mj.broadcast %r like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %n = arith.divf %d, %rb : tensor<6x8xf32>
  %wb = mj.broadcast %w like %x : tensor<8xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %p = arith.mulf %n, %wb : tensor<6x8xf32>
  %bb = mj.broadcast %b like %x : tensor<8xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %y = arith.addf %p, %bb : tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// CHECK-LABEL: func.func @layer_no_affine
// CHECK-NEXT: %[[N:.*]] = mj.norm layer %arg0 eps 9.99999997E-7 : tensor<6x8xf32> -> tensor<6x8xf32>
// CHECK-NEXT: return %[[N]]
func.func @layer_no_affine(%x: tensor<6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %eps = arith.constant dense<1.0e-6> : tensor<6x1xf32>
  %two = arith.constant dense<2.0> : tensor<6x8xf32>
  %half = arith.constant dense<-0.5> : tensor<6x1xf32>
  %m = mj.reduce mean %x over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %mk = mj.reshape %m : tensor<6xf32> -> tensor<6x1xf32>
  %mb = mj.broadcast %mk like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %d = arith.subf %x, %mb : tensor<6x8xf32>
  %d2 = arith.subf %x, %mb : tensor<6x8xf32>
  %s = math.powf %d2, %two : tensor<6x8xf32>
  %v = mj.reduce mean %s over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %vk = mj.reshape %v : tensor<6xf32> -> tensor<6x1xf32>
  %a = arith.addf %vk, %eps : tensor<6x1xf32>
  %r = math.powf %a, %half : tensor<6x1xf32>
  %rb = mj.broadcast %r like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %n = arith.mulf %rb, %d : tensor<6x8xf32>
  return %n : tensor<6x8xf32>
}

// The scale and shift of a modulation are no weights: they stay pointwise.
// CHECK-LABEL: func.func @modulated
// CHECK: mj.norm layer %arg0 eps
// CHECK-NEXT: arith.mulf
// CHECK-NEXT: return
func.func @modulated(%x: tensor<6x8xf32>, %scale: tensor<6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %eps = arith.constant dense<1.0e-6> : tensor<6x1xf32>
  %m = mj.reduce mean %x over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %mk = mj.reshape %m : tensor<6xf32> -> tensor<6x1xf32>
  %mb = mj.broadcast %mk like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %d = arith.subf %x, %mb : tensor<6x8xf32>
  %s = arith.mulf %d, %d : tensor<6x8xf32>
  %v = mj.reduce mean %s over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %vk = mj.reshape %v : tensor<6xf32> -> tensor<6x1xf32>
  %a = arith.addf %vk, %eps : tensor<6x1xf32>
  %r = math.rsqrt %a : tensor<6x1xf32>
  %rb = mj.broadcast %r like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %n = arith.mulf %d, %rb : tensor<6x8xf32>
  %p = arith.mulf %n, %scale : tensor<6x8xf32>
  return %p : tensor<6x8xf32>
}

// -----

// Near misses. eps is added to the root.
// CHECK-LABEL: func.func @eps_outside
// CHECK-NOT: mj.norm
// CHECK: return
// REMARK: remark: [Missed] Norm | Category:recognize | Remark="norm not recognized: eps is added to the root, not to the mean of squares below it"
func.func @eps_outside(%x: tensor<6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %eps = arith.constant dense<1.0e-5> : tensor<6x1xf32>
  %s = arith.mulf %x, %x : tensor<6x8xf32>
  %m = mj.reduce mean %s over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %k = mj.reshape %m : tensor<6xf32> -> tensor<6x1xf32>
  %r = math.sqrt %k : tensor<6x1xf32>
  %a = arith.addf %r, %eps : tensor<6x1xf32>
  %b = mj.broadcast %a like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %n = arith.divf %x, %b : tensor<6x8xf32>
  return %n : tensor<6x8xf32>
}

// The mean is over the columns, or repeated along the wrong axis of a square matrix.
// CHECK-LABEL: func.func @other_axis
// CHECK-NOT: mj.norm
// CHECK: return
func.func @other_axis(%x: tensor<8x8xf32>) -> tensor<8x8xf32> attributes {mj.entry} {
  %eps = arith.constant dense<1.0e-5> : tensor<8xf32>
  %s = arith.mulf %x, %x : tensor<8x8xf32>
  %m = mj.reduce mean %s over [0] : tensor<8x8xf32> -> tensor<8xf32>
  %a = arith.addf %m, %eps : tensor<8xf32>
  %r = math.rsqrt %a : tensor<8xf32>
  %b = mj.broadcast %r like %x : tensor<8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %n = arith.mulf %x, %b : tensor<8x8xf32>
  return %n : tensor<8x8xf32>
}
// CHECK-LABEL: func.func @over_rows
// CHECK-NOT: mj.norm
// CHECK: return
// REMARK: norm not recognized: the mean of squares is not over the last axis
func.func @over_rows(%x: tensor<8x8xf32>) -> tensor<8x8xf32> attributes {mj.entry} {
  %eps = arith.constant dense<1.0e-5> : tensor<8x1xf32>
  %s = arith.mulf %x, %x : tensor<8x8xf32>
  %m = mj.reduce mean %s over [0] : tensor<8x8xf32> -> tensor<8xf32>
  %k = mj.reshape %m : tensor<8xf32> -> tensor<8x1xf32>
  %a = arith.addf %k, %eps : tensor<8x1xf32>
  %r = math.rsqrt %a : tensor<8x1xf32>
  %b = mj.broadcast %r like %x : tensor<8x1xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %n = arith.mulf %x, %b : tensor<8x8xf32>
  return %n : tensor<8x8xf32>
}

// Another tensor is normalized, or the sum is divided by another number.
// CHECK-LABEL: func.func @another_tensor
// CHECK-NOT: mj.norm
// CHECK: return
func.func @another_tensor(%x: tensor<6x8xf32>, %z: tensor<6x8xf32>) -> (tensor<6x8xf32>, tensor<6x8xf32>) attributes {mj.entry} {
  %eps = arith.constant dense<1.0e-5> : tensor<6x1xf32>
  %seventh = arith.constant dense<7.0> : tensor<6x1xf32>
  %s = arith.mulf %x, %x : tensor<6x8xf32>
  %m = mj.reduce mean %s over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %k = mj.reshape %m : tensor<6xf32> -> tensor<6x1xf32>
  %a = arith.addf %k, %eps : tensor<6x1xf32>
  %r = math.rsqrt %a : tensor<6x1xf32>
  %b = mj.broadcast %r like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %n = arith.mulf %z, %b : tensor<6x8xf32>
  %t = mj.reduce sum %s over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %u = mj.reshape %t : tensor<6xf32> -> tensor<6x1xf32>
  %v = arith.divf %u, %seventh : tensor<6x1xf32>
  %q = math.rsqrt %v : tensor<6x1xf32>
  %c = mj.broadcast %q like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %o = arith.mulf %x, %c : tensor<6x8xf32>
  return %n, %o : tensor<6x8xf32>, tensor<6x8xf32>
}

// A variance as a difference.
// CHECK-LABEL: func.func @difference
// CHECK-NOT: mj.norm
// CHECK: return
// REMARK: norm not recognized: the variance is E[x^2] - E[x]^2, which loses digits that mj.norm keeps
func.func @difference(%x: tensor<6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %eps = arith.constant dense<1.0e-5> : tensor<6x1xf32>
  %m = mj.reduce mean %x over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %mk = mj.reshape %m : tensor<6xf32> -> tensor<6x1xf32>
  %mb = mj.broadcast %mk like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %d = arith.subf %x, %mb : tensor<6x8xf32>
  %s = arith.mulf %x, %x : tensor<6x8xf32>
  %e = mj.reduce mean %s over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %ek = mj.reshape %e : tensor<6xf32> -> tensor<6x1xf32>
  %mm = arith.mulf %mk, %mk : tensor<6x1xf32>
  %v = arith.subf %ek, %mm : tensor<6x1xf32>
  %a = arith.addf %v, %eps : tensor<6x1xf32>
  %r = math.rsqrt %a : tensor<6x1xf32>
  %rb = mj.broadcast %r like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %n = arith.mulf %d, %rb : tensor<6x8xf32>
  return %n : tensor<6x8xf32>
}

// -----

// Softmax, over the last axis; near misses: over another, without the maximum (it overflows where mj.softmax does not).
// CHECK-LABEL: func.func @softmax
// CHECK-NEXT: %[[S:.*]] = mj.softmax %arg0 : tensor<6x8xf32> -> tensor<6x8xf32>
// CHECK-NEXT: return %[[S]]
// REMARK: remark: [Passed] Softmax | Category:recognize | Remark="softmax of 8 elements"
func.func @softmax(%x: tensor<6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %m = mj.reduce max %x over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %mk = mj.reshape %m : tensor<6xf32> -> tensor<6x1xf32>
  %mb = mj.broadcast %mk like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %d = arith.subf %x, %mb : tensor<6x8xf32>
  %e = math.exp %d : tensor<6x8xf32>
  %s = mj.reduce sum %e over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %sk = mj.reshape %s : tensor<6xf32> -> tensor<6x1xf32>
  %sb = mj.broadcast %sk like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %p = arith.divf %e, %sb : tensor<6x8xf32>
  return %p : tensor<6x8xf32>
}

// CHECK-LABEL: func.func @softmax_of_columns
// CHECK-NOT: mj.softmax
// REMARK: softmax not recognized: it is not over the last axis
func.func @softmax_of_columns(%x: tensor<6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %m = mj.reduce max %x over [0] : tensor<6x8xf32> -> tensor<8xf32>
  %mb = mj.broadcast %m like %x : tensor<8xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %d = arith.subf %x, %mb : tensor<6x8xf32>
  %e = math.exp %d : tensor<6x8xf32>
  %s = mj.reduce sum %e over [0] : tensor<6x8xf32> -> tensor<8xf32>
  %sb = mj.broadcast %s like %x : tensor<8xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %p = arith.divf %e, %sb : tensor<6x8xf32>
  return %p : tensor<6x8xf32>
}

// CHECK-LABEL: func.func @no_maximum
// CHECK-NOT: mj.softmax
// CHECK: return
func.func @no_maximum(%x: tensor<6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %e = math.exp %x : tensor<6x8xf32>
  %s = mj.reduce sum %e over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %sk = mj.reshape %s : tensor<6xf32> -> tensor<6x1xf32>
  %sb = mj.broadcast %sk like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %p = arith.divf %e, %sb : tensor<6x8xf32>
  return %p : tensor<6x8xf32>
}
