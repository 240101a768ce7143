// Stores past the caches: no line is read before it is written, and nothing useful is displaced. They are
// made in the loop that computes: a detour through a buffer stops the reads meanwhile, which costs as much
// again.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

// `p` is a multiple of the vector's size. Other threads see it after stream_fence().
template <class Real>
UNROLLED_INLINE void store_past(Real* p, Vec<Real> v) {
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), reinterpret_cast<__m512i>(v));
#elif defined(__AVX__) && UNROLLED_VECTOR_BYTES == 32
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), reinterpret_cast<__m256i>(v));
#elif defined(__SSE2__) && UNROLLED_VECTOR_BYTES == 16
  _mm_stream_si128(reinterpret_cast<__m128i*>(p), reinterpret_cast<__m128i>(v));
#else
  store(p, v);
#endif
}

UNROLLED_INLINE void stream_fence() {
#ifdef __SSE2__
  _mm_sfence();
#endif
}

inline constexpr int64_t kLineBytes = 64;

template <class Real>
UNROLLED_INLINE bool starts_line(const Real* p) {
  return reinterpret_cast<uintptr_t>(p) % kLineBytes == 0;
}

template <bool kPast, class Real>
UNROLLED_INLINE void store_or_past(Real* p, Vec<Real> v) {
  if constexpr (kPast) {
    store_past(p, v);
  } else {
    store(p, v);
  }
}

// z[i] = f(i, W) for whole vectors, then f(i, n - i): of a line's start z, two vectors at a time past the
// caches.
template <class Real, class F>
UNROLLED_INLINE void map_past(int64_t n, Real* z, F f) {
  constexpr int64_t W = kWidth<Real>;
  int64_t i = 0;
  for (; i + 2 * W <= n; i += 2 * W) {
    const Vec<Real> a = f(i, W), b = f(i + W, W);
    store_past(z + i, a);
    store_past(z + i + W, b);
  }
  for (; i + W <= n; i += W) store_past(z + i, f(i, W));
  if (i < n) store_partial(z + i, n - i, f(i, n - i));
}

}  // namespace unrolled::UNROLLED_LEVEL
