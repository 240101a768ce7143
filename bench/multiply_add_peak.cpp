// Prints the GFLOP/s of one thread in float32: independent multiply-adds in registers and nothing else.
#include <chrono>
#include <cstdio>

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
typedef float Vec __attribute__((vector_size(kBytes)));

constexpr int kChains = 12;  // more than latency times issue rate, fewer than the registers
constexpr long kSteps = 20'000'000;

double run(float seed) {
  Vec sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = seed + static_cast<float>(i) - Vec{};
  const Vec factor = 0.999f - Vec{}, add = 0.001f - Vec{};
  const auto start = std::chrono::steady_clock::now();
  for (long step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * factor + add;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  float total = 0;
  for (const Vec& v : sum) total += v[0];
  volatile float sink = total;  // keeps the loop
  (void)sink;
  return 2.0 * kSteps * kChains * (kBytes / sizeof(float)) / seconds.count() / 1e9;
}

int main() {
  double best = 0;
  for (int i = 0; i < 7; ++i) {
    const double rate = run(static_cast<float>(i));
    best = rate > best ? rate : best;
  }
  std::printf("%.1f\n", best);
}
