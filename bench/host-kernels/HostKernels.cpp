// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Speed of the host's kernels next to what the machine can do: memory read by a plain sum, and f32 FMAs in registers.
// Both ceilings are measured between the kernels, in the same run, on the same threads.
#include "targets/host/AttentionKernel.h"
#include "targets/host/MatmulKernel.h"
#include "targets/host/SampleKernel.h"
#include "test/unit/host/KernelRunner.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace mjolnir::host;
using namespace mjolnir::host::testing;

namespace {

/// Threads that wait spinning, as a runtime's would between the launches of a step.
class Pool {
public:
  explicit Pool(int threads) {
    for (int index = 1; index < threads; ++index)
      workers.emplace_back([this] { work(); });
  }
  ~Pool() {
    stopping = true;
    ++generation;
    for (std::thread &worker : workers)
      worker.join();
  }
  void run(int64_t tiles, const std::function<void(int64_t)> &body) {
    this->body = &body;
    this->tiles = tiles;
    next = 0;
    busy = static_cast<int>(workers.size());
    ++generation;
    drain();
    while (busy.load() != 0)
      ;
  }

private:
  void drain() {
    for (int64_t tile; (tile = next++) < tiles;)
      (*body)(tile);
  }
  void work() {
    for (uint64_t seen = 0;;) {
      while (generation.load() == seen)
        ;
      ++seen;
      if (stopping)
        return;
      drain();
      --busy;
    }
  }
  std::vector<std::thread> workers;
  std::atomic<uint64_t> generation = 0;
  std::atomic<int64_t> next = 0;
  std::atomic<int> busy = 0;
  std::atomic<bool> stopping = false;
  const std::function<void(int64_t)> *body = nullptr;
  int64_t tiles = 0;
};

double seconds(const std::function<void()> &body) {
  auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The machine at its best on both sides of a ratio: what other processes take away only ever adds time.
double best(const std::vector<double> &values) { return *std::max_element(values.begin(), values.end()); }

// Four streams a thread, as fast as any reader here: one stream alone leaves a third of the bandwidth unused.
__attribute__((noinline)) uint64_t sum(const uint64_t *data, int64_t count) {
  constexpr int streams = 4;
  uint64_t lanes[streams][8] = {};
  const int64_t length = count / streams;
  for (int64_t index = 0; index < length; index += 8)
    for (int stream = 0; stream < streams; ++stream)
      for (int lane = 0; lane < 8; ++lane)
        lanes[stream][lane] += data[stream * length + index + lane];
  uint64_t total = 0;
  for (auto &stream : lanes)
    for (uint64_t lane : stream)
      total += lane;
  return total;
}

volatile uint64_t sink;

#if defined(__x86_64__)
__attribute__((target("avx2,fma"), noinline)) void fmas(int64_t count) {
  __m256 a[12];
  for (__m256 &v : a)
    v = _mm256_set1_ps(1.0f);
  __m256 x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(0.25f);
  for (int64_t index = 0; index < count; ++index) {
    for (__m256 &v : a)
      v = _mm256_fmadd_ps(v, x, y);
    asm volatile("" : "+x"(x), "+x"(y));
  }
  float out[8];
  __m256 total = a[0];
  for (__m256 v : a)
    total = _mm256_add_ps(total, v);
  _mm256_storeu_ps(out, total);
  sink = static_cast<uint64_t>(out[0]);
}
#endif

constexpr int64_t kRotateBytes = 512 << 20;

struct Bench {
  Pool pool_;
  int threads;
  std::vector<uint64_t> memory;
  HostTarget target;

  Bench(int threads, HostTarget target)
      : pool_(threads), threads(threads), memory(kRotateBytes / 8, 1), target(std::move(target)) {}

  double readCeiling() { // GB/s
    constexpr int64_t chunk = 128 << 10;
    const std::function<void(int64_t)> body = [&](int64_t tile) {
      sink = sum(memory.data() + tile * chunk / 8, chunk / 8);
    };
    return kRotateBytes / 1e9 / seconds([&] { pool_.run(kRotateBytes / chunk, body); });
  }

  double fmaCeiling() { // GFLOP/s
#if defined(__x86_64__)
    constexpr int64_t count = 1 << 16;
    const std::function<void(int64_t)> body = [&](int64_t) { fmas(count); };
    return 64 * count * 12 * 16 / 1e9 / seconds([&] { pool_.run(64, body); });
#else
    return 0;
#endif
  }

  void matmul(int64_t m, int64_t n, int64_t kk, Element element, bool rotate) {
    MatmulConfig config;
    config.m = m, config.n = n, config.k = kk;
    config.x = config.weight = config.y = element;
    KernelModule kernels;
    if (mlir::failed(emitMatmul(kernels.builder, *kernels.module, "matmul", config, target)))
      std::exit(1);
    std::unique_ptr<KernelLibrary> library;
    double compile = seconds([&] { library = kernels.compile(target); });
    if (!library)
      std::exit(1);
    KernelFn kernel = library->symbol("matmul");
    int64_t bytes = MatmulEncoding{element}.packedBytes(n, kk);
    int64_t copies = rotate ? std::max<int64_t>(1, kRotateBytes / bytes) : 1;
    std::vector<Buffer> weights;
    for (int64_t copy = 0; copy < copies; ++copy) {
      weights.emplace_back(element, bytes / elementBytes(element));
      std::memset(weights.back().data(), 0, bytes);
    }
    Buffer x(element, m * kk), y(element, m * n);
    x.fill(1);
    int64_t tiles = matmulTiles(config, target);
    std::vector<double> times, reads, flops;
    void *operands[3] = {x.data(), nullptr, y.data()};
    const std::function<void(int64_t)> body = [&](int64_t tile) { kernel(operands, tile); };
    double flop = 2.0 * m * n * kk;
    int64_t repeat = rotate ? copies : std::max<int64_t>(1, static_cast<int64_t>(2e9 / flop));
    for (int round = 0; round < 9; ++round) {
      if (rotate)
        reads.push_back(readCeiling());
      else
        flops.push_back(fmaCeiling());
      times.push_back(-seconds([&] {
        for (int64_t index = 0; index < repeat; ++index) {
          operands[1] = weights[index % copies].data();
          pool_.run(tiles, body);
        }
      }) / repeat);
    }
    double time = -best(times);
    std::printf("matmul %5lld x %6lld x %5lld %s  %9.1f us  %6.2f GB/s", (long long)m, (long long)n, (long long)kk,
                element == Element::F32 ? "f32 " : "bf16", time * 1e6, bytes / 1e9 / time);
    if (rotate)
      std::printf(" (%5.1f%% of reading %5.2f)", 100 * bytes / 1e9 / time / best(reads), best(reads));
    else
      std::printf("  %6.1f GFLOP/s (%5.1f%% of %6.1f)", flop / 1e9 / time, 100 * flop / 1e9 / time / best(flops),
                  best(flops));
    std::printf("  %lld tiles, compiled in %.0f ms\n", (long long)tiles, compile * 1e3);
    std::fflush(stdout);
  }

  /// Compiles the one kernel "kernel" of a module, or stops.
  std::unique_ptr<KernelLibrary> compile(KernelModule &kernels, mlir::LogicalResult emitted, double &milliseconds) {
    std::unique_ptr<KernelLibrary> library;
    if (mlir::succeeded(emitted))
      milliseconds = 1e3 * seconds([&] { library = kernels.compile(target); });
    if (!library)
      std::exit(1);
    return library;
  }

  /// `rows` new tokens of one sequence whose context is then `context` long. Layers rotate, so that decode reads
  /// memory.
  void attention(int64_t rows, int64_t context, int64_t queryHeads, int64_t kvHeads, int64_t headDim) {
    AttentionConfig config;
    config.rows = rows, config.sequences = 1, config.queryHeads = queryHeads, config.kvHeads = kvHeads;
    config.headDim = headDim, config.pageSize = 16, config.scale = 0.1f;
    config.pages = (context + 15) / 16;
    const int64_t layerElements = 2 * kvHeads * config.pageSize * headDim;
    const int64_t layers = std::max<int64_t>(1, kRotateBytes / (config.pages * layerElements * 2));
    config.pageStride = layers * layerElements;
    KernelModule kernels;
    double compiled = 0;
    auto library =
        compile(kernels, mlir::LogicalResult(emitAttention(kernels.builder, *kernels.module, "kernel", config, target)),
                compiled);
    KernelFn kernel = library->symbol("kernel");
    Buffer q(Element::BF16, rows * queryHeads * headDim), out(Element::BF16, q.count);
    q.fill(1);
    Buffer pool(Element::BF16, config.pages * config.pageStride);
    std::memset(pool.data(), 0, pool.count * 2);
    std::vector<int32_t> offsets = {0, static_cast<int32_t>(rows)}, contexts = {static_cast<int32_t>(context)}, table;
    for (int64_t page = 0; page < config.pages; ++page)
      table.push_back(static_cast<int32_t>(page));
    void *operands[] = {q.data(), nullptr, offsets.data(), contexts.data(), table.data(), out.data()};
    int64_t tiles = attentionTiles(config, target);
    const std::function<void(int64_t)> body = [&](int64_t tile) { kernel(operands, tile); };
    double bytes = 2.0 * 2 * kvHeads * headDim * context;
    double flop = 4.0 * queryHeads * headDim * (rows * (context - rows) + rows * (rows + 1) / 2.0);
    int64_t repeat = std::max<int64_t>(1, std::min<int64_t>(layers, static_cast<int64_t>(1e9 / flop)));
    std::vector<double> times, reads, flops;
    for (int round = 0; round < 9; ++round) {
      reads.push_back(readCeiling());
      flops.push_back(fmaCeiling());
      times.push_back(-seconds([&] {
        for (int64_t index = 0; index < repeat; ++index) {
          operands[1] = static_cast<uint16_t *>(pool.data()) + index % layers * layerElements;
          pool_.run(tiles, body);
        }
      }) / repeat);
    }
    double time = -best(times);
    std::printf(
        "attention %4lld rows, context %5lld, %lld/%lld heads of %lld  %9.1f us  %5.1f GB/s (%5.1f%% of reading)  "
        "%6.1f GFLOP/s (%5.1f%%)  %lld tiles, compiled in %.0f ms\n",
        (long long)rows, (long long)context, (long long)queryHeads, (long long)kvHeads, (long long)headDim, time * 1e6,
        bytes / 1e9 / time, 100 * bytes / 1e9 / time / best(reads), flop / 1e9 / time,
        100 * flop / 1e9 / time / best(flops), (long long)tiles, compiled);
    std::fflush(stdout);
  }

  void sample(const char *name, float temperature, int32_t topK, float topP) {
    const int64_t vocabulary = 151936;
    KernelModule kernels;
    double compiled = 0;
    auto library = compile(
        kernels, mlir::LogicalResult(emitSample(kernels.builder, *kernels.module, "kernel", {1, vocabulary}, target)),
        compiled);
    KernelFn kernel = library->symbol("kernel");
    Buffer logits(Element::F32, vocabulary);
    logits.fill(1, 10.0f);
    int64_t seed = 1;
    int32_t context = 5, next = 0;
    void *operands[] = {logits.data(), &temperature, &topK, &topP, &seed, &context, &next};
    std::vector<double> times;
    for (int round = 0; round < 9; ++round)
      times.push_back(-seconds([&] { kernel(operands, 0); }));
    std::printf("sample %lld logits, %-18s %9.1f us, compiled in %.0f ms\n", (long long)vocabulary, name,
                -best(times) * 1e6, compiled);
  }
};

} // namespace

int main(int argc, char **argv) {
  int threads = argc > 1 ? std::atoi(argv[1]) : static_cast<int>(std::thread::hardware_concurrency());
  auto target = HostTarget::parse(argc > 2 ? argv[2] : "host");
  if (mlir::failed(target))
    return 1;
  std::printf("%s, %d threads\n", target->cpu.c_str(), threads);
  Bench bench(threads, *target);
  std::string only = argc > 3 ? argv[3] : "decode prefill attention sample";
  if (only.find("decode") != std::string::npos) {
    for (int64_t m : {1, 2, 4, 8})
      for (auto [n, k] : {std::pair<int64_t, int64_t>{3072, 1024}, {1024, 3072}, {4096, 1024}})
        bench.matmul(m, n, k, Element::BF16, true);
    bench.matmul(1, 151936, 1024, Element::BF16, true);
    bench.matmul(1, 3072, 1024, Element::F32, true);
  }
  if (only.find("prefill") != std::string::npos) {
    for (int64_t m : {16, 32, 128, 512})
      for (auto [n, k] : {std::pair<int64_t, int64_t>{3072, 1024}, {1024, 3072}, {1024, 1024}})
        bench.matmul(m, n, k, Element::BF16, false);
    bench.matmul(128, 3072, 1024, Element::F32, false);
  }
  if (only.find("attention") != std::string::npos) {
    for (int64_t context : {128, 1024, 8192})
      bench.attention(1, context, 16, 8, 128);
    bench.attention(1, 1024, 32, 8, 128);
    bench.attention(1, 1024, 14, 2, 64);
    bench.attention(1, 1024, 8, 8, 64);
    for (int64_t rows : {128, 1024})
      bench.attention(rows, rows, 16, 8, 128);
    bench.attention(512, 512, 14, 2, 64);
  }
  if (only.find("sample") != std::string::npos) {
    bench.sample("greedy", 0, 0, 1);
    bench.sample("temperature", 1, 0, 1);
    bench.sample("top_k 50", 1, 50, 1);
    bench.sample("top_p 0.9", 1, 0, 0.9f);
    bench.sample("top_k and top_p", 1, 50, 0.9f);
  }
  return 0;
}
