// Operations on vectors of the width this ISA level has.
#pragma once

#include "kernels/simd_partial.h"
#include "kernels/simd_types.h"

namespace unrolled::UNROLLED_LEVEL {

// `v` in a register: the compiler may otherwise read it from memory again for every use.
template <class V>
UNROLLED_INLINE V keep(V v) {
#ifdef __SSE4_2__
  asm("" : "+v"(v));
#endif
  return v;
}

// Starts to bring the cache line of an address that will be read soon; any address may be given.
UNROLLED_INLINE void prefetch(uintptr_t address) {
  __builtin_prefetch(reinterpret_cast<const void*>(address));
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

// Every other lane of a, b, from kFirst on. AVX2 crosses its halves only within one vector: there the lanes
// are picked within the halves, and `sorted` puts the quarters in order.
template <int kFirst, class V, int... I>
UNROLLED_INLINE V alternate_lanes(V a, V b, Indices<I...>) {
  constexpr int W = sizeof...(I);
  if constexpr (W == 8 && UNROLLED_VECTOR_BYTES == 32) {
    return __builtin_shufflevector(a, b, kFirst, kFirst + 2, kFirst + 8, kFirst + 10, kFirst + 4, kFirst + 6,
                                   kFirst + 12, kFirst + 14);
  } else {
    return __builtin_shufflevector(a, b, (2 * I + kFirst)...);
  }
}
template <int kFirst, class V, int... I>
UNROLLED_INLINE V zip_lanes(V a, V b, Indices<I...>) {
  constexpr int W = sizeof...(I);
  return __builtin_shufflevector(a, b, ((kFirst + I) / 2 + (I % 2 == 0 ? 0 : W))...);
}

}  // namespace detail

// Of the 2 W values a, b in memory order: those at even places, those at odd places, both in one order that
// is quick to make and that `sorted` turns into that of memory.
template <class Real>
UNROLLED_INLINE Vec<Real> even_unsorted(Vec<Real> a, Vec<Real> b) {
  return detail::alternate_lanes<0>(a, b, detail::LaneIndices<Real>{});
}
template <class Real>
UNROLLED_INLINE Vec<Real> odd_unsorted(Vec<Real> a, Vec<Real> b) {
  return detail::alternate_lanes<1>(a, b, detail::LaneIndices<Real>{});
}
template <class V>
UNROLLED_INLINE V sorted(V v) {
  constexpr int W = sizeof v / sizeof v[0];
  if constexpr (W == 8 && UNROLLED_VECTOR_BYTES == 32) {
    return __builtin_shufflevector(v, v, 0, 1, 4, 5, 2, 3, 6, 7);
  } else {
    return v;
  }
}

// Of the 2 W values a, b in memory order: those at even places, those at odd places.
template <class Real>
UNROLLED_INLINE Vec<Real> even(Vec<Real> a, Vec<Real> b) {
  return sorted(even_unsorted<Real>(a, b));
}
template <class Real>
UNROLLED_INLINE Vec<Real> odd(Vec<Real> a, Vec<Real> b) {
  return sorted(odd_unsorted<Real>(a, b));
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

// a[0], b[0], a[1], b[1], ...: the first W of them and the last.
template <class Real>
UNROLLED_INLINE Vec<Real> zip_low(Vec<Real> a, Vec<Real> b) {
  return detail::zip_lanes<0>(a, b, detail::LaneIndices<Real>{});
}
template <class Real>
UNROLLED_INLINE Vec<Real> zip_high(Vec<Real> a, Vec<Real> b) {
  return detail::zip_lanes<static_cast<int>(kWidth<Real>)>(a, b, detail::LaneIndices<Real>{});
}

// 2 W values a[0], b[0], a[1], b[1], ... to memory.
template <class Real>
UNROLLED_INLINE void store_zipped(Real* p, Vec<Real> a, Vec<Real> b) {
  store(p, zip_low<Real>(a, b));
  store(p + kWidth<Real>, zip_high<Real>(a, b));
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

}  // namespace unrolled::UNROLLED_LEVEL
