// Numbers as mantissa times a power of two that is a float of its own: no range ends them.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

// v * 2^n for whole n <= 127; 0 where n is below the range of a float.
// (GCC 12 warns of the variants without a mask, PR 105593.)
UNROLLED_INLINE Vec<float> scale_by_power(Vec<float> v, Vec<float> n) {
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  return _mm512_maskz_scalef_ps(0xffff, v, n);
#else
  const Vec<float> least = broadcast(-127.0f);  // the bits of 2^-127 would be those of 0
  const IntVec<float> whole = __builtin_convertvector(n < least ? least : n, IntVec<float>);
  return v * (Vec<float>)((whole + 127) << 23);
#endif
}

// Of v > 0, m in [1, 2) and n with v = m 2^n.
UNROLLED_INLINE void split_power(Vec<float> v, Vec<float>& m, Vec<float>& n) {
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  n = _mm512_maskz_getexp_ps(0xffff, v);
  m = _mm512_maskz_getmant_ps(0xffff, v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
#else
  const auto bits = (IntVec<float>)v;
  n = __builtin_convertvector((bits >> 23) - 127, Vec<float>);
  m = (Vec<float>)((bits & 0x7fffff) | 0x3f800000);
#endif
}

}  // namespace unrolled::UNROLLED_LEVEL
