#include "kernels/ctc_emissions.h"

#include "kernels/class_lookup.h"
#include "kernels/math.h"
#include "kernels/simd_scale.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

typedef Vec<float> V;
typedef IntVec<float> I;

constexpr int64_t W = kWidth<float>;
// In floats: a cache line, how far ahead one is fetched, and the longest row for which that is a gain.
constexpr int64_t kLine = 16, kAhead = 1024, kShortRow = 512;

// exp for results within the normal range of a float: what is smaller becomes 0. Half as many operations as
// math.h takes for every case; at most 2 ulp. The polynomial is Taylor's of degree 7 less the Chebyshev
// polynomial of that degree on |r| <= ln(2) / 2, which leaves degree 6 and 2e-9 (economisation, Lanczos
// 1938).
UNROLLED_INLINE V exp_normal(V x) {
  using M = MathConstants<float>;
  constexpr float kLog2E = 1.44269504f, kHighest = 88.8f, kLowest = -104.0f;
  constexpr double a2 = 0.120113253479, kTerm7 = 1.0 / 5040;  // (ln(2) / 2)^2
  constexpr float c6 = 1.0f / 720, c5 = static_cast<float>(1.0 / 120 + 1.75 * a2 * kTerm7), c4 = 1.0f / 24,
                  c3 = static_cast<float>(1.0 / 6 - 0.875 * a2 * a2 * kTerm7);
  x = x > kHighest ? broadcast(kHighest) : x;
  x = x < kLowest ? broadcast(kLowest) : x;
  const V n = (x * kLog2E + M::kRound) - M::kRound;
  const V r = (x - n * M::kLn2Hi) - n * M::kLn2Lo;
  const V p = (((c6 * r + c5) * r + c4) * r + c3) * r + 0.5f;
  return scale_by_power((p * r + 1.0f) * r + 1.0f, n);
}

void exp_all(int64_t count, const float* x, float* y) {
  map<float>(count, x, y, [](V v) { return exp_normal(v); });
}

// Four sums side by side: a row of 5,000 classes would lose digits, and time, in one.
// What comes 4 KB later is fetched now: rows are short, and each item starts cold.
void exp_rows(int64_t n, int64_t C, const float* x, float* y, float* sums) {
  for (int64_t t = 0; t < n; ++t, x += C, y += C) {
    V sum[4] = {};
    int64_t c = 0;
    for (int64_t i = 0; i < C && C <= kShortRow; i += kLine) {
      prefetch(reinterpret_cast<uintptr_t>(x) + (kAhead + i) * sizeof(float));
      prefetch(reinterpret_cast<uintptr_t>(y) + (kAhead + i) * sizeof(float));
    }
    for (; c + 4 * W <= C; c += 4 * W) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        const V e = exp_normal(load(x + c + k * W));
        store(y + c + k * W, e);
        sum[k] += e;
      }
    }
    for (; c + W <= C; c += W) {
      const V e = exp_normal(load(x + c));
      store(y + c, e);
      sum[0] += e;
    }
    if (c < C) {
      const V e = exp_normal(load_partial(x + c, C - c, -static_cast<float>(__builtin_huge_val())));
      store_partial(y + c, C - c, e);
      sum[1] += e;
    }
    sums[t] = sum_lanes<float>((sum[0] + sum[1]) + (sum[2] + sum[3]));
  }
}

CtcEmissionKernels::Softmax exp_below_top(int64_t C, const float* x, float* y) {
  const float top = largest<float>(C, x);
  map<float>(C, x, y, [=](V v) { return exp_normal(v - top); });
  return {top, static_cast<float>(sum_mapped<float>(
                   C, [=](int64_t i, int64_t count) { return load_or_zero<float>(y + i, count); }))};
}

void scale_row(int64_t C, float factor, float* y) {
  map<float>(C, y, y, [=](V v) { return v * factor; });
}

float column_stats(int64_t n, int64_t C, int64_t stride, const float* rows, float* least, float* total) {
  V most = {};
  for (int64_t c = 0; c < C; c += W) {
    const int64_t count = C - c < W ? C - c : W;
    V lowest = load_or_zero<float>(least + c, count), sum = {};
    for (int64_t t = 0; t < n; ++t) {
      const V v = load_or_zero<float>(rows + t * stride + c, count);
      lowest = v < lowest ? v : lowest;
      most = max(v, most);
      sum += v;
    }
    store_some(least + c, count, lowest);
    store_some(total + c, count, load_or_zero<float>(total + c, count) + sum);
  }
  return max_lanes<float>(most);
}

// The lanes from `count` on replaced.
UNROLLED_INLINE V fill_from(int64_t count, V v, float fill) {
  return lanes_between<float>(0, count) ? v : broadcast(fill);
}

template <int kPairs>
void pick_pairs(int64_t n, int64_t C, const float* rows, int64_t count, int64_t width, const int32_t* index,
                float fill, float* to, int64_t to_stride) {
  for (int64_t t = 0; t < n; ++t, to += to_stride) {
    const ClassTable<kPairs> table(rows + t * C, C);
    int64_t i = 0;
    for (; i + W <= count; i += W) store(to + i, table.get(load_lanes(index + i)));
    for (; i < width; i += W) store(to + i, fill_from(count - i, table.get(load_lanes(index + i)), fill));
  }
}

void pick(int64_t n, int64_t C, const float* rows, int64_t count, int64_t width, const int32_t* index,
          float fill, float* to, int64_t to_stride) {
  with_table_pairs(
      C, [&]<int kPairs>() { pick_pairs<kPairs>(n, C, rows, count, width, index, fill, to, to_stride); });
}

void gather(int64_t n, int64_t C, const float* rows, int64_t count, int64_t width, const int32_t* index,
            float fill, float* to, int64_t to_stride) {
  for (int64_t t = 0; t < n; ++t, rows += C, to += to_stride) {
    for (int64_t i = 0; i < count; ++i) to[i] = rows[index[i]];
    for (int64_t i = count; i < width; ++i) to[i] = fill;
  }
}

}  // namespace

CtcEmissionKernels ctc_emission_kernels() {
  return {W, kMostTableClasses, exp_all, exp_rows, exp_below_top, scale_row, column_stats, pick, gather};
}

}  // namespace unrolled::UNROLLED_LEVEL
