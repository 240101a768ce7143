// Vectors of which only some lanes are in memory, and what is quickest with the instructions for masks.
#pragma once

#ifdef __SSE4_2__
#include <immintrin.h>
#endif

#include "kernels/simd_types.h"

namespace unrolled::UNROLLED_LEVEL {

// The lanes first <= i < last from p[i], `fill` in the others, whose memory is not touched. Bounds outside
// 0 .. kWidth mean the nearest that is inside.
template <class Real>
UNROLLED_INLINE Vec<Real> load_between(const Real* p, int64_t first, int64_t last, Real fill);
// p[i] = v[i] for i < count.
template <class Real>
UNROLLED_INLINE void store_partial(Real* p, int64_t count, Vec<Real> v);
// Whether any lane is a NaN.
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

// At most `count` lanes.
template <class Real>
UNROLLED_INLINE void store_some(Real* p, int64_t count, Vec<Real> v) {
  if (count >= kWidth<Real>) [[likely]] {
    store(p, v);
  } else {
    store_partial(p, count, v);
  }
}

}  // namespace unrolled::UNROLLED_LEVEL
