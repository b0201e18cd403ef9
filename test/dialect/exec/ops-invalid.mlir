// Each way in which a verifier of exec refuses an operation.
// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{binding 'x' needs a tensor type of static shape, not 'tensor<?xf32>'}}
exec.entry @e inputs [#exec.binding<"x", tensor<?xf32>>] outputs [] {
^bb0(%x: !exec.buffer):
}

// -----

// expected-error @+1 {{binding 'x' needs a tensor type of static shape, not 'f32'}}
exec.entry @e inputs [#exec.binding<"x", f32>] outputs [] {
^bb0(%x: !exec.buffer):
}

// -----

// expected-error @+1 {{'exec.kv_pool' op needs positive sizes}}
exec.kv_pool @kv : bf16 layers 0 heads 2 head_dim 8 page_size 16 bytes_per_page 0

// -----

// expected-error @+1 {{'exec.kv_pool' op needs positive sizes}}
exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size -16 bytes_per_page 3072

// -----

// expected-error @+1 {{'exec.kv_pool' op has pages of more than 2^40 elements}}
exec.kv_pool @kv : bf16 layers 2147483647 heads 2147483647 head_dim 2147483647 page_size 16 bytes_per_page 3072

// -----

// expected-error @+1 {{'exec.kv_pool' op needs a number type, not 'tensor<2xf32>'}}
exec.kv_pool @kv : tensor<2xf32> layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072

// -----

// expected-error @+1 {{'exec.kv_pool' op states 3073 bytes a page, which are 3072}}
exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3073

// -----

// expected-error @+1 {{'exec.kernel' op needs at least one tile}}
exec.kernel @k schedule <"host.pointwise"> tiles 0 accesses [] {
  exec.return
}

// -----

// expected-error @+1 {{'exec.kernel' op needs at least one tile}}
exec.kernel @k schedule <"host.pointwise"> tiles -1 accesses [] {
  exec.return
}

// -----

// expected-error @+1 {{'exec.kernel' op must end in exec.return}}
exec.kernel @k schedule <"host.pointwise"> tiles 1 accesses [] {
  func.return
}

// -----

// expected-error @+1 {{'exec.kernel' op states 1 accesses for a body of 2 operands}}
exec.kernel @k schedule <"host.pointwise"> tiles 1 accesses [#exec.access<read>] {
^bb0(%x: tensor<4xf32>):
  exec.return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op has an argument of type 'index'; a kernel takes tensors, a batch, sampling parameters and a cache}}
exec.kernel @k schedule <"host.pointwise"> tiles 1 accesses [] {
^bb0(%x: index):
  exec.return
}

// -----

func.func @f() {
  // expected-error @+1 {{'exec.return' op expects parent op 'exec.kernel'}}
  exec.return
}

// -----

// expected-error @+1 {{'exec.entry' op needs token rows, sequences and pages a sequence as its ragged bucket}}
exec.entry @e ragged [4, 2] inputs [] outputs [] {
}

// -----

// expected-error @+1 {{'exec.entry' op needs a block argument for each of 1 inputs and 1 outputs}}
exec.entry @e inputs [#exec.binding<"x", tensor<4xf32>>] outputs [#exec.binding<"y", tensor<4xf32>>] {
^bb0(%x: !exec.buffer):
}

// -----

// expected-error @+1 {{'exec.entry' op takes buffers, not 'tensor<4xf32>'}}
exec.entry @e inputs [#exec.binding<"x", tensor<4xf32>>] outputs [] {
^bb0(%x: tensor<4xf32>):
}

// -----

// expected-error @+1 {{'exec.entry' op binds 'x' twice}}
exec.entry @e inputs [#exec.binding<"x", tensor<4xf32>>, #exec.binding<"x", tensor<8xf32>>] outputs [] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
}

// -----

exec.entry @e arena 256 inputs [] outputs [] {
  // expected-error @+1 {{'exec.arena_buffer' op needs a positive size}}
  %0 = exec.arena_buffer 0
}

// -----

exec.entry @e arena 256 inputs [] outputs [] {
  // expected-error @+1 {{'exec.arena_buffer' op needs a positive size}}
  %0 = exec.arena_buffer -16
}

// -----

exec.entry @e arena 256 inputs [] outputs [] {
  // expected-error @+1 {{'exec.arena_buffer' op has a negative offset}}
  %0 = exec.arena_buffer 16 at -16
}

// -----

exec.entry @e arena 256 inputs [] outputs [] {
  // expected-error @+1 {{'exec.arena_buffer' op ends at byte 257 of an arena of 256}}
  %0 = exec.arena_buffer 1 at 256
}

// -----

func.func @f() {
  // expected-error @+1 {{'exec.arena_buffer' op expects parent op 'exec.entry'}}
  %0 = exec.arena_buffer 16
  return
}

// -----

exec.entry @e inputs [] outputs [] {
  // expected-error @+1 {{'exec.weight_buffer' op refers to @w, which is no mj.weight or mj.prepare}}
  %0 = exec.weight_buffer @w
}

// -----

exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072
exec.entry @e inputs [] outputs [] {
  // expected-error @+1 {{'exec.weight_buffer' op refers to @kv, which is no mj.weight or mj.prepare}}
  %0 = exec.weight_buffer @kv
}

// -----

exec.entry @e inputs [] outputs [] {
  // expected-error @+1 {{'exec.pool_buffer' op refers to @kv, which is no exec.kv_pool}}
  %0 = exec.pool_buffer @kv at 0
}

// -----

exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072
exec.entry @e inputs [] outputs [] {
  // expected-error @+1 {{'exec.pool_buffer' op begins at byte 512 of a page, which is no layer of 1024 bytes among 3}}
  %0 = exec.pool_buffer @kv at 512
}

// -----

exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072
exec.entry @e inputs [] outputs [] {
  // expected-error @+1 {{'exec.pool_buffer' op begins at byte 3072 of a page, which is no layer of 1024 bytes among 3}}
  %0 = exec.pool_buffer @kv at 3072
}

// -----

exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072
exec.entry @e inputs [] outputs [] {
  // expected-error @+1 {{'exec.pool_buffer' op begins at byte -1024 of a page, which is no layer of 1024 bytes among 3}}
  %0 = exec.pool_buffer @kv at -1024
}

// -----

exec.entry @e inputs [] outputs [] {
  // expected-error @+1 {{'exec.launch' op refers to @k, which is no exec.kernel}}
  exec.launch @k()
}

// -----

exec.kernel @k schedule <"host.pointwise"> tiles 1 accesses [#exec.access<read>] {
^bb0(%x: tensor<4xf32>):
  exec.return
}
exec.entry @e inputs [] outputs [] {
  // expected-error @+1 {{'exec.launch' op gives 0 buffers to @k, which takes 1}}
  exec.launch @k()
}

// -----

exec.entry @e inputs [] outputs [] {
  %0 = exec.arena_buffer 16
  // expected-error @+1 {{'exec.copy' op needs a positive number of bytes}}
  exec.copy %0 to %0 bytes 0
}

// -----

exec.entry @e inputs [] outputs [] {
  %0 = exec.arena_buffer 16
  // expected-error @+1 {{'exec.copy' op needs a positive number of bytes}}
  exec.copy %0 to %0 bytes -1
}

// -----

// expected-error @+1 {{'exec.kv_pool' op needs a positive window, or none}}
exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072 window 0

// -----

// expected-error @+1 {{'exec.kernel' op states 2 accesses for a body of 3 operands}}
exec.kernel @k schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] scratch 64 {
^bb0(%x: tensor<4xf32>):
  exec.return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op reads operand 2 early, and has 2}}
exec.kernel @k schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] early [0, 2] {
^bb0(%x: tensor<4xf32>):
  exec.return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op needs a positive number of scratch bytes, or none}}
exec.kernel @k schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>, #exec.access<read_write>] scratch 0 {
^bb0(%x: tensor<4xf32>):
  exec.return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op states #exec.in_place<0 over 1>, which is no written operand over a read one}}
exec.kernel @k schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] in_place [#exec.in_place<0 over 1>] {
^bb0(%x: tensor<4xf32>):
  exec.return %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op states #exec.in_place<2 over 0>, which is no written operand over a read one}}
exec.kernel @k schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] in_place [#exec.in_place<2 over 0>] {
^bb0(%x: tensor<4xf32>):
  exec.return %x : tensor<4xf32>
}

// -----

exec.entry @itself inputs [] outputs [] {
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  // expected-error @+1 {{'exec.copy' op is step 0 and starts after [0]; these are earlier steps, in ascending order}}
  exec.copy %a to %b bytes 64 after [0]
}

// -----

exec.entry @descending inputs [] outputs [] {
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  exec.copy %a to %b bytes 64
  exec.copy %a to %b bytes 64
  // expected-error @+1 {{'exec.copy' op is step 2 and starts after [1, 0]; these are earlier steps, in ascending order}}
  exec.copy %a to %b bytes 64 after [1, 0]
}

// -----

exec.entry @negative inputs [] outputs [] {
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  // expected-error @+1 {{'exec.copy' op is step 0 and starts after [-1]; these are earlier steps, in ascending order}}
  exec.copy %a to %b bytes 64 after [-1]
}

// -----

exec.entry @e inputs [#exec.binding<"x", tensor<64xf32>>] outputs [#exec.binding<"y", tensor<64xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  // expected-error @+1 {{'exec.part' op is of no output of its entry}}
  %0 = exec.part %x at 0 bytes 64
}

// -----

exec.entry @e inputs [#exec.binding<"x", tensor<64xf32>>] outputs [#exec.binding<"y", tensor<64xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  // expected-error @+1 {{'exec.part' op is no part of output 'y', which has 256 bytes}}
  %0 = exec.part %y at 192 bytes 65
}

// -----

exec.entry @e inputs [#exec.binding<"x", tensor<64xf32>>] outputs [#exec.binding<"y", tensor<64xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  // expected-error @+1 {{'exec.part' op is no part of output 'y', which has 256 bytes}}
  %0 = exec.part %y at -64 bytes 64
}

// -----

exec.entry @e inputs [#exec.binding<"x", tensor<64xf32>>] outputs [#exec.binding<"y", tensor<64xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  // expected-error @+1 {{'exec.part' op begins at byte 32, not at a multiple of 64}}
  %0 = exec.part %y at 32 bytes 64
}

// -----

// expected-error @+1 {{a library's product needs the name of the library}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "", x = 0, weight = 1, result = 3, bias = 2> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error @+1 {{a library's product names operand 1; they are numbers from 0, each named once}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 3, bias = 1> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error @+1 {{a library's product needs x, weight and result}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = -1, result = 3> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error @+1 {{a library's product has the activation "silu"; there are}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 3, activation = "silu"> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error @+1 {{a library's product has an alpha of type 'f64', which is f32}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 3, alpha = 1.0 : f64> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op gives operand 2 to "cublaslt" as the result, which it is not}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 2, transpose_weight = true> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op gives operand 7 to "cublaslt" as a tensor, which it is not}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 3, bias = 7, transpose_weight = true> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op has 4 operands and gives 3 to "cublaslt"}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 3, transpose_weight = true> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op gives 'tensor<4x8xf32>' and 'tensor<3x8xf32>' to "cublaslt" for 'tensor<4x3xf32>', which is not their product}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 3, bias = 2> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<3xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op gives "cublaslt" a bias, a scale or a residual of another size than a column each, one number and the result}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 3, bias = 2, transpose_weight = true> {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>, %b: tensor<4xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}

// -----

// expected-error@+1 {{is 'tensor<?xf32>'; a state is a tensor of a static shape}}
exec.state @x : tensor<?xf32>

// -----

exec.entry @main inputs [] outputs [] {
  // expected-error@+1 {{refers to @x, which is no exec.state}}
  %x = exec.state_buffer @x
}

// -----

// expected-error @+2 {{a tensor map is of operand -1; they are numbers from 0}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = -1, rows = 16, columns = 64, box_rows = 8, box_columns = 64>] {
^bb0(%x: tensor<16x64xbf16>):
  exec.return %x : tensor<16x64xbf16>
}

// -----

// expected-error @+2 {{a tensor map has 0 rows of 64; there are 1 to 2^32 of each}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 0, rows = 0, columns = 64, box_rows = 8, box_columns = 64>] {
^bb0(%x: tensor<16x64xbf16>):
  exec.return %x : tensor<16x64xbf16>
}

// -----

// expected-error @+2 {{a tensor map has 16 rows of 4294967297; there are 1 to 2^32 of each}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 0, rows = 16, columns = 4294967297, box_rows = 8, box_columns = 64>] {
^bb0(%x: tensor<16x64xbf16>):
  exec.return %x : tensor<16x64xbf16>
}

// -----

// expected-error @+2 {{a tensor map has boxes of 257 rows of 64; there are 1 to 256 of each}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 0, rows = 16, columns = 64, box_rows = 257, box_columns = 64>] {
^bb0(%x: tensor<16x64xbf16>):
  exec.return %x : tensor<16x64xbf16>
}

// -----

// expected-error @+2 {{a tensor map has boxes of 8 rows of 0; there are 1 to 256 of each}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 0, rows = 16, columns = 64, box_rows = 8, box_columns = 0>] {
^bb0(%x: tensor<16x64xbf16>):
  exec.return %x : tensor<16x64xbf16>
}

// -----

// expected-error @+1 {{'exec.kernel' op has a tensor map of operand 2, which is no tensor argument or result}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 2, rows = 16, columns = 64, box_rows = 8, box_columns = 64>] {
^bb0(%x: tensor<16x64xbf16>):
  exec.return %x : tensor<16x64xbf16>
}

// -----

// expected-error @+1 {{'exec.kernel' op has a tensor map of 'tensor<16x64xi32>'; elements of one are f32, f16, bf16, f8E4M3FN or i8}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 0, rows = 16, columns = 64, box_rows = 8, box_columns = 32>] {
^bb0(%x: tensor<16x64xi32>):
  exec.return %x : tensor<16x64xi32>
}

// -----

// expected-error @+1 {{'exec.kernel' op has a tensor map of 17 rows of 64 over 'tensor<16x64xbf16>', which is smaller}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 1, rows = 17, columns = 64, box_rows = 8, box_columns = 64>] {
^bb0(%x: tensor<16x64xbf16>):
  exec.return %x : tensor<16x64xbf16>
}

// -----

// expected-error @+1 {{'exec.kernel' op has a tensor map of rows of 24 bytes; they are multiples of 16}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 0, rows = 16, columns = 12, box_rows = 8, box_columns = 8>] {
^bb0(%x: tensor<16x64xbf16>):
  exec.return %x : tensor<16x64xbf16>
}

// -----

// expected-error @+1 {{'exec.kernel' op has a tensor map whose boxes have rows of 24 bytes; they are multiples of 16 up to 128}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 0, rows = 16, columns = 64, box_rows = 8, box_columns = 12>] {
^bb0(%x: tensor<16x64xbf16>):
  exec.return %x : tensor<16x64xbf16>
}

// -----

// expected-error @+1 {{'exec.kernel' op has a tensor map whose boxes have rows of 256 bytes; they are multiples of 16 up to 128}}
exec.kernel @k schedule <"cuda.large_matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] tensor_maps [
    #exec.tensor_map<operand = 0, rows = 16, columns = 64, box_rows = 8, box_columns = 64>] {
^bb0(%x: tensor<16x64xf32>):
  exec.return %x : tensor<16x64xf32>
}

// -----

// expected-error @+1 {{'exec.kernel' op has a tensor map of operand 0, which is no tensor argument or result}}
exec.kernel @k schedule <"cuda.pointwise"> tiles 1 accesses [#exec.access<read>] tensor_maps [
    #exec.tensor_map<operand = 0, rows = 16, columns = 64, box_rows = 8, box_columns = 64>] {
^bb0(%kv: !mj.kv<3 x 2 x 8 x bf16>):
  exec.return %kv : !mj.kv<3 x 2 x 8 x bf16>
}

// -----

// expected-error @+1 {{'exec.kernel' op has tensor maps and is a call of "cublaslt", which takes none}}
exec.kernel @k schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 2, transpose_weight = true>
    tensor_maps [#exec.tensor_map<operand = 0, rows = 4, columns = 8, box_rows = 4, box_columns = 8>] {
^bb0(%x: tensor<4x8xf32>, %w: tensor<3x8xf32>):
  %r = mj.matmul %x, %w {transpose_b} : tensor<4x8xf32>, tensor<3x8xf32> -> tensor<4x3xf32>
  exec.return %r : tensor<4x3xf32>
}
