// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reads memory and does nothing else: what read bandwidth is measured with. read.ptx is made from it by
//   nvcc -ptx -arch=compute_75 (or NVRTC), with .version lowered to 7.0, of which it needs nothing later.

/// Reads `count` times 16 bytes, a multiple of four times all threads. `out` is written where the bytes add up to one
/// value, so that the loads cannot be left out.
extern "C" __global__ void read_memory(const uint4 *in, unsigned *out, unsigned long long count) {
  const unsigned long long threads = (unsigned long long)gridDim.x * blockDim.x;
  unsigned sum = 0;
  for (unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += 4 * threads) {
    uint4 part[4];
#pragma unroll
    for (int k = 0; k < 4; ++k)
      part[k] = __ldcs(in + i + k * threads);
#pragma unroll
    for (int k = 0; k < 4; ++k)
      sum += part[k].x ^ part[k].y ^ part[k].z ^ part[k].w;
  }
  if (sum == 0x9e3779b9u)
    *out = sum;
}
