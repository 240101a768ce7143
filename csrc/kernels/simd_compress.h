// The lanes that a comparison picks, as bits, and picked lanes one behind the other in memory.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

// 32-bit numbers, as many as there are lanes of Real.
template <class Real>
struct LaneIndex {
  typedef int32_t type __attribute__((vector_size(4 * kWidth<Real>)));
};
template <class Real>
using IndexVec = typename LaneIndex<Real>::type;

template <class Real>
UNROLLED_INLINE IndexVec<Real> load_index(const int32_t* p) {
  IndexVec<Real> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class Real>
UNROLLED_INLINE void store_index(int32_t* p, IndexVec<Real> v) {
  std::memcpy(p, &v, sizeof v);
}
template <class Real>
UNROLLED_INLINE IndexVec<Real> lane_numbers(int32_t first) {
  IndexVec<Real> v;
  for (int32_t i = 0; i < kWidth<Real>; ++i) v[i] = first + i;
  return v;
}

// Bit i: a[i] >= b[i].
template <class Real>
UNROLLED_INLINE unsigned bits_at_least(Vec<Real> a, Vec<Real> b) {
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  if constexpr (sizeof(Real) == 4) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
  } else {
    return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ);
  }
#elif defined(__AVX2__) && UNROLLED_VECTOR_BYTES == 32
  if constexpr (sizeof(Real) == 4) {
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)));
  } else {
    return static_cast<unsigned>(_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_GE_OQ)));
  }
#else
  unsigned bits = 0;
  for (int i = 0; i < kWidth<Real>; ++i) bits |= static_cast<unsigned>(a[i] >= b[i]) << i;
  return bits;
#endif
}

// Bit i: a[i] < 0.
template <class Real>
UNROLLED_INLINE unsigned sign_bits(IndexVec<Real> a) {
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  if constexpr (sizeof(Real) == 4) {
    return _mm512_movepi32_mask((__m512i)a);
  } else {
    return _mm256_movepi32_mask((__m256i)a);
  }
#else
  unsigned bits = 0;
  for (int i = 0; i < kWidth<Real>; ++i) bits |= static_cast<unsigned>(a[i] < 0) << i;
  return bits;
#endif
}

// Lanes with a bit are numbered from `first`, the others are -1.
template <class Real>
UNROLLED_INLINE IndexVec<Real> ranks(unsigned bits, int32_t first) {
  const IndexVec<Real> numbers = lane_numbers<Real>(first);
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  if constexpr (sizeof(Real) == 4) {
    return (IndexVec<Real>)_mm512_mask_expand_epi32(_mm512_set1_epi32(-1), static_cast<__mmask16>(bits),
                                                    (__m512i)numbers);
  } else {
    return (IndexVec<Real>)_mm256_mask_expand_epi32(_mm256_set1_epi32(-1), static_cast<__mmask8>(bits),
                                                    (__m256i)numbers);
  }
#else
  IndexVec<Real> v;
  for (int i = 0; i < kWidth<Real>; ++i) {
    v[i] = (bits >> i) & 1 ? numbers[0] + __builtin_popcount(bits & ((1U << i) - 1)) : -1;
  }
  return v;
#endif
}

// to[0 ..] = the lanes of v that have a bit, in order; up to a whole vector of memory is written. Returns how
// many they are.
template <class Real>
UNROLLED_INLINE int64_t compress(Real* to, Vec<Real> v, unsigned bits);
template <class Real>
UNROLLED_INLINE int64_t compress(int32_t* to, IndexVec<Real> v, unsigned bits);

namespace detail {

template <int kLanes, class Number, class V>
UNROLLED_INLINE int64_t compress_one_by_one(Number* to, V v, unsigned bits) {
  int64_t count = 0;
  for (int i = 0; i < kLanes; ++i) {
    to[count] = v[i];
    count += (bits >> i) & 1;
  }
  return count;
}

#if defined(__AVX2__) && UNROLLED_VECTOR_BYTES == 32

// For each set of eight lanes their numbers in order, a byte each.
struct LaneOrders {
  uint64_t of[256];
  constexpr LaneOrders() : of() {
    for (unsigned bits = 0; bits < 256; ++bits) {
      int at = 0;
      for (unsigned lane = 0; lane < 8; ++lane) {
        if ((bits >> lane) & 1) of[bits] |= uint64_t{lane} << (8 * at++);
      }
    }
  }
};
inline constexpr LaneOrders kLaneOrders;

UNROLLED_INLINE __m256i lane_order(unsigned bits) {
  return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(kLaneOrders.of[bits])));
}

#endif

}  // namespace detail

template <class Real>
UNROLLED_INLINE int64_t compress(Real* to, Vec<Real> v, unsigned bits) {
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  if constexpr (sizeof(Real) == 4) {
    store<Real>(to, _mm512_maskz_compress_ps(static_cast<__mmask16>(bits), v));
  } else {
    store<Real>(to, _mm512_maskz_compress_pd(static_cast<__mmask8>(bits), v));
  }
  return __builtin_popcount(bits);
#else
#if defined(__AVX2__) && UNROLLED_VECTOR_BYTES == 32
  if constexpr (sizeof(Real) == 4) {
    store<Real>(to, _mm256_permutevar8x32_ps(v, detail::lane_order(bits)));
    return __builtin_popcount(bits);
  }
#endif
  return detail::compress_one_by_one<kWidth<Real> >(to, v, bits);
#endif
}

template <class Real>
UNROLLED_INLINE int64_t compress(int32_t* to, IndexVec<Real> v, unsigned bits) {
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  if constexpr (sizeof(Real) == 4) {
    store_index<Real>(to,
                      (IndexVec<Real>)_mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), (__m512i)v));
  } else {
    store_index<Real>(to,
                      (IndexVec<Real>)_mm256_maskz_compress_epi32(static_cast<__mmask8>(bits), (__m256i)v));
  }
  return __builtin_popcount(bits);
#else
#if defined(__AVX2__) && UNROLLED_VECTOR_BYTES == 32
  if constexpr (sizeof(Real) == 4) {
    store_index<Real>(to, (IndexVec<Real>)_mm256_permutevar8x32_epi32((__m256i)v, detail::lane_order(bits)));
    return __builtin_popcount(bits);
  }
#endif
  return detail::compress_one_by_one<kWidth<Real> >(to, v, bits);
#endif
}

}  // namespace unrolled::UNROLLED_LEVEL
