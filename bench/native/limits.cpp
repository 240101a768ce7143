#include "limits.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace unrolled_bench {
namespace {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
typedef float Vec __attribute__((vector_size(kBytes)));

constexpr int kRuns = 7;
constexpr int kChains = 12;  // more than latency times issue rate, fewer than the registers
constexpr long kSteps = 10'000'000;
constexpr std::size_t kTriadSize = std::size_t{1} << 24;  // of all threads together: three arrays of 64 MiB

using Clock = std::chrono::steady_clock;

// Seconds from the common start of all threads to the end of the last one, the best of some runs.
template <class Task>
double best_seconds(int threads, const Task& task) {
  std::vector<Clock::time_point> starts(static_cast<std::size_t>(threads)), ends(starts.size());
  double best = 1e30;
  for (int run = 0; run < kRuns; ++run) {
    std::barrier begin(threads);
    std::vector<std::thread> pool;
    for (std::size_t t = 0; t < starts.size(); ++t) {
      pool.emplace_back([&, t] {
        begin.arrive_and_wait();
        starts[t] = Clock::now();
        task(static_cast<int>(t));
        ends[t] = Clock::now();
      });
    }
    for (std::thread& thread : pool) thread.join();
    const std::chrono::duration<double> seconds =
        *std::max_element(ends.begin(), ends.end()) - *std::min_element(starts.begin(), starts.end());
    best = std::min(best, seconds.count());
  }
  return best;
}

void multiply_add_chains(float seed) {
  Vec sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = seed + static_cast<float>(i) - Vec{};
  const Vec factor = 0.999f - Vec{}, add = 0.001f - Vec{};
  for (long step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * factor + add;
  }
  float total = 0;
  for (const Vec& v : sum) total += v[0];
  volatile float sink = total;  // keeps the loop
  (void)sink;
}

}  // namespace

double multiply_add_peak(int threads) {
  const double seconds = best_seconds(threads, [](int t) { multiply_add_chains(static_cast<float>(t)); });
  const double flops = 2.0 * threads * kSteps * kChains * static_cast<double>(kBytes / sizeof(float));
  return flops / seconds / 1e9;
}

double triad_bandwidth(int threads) {
  const std::size_t run = kTriadSize / static_cast<std::size_t>(threads);
  const auto a = std::make_unique<float[]>(kTriadSize), b = std::make_unique<float[]>(kTriadSize),
             c = std::make_unique<float[]>(kTriadSize);  // zeroed: no page fault is timed
  float* const y = a.get();
  const float *const u = b.get(), *const v = c.get();
  const double seconds = best_seconds(threads, [=](int t) {
    const std::size_t begin = static_cast<std::size_t>(t) * run;
    for (std::size_t i = begin; i < begin + run; ++i) y[i] = u[i] + 3.0f * v[i];
  });
  volatile float sink = y[kTriadSize / 2];
  (void)sink;
  return 12.0 * static_cast<double>(run) * threads / seconds / 1e9;
}

}  // namespace unrolled_bench
