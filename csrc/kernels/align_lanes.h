// Lanes of the trellis: comparisons as bits, the skip arcs.
#pragma once

#include "kernels/simd_permute.h"

namespace unrolled::UNROLLED_LEVEL {

typedef Vec<float> Scores;
inline constexpr int64_t kPairs = kWidth<float>;  // pairs of a vector
// Bytes of the bits of one comparison.
inline constexpr int64_t kMaskBytes = kPairs < 8 ? 1 : kPairs / 8;

UNROLLED_INLINE Scores last_lane_first(Scores v) {
  return detail::rotate_lanes<static_cast<int>(kPairs) - 1>(v, detail::LaneIndices<float>{});
}

#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64

typedef __mmask16 SkipArcs;
typedef __mmask16 Bits;

// 0 where a label may be entered from the one before, else -inf.
UNROLLED_INLINE SkipArcs load_skip_arcs(const float* skip) {
  return _mm512_cmp_ps_mask(load(skip), Scores{}, _CMP_EQ_OQ);
}
UNROLLED_INLINE Bits greater(Scores a, Scores b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
UNROLLED_INLINE Bits skip_is_greater(SkipArcs arcs, Scores before, Scores best) {
  return _mm512_mask_cmp_ps_mask(arcs, before, best, _CMP_GT_OQ);
}
UNROLLED_INLINE Scores max_with_skip(SkipArcs arcs, Scores before, Scores best) {
  return _mm512_mask_max_ps(best, arcs, best, before);
}

#else

typedef Scores SkipArcs;
typedef uint8_t Bits;

UNROLLED_INLINE SkipArcs load_skip_arcs(const float* skip) { return load(skip); }

UNROLLED_INLINE Bits greater(Scores a, Scores b) {
#if defined(__AVX2__) && UNROLLED_VECTOR_BYTES == 32
  return static_cast<Bits>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)));
#elif defined(__SSE4_2__)
  return static_cast<Bits>(_mm_movemask_ps(_mm_cmpgt_ps(a, b)));
#else
  int bits = 0;
  for (int i = 0; i < kPairs; ++i) bits |= (a[i] > b[i]) << i;
  return static_cast<Bits>(bits);
#endif
}
UNROLLED_INLINE Bits skip_is_greater(SkipArcs arcs, Scores before, Scores best) {
  return greater(before + arcs, best);
}
UNROLLED_INLINE Scores max_with_skip(SkipArcs arcs, Scores before, Scores best) {
  return max(before + arcs, best);
}

#endif

UNROLLED_INLINE void store_bits(uint8_t* p, Bits bits) { std::memcpy(p, &bits, kMaskBytes); }

}  // namespace unrolled::UNROLLED_LEVEL
