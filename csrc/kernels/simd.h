// Vectors of the width this ISA level has, on the vector extensions of GCC and Clang.
#pragma once

#include <cstdint>
#include <cstring>

#ifndef UNROLLED_LEVEL
#error "kernels are compiled once per ISA level: UNROLLED_LEVEL must name it"
#endif

#define UNROLLED_INLINE inline __attribute__((always_inline))

namespace unrolled::UNROLLED_LEVEL {

template <class Real>
struct Lanes;

template <>
struct Lanes<float> {
  typedef float type __attribute__((vector_size(UNROLLED_VECTOR_BYTES)));
  typedef int32_t integer __attribute__((vector_size(UNROLLED_VECTOR_BYTES)));
};

template <>
struct Lanes<double> {
  typedef double type __attribute__((vector_size(UNROLLED_VECTOR_BYTES)));
  typedef int64_t integer __attribute__((vector_size(UNROLLED_VECTOR_BYTES)));
};

template <class Real>
using Vec = typename Lanes<Real>::type;
// Comparisons give an integer vector: all ones where true.
template <class Real>
using IntVec = typename Lanes<Real>::integer;

template <class Real>
inline constexpr int64_t kWidth = UNROLLED_VECTOR_BYTES / static_cast<int64_t>(sizeof(Real));

template <class Real>
UNROLLED_INLINE Vec<Real> load(const Real* p) {
  Vec<Real> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

template <class Real>
UNROLLED_INLINE void store(Real* p, Vec<Real> v) {
  std::memcpy(p, &v, sizeof v);
}

template <class Real>
UNROLLED_INLINE Vec<Real> broadcast(Real x) {
  return x - Vec<Real>{};  // x - 0 is x for every x, -0 too
}

// The first `count` lanes from memory, `fill` in the others.
template <class Real>
UNROLLED_INLINE Vec<Real> load_partial(const Real* p, int64_t count, Real fill) {
  Vec<Real> v = broadcast<Real>(fill);
  for (int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
}

template <class Real>
UNROLLED_INLINE void store_partial(Real* p, int64_t count, Vec<Real> v) {
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}

template <class V>
UNROLLED_INLINE V max(V a, V b) {
  return a > b ? a : b;
}

// Lanes are added in a fixed tree, so that a sum never depends on anything but its terms.
template <class Real>
UNROLLED_INLINE Real sum_lanes(Vec<Real> v) {
  Real lanes[kWidth<Real>];
  std::memcpy(lanes, &v, sizeof v);
  for (int64_t half = kWidth<Real> / 2; half > 0; half /= 2) {
    for (int64_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

template <class Real>
UNROLLED_INLINE Real max_lanes(Vec<Real> v) {
  Real best = v[0];
  for (int64_t i = 1; i < kWidth<Real>; ++i) best = v[i] > best ? v[i] : best;
  return best;
}

namespace detail {

template <int... I>
struct Indices {};
template <int N, int... I>
struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I>
struct MakeIndices<0, I...> {
  typedef Indices<I...> type;
};
template <class Real>
using LaneIndices = typename MakeIndices<static_cast<int>(kWidth<Real>)>::type;

template <class V, int... I>
UNROLLED_INLINE V even_lanes(V a, V b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (2 * I)...);
}
template <class V, int... I>
UNROLLED_INLINE V odd_lanes(V a, V b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (2 * I + 1)...);
}
template <int kFirst, class V, int... I>
UNROLLED_INLINE V zip_lanes(V a, V b, Indices<I...>) {
  constexpr int W = sizeof...(I);
  return __builtin_shufflevector(a, b, ((kFirst + I) / 2 + (I % 2 == 0 ? 0 : W))...);
}

}  // namespace detail

// Of the 2 W values a, b in memory order: those at even places, those at odd places.
template <class Real>
UNROLLED_INLINE Vec<Real> even(Vec<Real> a, Vec<Real> b) {
  return detail::even_lanes(a, b, detail::LaneIndices<Real>{});
}
template <class Real>
UNROLLED_INLINE Vec<Real> odd(Vec<Real> a, Vec<Real> b) {
  return detail::odd_lanes(a, b, detail::LaneIndices<Real>{});
}

// The transpose of W rows: column i of what row(0) .. row(W - 1) give goes to to[i * stride]. Each round of
// zips moves every element halfway to its place, as a perfect shuffle does with cards.
template <class Real, class Row>
UNROLLED_INLINE void transpose_block(Row row, Real* to, int64_t stride) {
  constexpr int W = static_cast<int>(kWidth<Real>);
  Vec<Real> rows[W], zipped[W];
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) rows[i] = row(i);
#pragma GCC unroll 4
  for (int round = 1; round < W; round *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < W / 2; ++i) {
      zipped[2 * i] = detail::zip_lanes<0>(rows[i], rows[i + W / 2], detail::LaneIndices<Real>{});
      zipped[2 * i + 1] = detail::zip_lanes<W>(rows[i], rows[i + W / 2], detail::LaneIndices<Real>{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) rows[i] = zipped[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) store(to + i * stride, rows[i]);
}

// 2 W values a[0], b[0], a[1], b[1], ... to memory.
template <class Real>
UNROLLED_INLINE void store_zipped(Real* p, Vec<Real> a, Vec<Real> b) {
  store(p, detail::zip_lanes<0>(a, b, detail::LaneIndices<Real>{}));
  store(p + kWidth<Real>,
        detail::zip_lanes<static_cast<int>(kWidth<Real>)>(a, b, detail::LaneIndices<Real>{}));
}

// y[i] = f(x[i]) for i < n, whole vectors first; `f` maps one vector to one vector.
template <class Real, class F>
UNROLLED_INLINE void map(int64_t n, const Real* x, Real* y, F f) {
  constexpr int64_t W = kWidth<Real>;
  int64_t i = 0;
  for (; i + W <= n; i += W) store(y + i, f(load(x + i)));
  if (i < n) store_partial(y + i, n - i, f(load_partial(x + i, n - i, Real(0))));
}

// z[i] = f(x[i], y[i]) for i < n.
template <class Real, class F>
UNROLLED_INLINE void map2(int64_t n, const Real* x, const Real* y, Real* z, F f) {
  constexpr int64_t W = kWidth<Real>;
  int64_t i = 0;
  for (; i + W <= n; i += W) store(z + i, f(load(x + i), load(y + i)));
  if (i < n) {
    const int64_t m = n - i;
    store_partial(z + i, m, f(load_partial(x + i, m, Real(0)), load_partial(y + i, m, Real(0))));
  }
}

// Sum of f(x[i]) in double: lanes of Real over short blocks, blocks in double, in a fixed order.
template <class Real, class F>
UNROLLED_INLINE double sum_mapped(int64_t n, F f) {
  constexpr int64_t W = kWidth<Real>, kBlock = 64 * W;
  double total = 0;
  int64_t i = 0;
  while (i + W <= n) {
    const int64_t end = i + kBlock < n ? i + kBlock : n;
    Vec<Real> a = {}, b = {};
    for (; i + 2 * W <= end; i += 2 * W) {
      a += f(i, W);
      b += f(i + W, W);
    }
    for (; i + W <= end; i += W) a += f(i, W);
    total += static_cast<double>(sum_lanes<Real>(a + b));
  }
  if (i < n) total += static_cast<double>(sum_lanes<Real>(f(i, n - i)));
  return total;
}

// `count` lanes from memory, zero in the others; the compiler drops the test where count is the width.
template <class Real>
UNROLLED_INLINE Vec<Real> load_or_zero(const Real* p, int64_t count) {
  return count == kWidth<Real> ? load(p) : load_partial(p, count, Real(0));
}

// The largest of n values; -inf for none.
template <class Real>
UNROLLED_INLINE Real largest(int64_t n, const Real* x) {
  constexpr Real kLeast = -static_cast<Real>(__builtin_huge_val());
  Vec<Real> best = broadcast<Real>(kLeast);
  int64_t i = 0;
  for (; i + kWidth<Real> <= n; i += kWidth<Real>) best = max(best, load(x + i));
  if (i < n) best = max(best, load_partial(x + i, n - i, kLeast));
  return max_lanes<Real>(best);
}

}  // namespace unrolled::UNROLLED_LEVEL
