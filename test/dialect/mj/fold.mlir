// What operations of mj fold to.
// RUN: mjolnir-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @reshape_to_itself
// CHECK-SAME: (%[[X:.*]]: tensor<?x16xf32>)
func.func @reshape_to_itself(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // CHECK-NEXT: return %[[X]]
  %0 = mj.reshape %x : tensor<?x16xf32> -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// CHECK-LABEL: @reshape_of_reshape
// CHECK-SAME: (%[[X:.*]]: tensor<?x16xf32>)
func.func @reshape_of_reshape(%x: tensor<?x16xf32>) -> tensor<?x2x8xf32> {
  // CHECK-NEXT: %[[Y:.*]] = mj.reshape %[[X]] : tensor<?x16xf32> -> tensor<?x2x8xf32>
  // CHECK-NEXT: return %[[Y]]
  %0 = mj.reshape %x : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %1 = mj.reshape %0 : tensor<?x4x4xf32> -> tensor<?x2x8xf32>
  return %1 : tensor<?x2x8xf32>
}

// CHECK-LABEL: @reshape_there_and_back
// CHECK-SAME: (%[[X:.*]]: tensor<?x16xf32>)
func.func @reshape_there_and_back(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // CHECK-NEXT: return %[[X]]
  %0 = mj.reshape %x : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %1 = mj.reshape %0 : tensor<?x4x4xf32> -> tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}

// The static size is knowledge that the source does not have.
// CHECK-LABEL: @reshape_to_static
func.func @reshape_to_static(%x: tensor<?x16xf32>) -> tensor<4x16xf32> {
  // CHECK-NEXT: mj.reshape
  %0 = mj.reshape %x : tensor<?x16xf32> -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

// CHECK-LABEL: @pack_to_the_same
// CHECK-SAME: (%[[X:.*]]: tensor<4x16xf32, #mj.encoding<"rows16">>)
func.func @pack_to_the_same(%x: tensor<4x16xf32, #mj.encoding<"rows16">>) -> tensor<4x16xf32, #mj.encoding<"rows16">> {
  // CHECK-NEXT: return %[[X]]
  %0 = mj.pack %x : tensor<4x16xf32, #mj.encoding<"rows16">> to tensor<4x16xf32, #mj.encoding<"rows16">>
  return %0 : tensor<4x16xf32, #mj.encoding<"rows16">>
}

// CHECK-LABEL: @pack_to_another
func.func @pack_to_another(%x: tensor<4x16xf32>) -> tensor<4x16xf32, #mj.encoding<"rows16">> {
  // CHECK-NEXT: mj.pack
  %0 = mj.pack %x : tensor<4x16xf32> to tensor<4x16xf32, #mj.encoding<"rows16">>
  return %0 : tensor<4x16xf32, #mj.encoding<"rows16">>
}

// The cache is a value: what is not used has no effect to keep.
// CHECK-LABEL: @unused
func.func @unused(%kv: !mj.kv<2 x 2 x 8 x f32>, %k: tensor<4x2x8xf32>, %batch: !mj.batch<4 x 1 x 1>) {
  // CHECK-NEXT: return
  %0 = mj.kv_append %kv[0], %k, %k at %batch : <2 x 2 x 8 x f32>, tensor<4x2x8xf32>, tensor<4x2x8xf32>, <4 x 1 x 1> -> <2 x 2 x 8 x f32>
  %1 = mj.batch_field %batch[tokens] : <4 x 1 x 1>
  return
}

// CHECK-LABEL: @broadcast_to_itself
// CHECK-SAME: (%[[X:.*]]: tensor<4x16xf32>)
func.func @broadcast_to_itself(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  // CHECK-NEXT: return %[[X]]
  %0 = mj.broadcast %x like %x : tensor<4x16xf32>, tensor<4x16xf32> -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}

// CHECK-LABEL: @transpose_there_and_back
// CHECK-SAME: (%[[X:.*]]: tensor<2x3x4xf32>)
func.func @transpose_there_and_back(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  // CHECK-NEXT: return %[[X]]
  %0 = mj.transpose %x [1, 2, 0] : tensor<2x3x4xf32> -> tensor<3x4x2xf32>
  %1 = mj.transpose %0 [2, 0, 1] : tensor<3x4x2xf32> -> tensor<2x3x4xf32>
  return %1 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @transpose_of_transpose
// CHECK-SAME: (%[[X:.*]]: tensor<2x3x4xf32>)
func.func @transpose_of_transpose(%x: tensor<2x3x4xf32>) -> tensor<4x2x3xf32> {
  // CHECK-NEXT: %[[Y:.*]] = mj.transpose %[[X]] [2, 0, 1] : tensor<2x3x4xf32> -> tensor<4x2x3xf32>
  // CHECK-NEXT: return %[[Y]]
  %0 = mj.transpose %x [1, 2, 0] : tensor<2x3x4xf32> -> tensor<3x4x2xf32>
  %1 = mj.transpose %0 [1, 2, 0] : tensor<3x4x2xf32> -> tensor<4x2x3xf32>
  return %1 : tensor<4x2x3xf32>
}

// CHECK-LABEL: @slice_of_everything
// CHECK-SAME: (%[[X:.*]]: tensor<?x16xf32>)
func.func @slice_of_everything(%x: tensor<?x16xf32>) -> tensor<?x16xf32> {
  // CHECK-NEXT: return %[[X]]
  %0 = mj.slice %x from [0, 0] by [1, 1] : tensor<?x16xf32> -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// CHECK-LABEL: @slice_of_a_part
func.func @slice_of_a_part(%x: tensor<?x16xf32>) -> tensor<?x15xf32> {
  // CHECK-NEXT: mj.slice
  %0 = mj.slice %x from [0, 1] by [1, 1] : tensor<?x16xf32> -> tensor<?x15xf32>
  return %0 : tensor<?x15xf32>
}

// CHECK-LABEL: @concat_of_one
// CHECK-SAME: (%[[X:.*]]: tensor<4x16xf32>)
func.func @concat_of_one(%x: tensor<4x16xf32>) -> tensor<4x16xf32> {
  // CHECK-NEXT: return %[[X]]
  %0 = mj.concat %x axis 1 : tensor<4x16xf32> -> tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}
