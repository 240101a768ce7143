// Vectors of small numbers that lie in memory as one byte each.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

// The first kWidth are in use.
typedef uint8_t Bytes __attribute__((vector_size(16)));

namespace detail {

template <int kSize>
struct Word;
template <>
struct Word<8> {
  typedef uint64_t type;
};
template <>
struct Word<4> {
  typedef uint32_t type;
};
template <>
struct Word<2> {
  typedef uint16_t type;
};

}  // namespace detail

// widen: bytes to lanes. narrow: lanes to bytes; those outside 0 .. 255 lose their upper bits.

// GCC 12 takes __builtin_convertvector between bytes and words apart into lanes; hence the intrinsics.
#if defined(__AVX512BW__) && UNROLLED_VECTOR_BYTES == 64

template <class Real>
UNROLLED_INLINE IntVec<Real> widen(Bytes bytes) {
  const auto b = reinterpret_cast<__m128i>(bytes);
  return reinterpret_cast<IntVec<Real>>(sizeof(Real) == 4 ? _mm512_maskz_cvtepu8_epi32(0xffff, b)
                                                          : _mm512_maskz_cvtepu8_epi64(0xff, b));
}

template <class Real>
UNROLLED_INLINE Bytes narrow(IntVec<Real> v) {
  const auto wide = reinterpret_cast<__m512i>(v);
  return reinterpret_cast<Bytes>(sizeof(Real) == 4 ? _mm512_maskz_cvtepi32_epi8(0xffff, wide)
                                                   : _mm512_maskz_cvtepi64_epi8(0xff, wide));
}

#elif defined(__AVX2__) && UNROLLED_VECTOR_BYTES == 32

template <class Real>
UNROLLED_INLINE IntVec<Real> widen(Bytes bytes) {
  const auto b = reinterpret_cast<__m128i>(bytes);
  return reinterpret_cast<IntVec<Real>>(sizeof(Real) == 4 ? _mm256_cvtepu8_epi32(b)
                                                          : _mm256_cvtepu8_epi64(b));
}

template <class Real>
UNROLLED_INLINE Bytes narrow(IntVec<Real> v) {
  const auto wide = reinterpret_cast<__m256i>(v);
  const __m256i order = sizeof(Real) == 4 ? _mm256_set1_epi32(0x0c080400) : _mm256_set1_epi16(0x0800);
  const __m256i shuffled = _mm256_shuffle_epi8(wide, order);
  const __m128i low = _mm256_castsi256_si128(shuffled), high = _mm256_extracti128_si256(shuffled, 1);
  return reinterpret_cast<Bytes>(sizeof(Real) == 4 ? _mm_unpacklo_epi32(low, high)
                                                   : _mm_unpacklo_epi16(low, high));
}

#elif defined(__SSE4_2__)

template <class Real>
UNROLLED_INLINE IntVec<Real> widen(Bytes bytes) {
  const auto b = reinterpret_cast<__m128i>(bytes);
  return reinterpret_cast<IntVec<Real>>(sizeof(Real) == 4 ? _mm_cvtepu8_epi32(b) : _mm_cvtepu8_epi64(b));
}

template <class Real>
UNROLLED_INLINE Bytes narrow(IntVec<Real> v) {
  const __m128i order = sizeof(Real) == 4 ? _mm_set1_epi32(0x0c080400) : _mm_set1_epi16(0x0800);
  return reinterpret_cast<Bytes>(_mm_shuffle_epi8(reinterpret_cast<__m128i>(v), order));
}

#else

template <class Real>
UNROLLED_INLINE IntVec<Real> widen(Bytes bytes) {
  IntVec<Real> v;
  for (int i = 0; i < kWidth<Real>; ++i) v[i] = bytes[i];
  return v;
}

template <class Real>
UNROLLED_INLINE Bytes narrow(IntVec<Real> v) {
  Bytes bytes = {};
  for (int i = 0; i < kWidth<Real>; ++i) bytes[i] = static_cast<uint8_t>(v[i]);
  return bytes;
}

#endif

// kWidth bytes.
template <class Real>
UNROLLED_INLINE Bytes load_bytes(const uint8_t* p) {
  if constexpr (kWidth<Real> == sizeof(Bytes)) {
    Bytes bytes;
    std::memcpy(&bytes, p, sizeof bytes);
    return bytes;
  } else {  // by way of a register: a load of what two stores have made must wait for both
    typename detail::Word<static_cast<int>(kWidth<Real>)>::type word;
    std::memcpy(&word, p, sizeof word);
    typedef uint64_t Words __attribute__((vector_size(16)));
    return reinterpret_cast<Bytes>(Words{word, 0});
  }
}

// `bytes` may come from `narrow`.
template <class Real>
UNROLLED_INLINE void store_bytes(uint8_t* p, Bytes bytes) {
  std::memcpy(p, &bytes, kWidth<Real>);
}

// The first `count` lanes, fewer than all: the powers of two in `count`, largest first.
template <class Real>
UNROLLED_INLINE void store_bytes_partial(uint8_t* p, int64_t count, Bytes bytes) {
  uint64_t halves[2];
  std::memcpy(halves, &bytes, sizeof halves);
  uint64_t rest = halves[0];
  if (kWidth<Real> > 8 && count & 8) {
    std::memcpy(p, &rest, 8);
    p += 8;
    rest = halves[1];
  }
  if (kWidth<Real> > 4 && count & 4) {
    std::memcpy(p, &rest, 4);
    p += 4;
    rest >>= 32;
  }
  if (count & 2) {
    std::memcpy(p, &rest, 2);
    p += 2;
    rest >>= 16;
  }
  if (count & 1) *p = static_cast<uint8_t>(rest);
}

// One small number, 0 .. 255, for each lane, in the form that is quickest to compare and choose.
#if defined(__AVX512BW__) && UNROLLED_VECTOR_BYTES == 64

template <class Real>
using Places = Bytes;
template <class Real>
using PlaceNumber = uint8_t;

// Where `value` is greater, or a NaN with kNan, it replaces `best`, and `number` its place.
template <class Real, bool kNan>
UNROLLED_INLINE void keep_greater(Vec<Real> value, Places<Real> number, Vec<Real>& best,
                                  Places<Real>& place) {
  const auto numbers = reinterpret_cast<__m128i>(number), before = reinterpret_cast<__m128i>(place);
  if constexpr (sizeof(Real) == 4) {
    __mmask16 better = _mm512_cmp_ps_mask(value, best, _CMP_GT_OQ);
    if (kNan) better |= _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    best = kNan ? Vec<Real>(_mm512_mask_mov_ps(best, better, value)) : max(value, best);
    place = reinterpret_cast<Bytes>(_mm_mask_mov_epi8(before, better, numbers));
  } else {
    __mmask8 better = _mm512_cmp_pd_mask(value, best, _CMP_GT_OQ);
    if (kNan) better |= _mm512_cmp_pd_mask(value, value, _CMP_UNORD_Q);
    best = kNan ? Vec<Real>(_mm512_mask_mov_pd(best, better, value)) : max(value, best);
    place = reinterpret_cast<Bytes>(_mm_mask_mov_epi8(before, better, numbers));
  }
}

// `place` where `value` is positive, else `number`.
template <class Real>
UNROLLED_INLINE Places<Real> where_positive(Vec<Real> value, Places<Real> place, Places<Real> number) {
  const auto numbers = reinterpret_cast<__m128i>(number), places = reinterpret_cast<__m128i>(place);
  if constexpr (sizeof(Real) == 4) {
    const __mmask16 positive = _mm512_cmp_ps_mask(value, Vec<Real>{}, _CMP_GT_OQ);
    return reinterpret_cast<Bytes>(_mm_mask_mov_epi8(numbers, positive, places));
  } else {
    const __mmask8 positive = _mm512_cmp_pd_mask(value, Vec<Real>{}, _CMP_GT_OQ);
    return reinterpret_cast<Bytes>(_mm_mask_mov_epi8(numbers, positive, places));
  }
}

// `value` where `place` is `number`, else 0.
template <class Real>
UNROLLED_INLINE Vec<Real> where_equal(Places<Real> place, Places<Real> number, Vec<Real> value) {
  const __mmask16 equal =
      _mm_cmpeq_epi8_mask(reinterpret_cast<__m128i>(place), reinterpret_cast<__m128i>(number));
  if constexpr (sizeof(Real) == 4) {
    return _mm512_maskz_mov_ps(equal, value);
  } else {
    return _mm512_maskz_mov_pd(static_cast<__mmask8>(equal), value);
  }
}

template <class Real>
UNROLLED_INLINE Bytes bytes_of(Places<Real> place) {
  return place;
}
template <class Real>
UNROLLED_INLINE Places<Real> places_of(Bytes bytes) {
  return bytes;
}
template <class Real>
UNROLLED_INLINE Places<Real> sorted_places(Places<Real> place) {
  return place;  // `even_unsorted` and `odd_unsorted` keep the order here
}

#else

template <class Real>
using Places = IntVec<Real>;
template <class Real>
using PlaceNumber = int;

template <class Real, bool kNan>
UNROLLED_INLINE void keep_greater(Vec<Real> value, Places<Real> number, Vec<Real>& best,
                                  Places<Real>& place) {
  IntVec<Real> better = value > best;
  if (kNan) better |= value != value;
  best = better ? value : best;
  place = better ? number : place;
}

template <class Real>
UNROLLED_INLINE Places<Real> where_positive(Vec<Real> value, Places<Real> place, Places<Real> number) {
  return value > Real(0) ? place : number;
}

template <class Real>
UNROLLED_INLINE Vec<Real> where_equal(Places<Real> place, Places<Real> number, Vec<Real> value) {
  return place == number ? value : Vec<Real>{};
}

template <class Real>
UNROLLED_INLINE Bytes bytes_of(Places<Real> place) {
  return narrow<Real>(place);
}
template <class Real>
UNROLLED_INLINE Places<Real> places_of(Bytes bytes) {
  return widen<Real>(bytes);
}
template <class Real>
UNROLLED_INLINE Places<Real> sorted_places(Places<Real> place) {
  return sorted(place);
}

#endif

template <class Real>
UNROLLED_INLINE Places<Real> same_place(int64_t number) {
  return Places<Real>{} + static_cast<PlaceNumber<Real>>(number);
}

// number, number + 1, number, number + 1, ...
template <class Real>
UNROLLED_INLINE Places<Real> alternating_places(int64_t number) {
  Places<Real> place = same_place<Real>(number);
  for (int i = 1; i < kWidth<Real>; i += 2) place[i] += 1;
  return place;
}

// kWidth bytes, each twice in a row: the lower and the upper half.
template <class Real>
UNROLLED_INLINE void places_twice(Bytes b, Places<Real>& low, Places<Real>& high) {
  const Bytes twice = __builtin_shufflevector(b, b, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  low = places_of<Real>(twice);
  constexpr int W = kWidth<Real>;
  if constexpr (W == 16) {
    high = places_of<Real>(
        __builtin_shufflevector(b, b, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15));
  } else {
    high = places_of<Real>(__builtin_shufflevector(twice, twice, W, W + 1, W + 2, W + 3, W + 4, W + 5, W + 6,
                                                   W + 7, 0, 0, 0, 0, 0, 0, 0, 0));
  }
}

}  // namespace unrolled::UNROLLED_LEVEL
