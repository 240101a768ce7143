// Vectors of the width this ISA level has, on the vector extensions of GCC and Clang.
#pragma once

#include <cstdint>
#include <cstring>
#ifdef __SSE4_2__
#include <immintrin.h>
#endif

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

// The lanes first <= i < last from p[i], `fill` in the others, whose memory is not touched. Bounds outside
// 0 .. kWidth mean the nearest that is inside.
template <class Real>
UNROLLED_INLINE Vec<Real> load_between(const Real* p, int64_t first, int64_t last, Real fill);
// p[i] = v[i] for i < count.
template <class Real>
UNROLLED_INLINE void store_partial(Real* p, int64_t count, Vec<Real> v);
template <class Real>
UNROLLED_INLINE bool has_nan(Vec<Real> v);

namespace detail {

template <class Real>
UNROLLED_INLINE int64_t clamp_lane(int64_t i) {
  return i < 0 ? 0 : i > kWidth<Real> ? kWidth<Real> : i;
}

}  // namespace detail

// All ones in the lanes first <= i < last.
template <class Real>
UNROLLED_INLINE IntVec<Real> lanes_between(int64_t first, int64_t last) {
  IntVec<Real> lane;
  for (int i = 0; i < kWidth<Real>; ++i) lane[i] = i;
  return (lane >= static_cast<int>(detail::clamp_lane<Real>(first))) &
         (lane < static_cast<int>(detail::clamp_lane<Real>(last)));
}

#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64

namespace detail {

template <class Real>
UNROLLED_INLINE unsigned lanes_below(int64_t i) {
  return (1U << clamp_lane<Real>(i)) - 1;
}

}  // namespace detail

template <class Real>
UNROLLED_INLINE Vec<Real> load_between(const Real* p, int64_t first, int64_t last, Real fill) {
  const unsigned lanes = detail::lanes_below<Real>(last) & ~detail::lanes_below<Real>(first);
  if constexpr (sizeof(Real) == 4) {
    return _mm512_mask_loadu_ps(broadcast<Real>(fill), static_cast<__mmask16>(lanes), p);
  } else {
    return _mm512_mask_loadu_pd(broadcast<Real>(fill), static_cast<__mmask8>(lanes), p);
  }
}

template <class Real>
UNROLLED_INLINE void store_partial(Real* p, int64_t count, Vec<Real> v) {
  const unsigned lanes = detail::lanes_below<Real>(count);
  if constexpr (sizeof(Real) == 4) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(lanes), v);
  } else {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(lanes), v);
  }
}

template <class Real>
UNROLLED_INLINE bool has_nan(Vec<Real> v) {
  if constexpr (sizeof(Real) == 4) {
    return _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) != 0;
  } else {
    return _mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q) != 0;
  }
}

#elif defined(__AVX2__) && UNROLLED_VECTOR_BYTES == 32

template <class Real>
UNROLLED_INLINE Vec<Real> load_between(const Real* p, int64_t first, int64_t last, Real fill) {
  const IntVec<Real> lanes = lanes_between<Real>(first, last);
  const auto mask = reinterpret_cast<__m256i>(lanes);
  if constexpr (sizeof(Real) == 4) {
    return lanes ? Vec<Real>(_mm256_maskload_ps(p, mask)) : broadcast(fill);
  } else {
    return lanes ? Vec<Real>(_mm256_maskload_pd(p, mask)) : broadcast(fill);
  }
}

template <class Real>
UNROLLED_INLINE void store_partial(Real* p, int64_t count, Vec<Real> v) {
  const auto lanes = reinterpret_cast<__m256i>(lanes_between<Real>(0, count));
  if constexpr (sizeof(Real) == 4) {
    _mm256_maskstore_ps(p, lanes, v);
  } else {
    _mm256_maskstore_pd(p, lanes, v);
  }
}

template <class Real>
UNROLLED_INLINE bool has_nan(Vec<Real> v) {
  if constexpr (sizeof(Real) == 4) {
    return _mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)) != 0;
  } else {
    return _mm256_movemask_pd(_mm256_cmp_pd(v, v, _CMP_UNORD_Q)) != 0;
  }
}

#else

template <class Real>
UNROLLED_INLINE Vec<Real> load_between(const Real* p, int64_t first, int64_t last, Real fill) {
  Vec<Real> v = broadcast<Real>(fill);
  const int64_t end = detail::clamp_lane<Real>(last);
  for (int64_t i = detail::clamp_lane<Real>(first); i < end; ++i) v[i] = p[i];
  return v;
}

template <class Real>
UNROLLED_INLINE void store_partial(Real* p, int64_t count, Vec<Real> v) {
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}

template <class Real>
UNROLLED_INLINE bool has_nan(Vec<Real> v) {
  const IntVec<Real> nan = v != v;
  int64_t halves[sizeof nan / sizeof(int64_t)], any = 0;
  std::memcpy(halves, &nan, sizeof nan);
  for (const int64_t half : halves) any |= half;
  return any != 0;
}

#endif

// The first `count` lanes from memory, `fill` in the others.
template <class Real>
UNROLLED_INLINE Vec<Real> load_partial(const Real* p, int64_t count, Real fill) {
  return load_between(p, 0, count, fill);
}

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

template <int kBy, class V, int... I>
UNROLLED_INLINE V rotate_lanes(V v, Indices<I...>) {
  return __builtin_shufflevector(v, v, ((I + kBy) % static_cast<int>(sizeof...(I)))...);
}
// Adds the upper half of `2 kHalf` lanes to the lower, and so on down to one.
template <int kHalf, class Real>
UNROLLED_INLINE Real fold_lanes(Vec<Real> v) {
  if constexpr (kHalf == 0) {
    return v[0];
  } else {
    return fold_lanes<kHalf / 2, Real>(v + rotate_lanes<kHalf>(v, LaneIndices<Real>{}));
  }
}

}  // namespace detail

// Lanes are added in a fixed tree, so that a sum never depends on anything but its terms.
template <class Real>
UNROLLED_INLINE Real sum_lanes(Vec<Real> v) {
  return detail::fold_lanes<static_cast<int>(kWidth<Real>) / 2, Real>(v);
}

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
