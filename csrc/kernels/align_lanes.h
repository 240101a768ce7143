// Lanes of the trellis: comparisons as bits, the skip arcs.
#pragma once

#include "kernels/simd_permute.h"

namespace unrolled::UNROLLED_LEVEL {

typedef Vec<float> Scores;
inline constexpr int64_t kPairs = kWidth<float>;  // pairs of a vector
// Bytes of the bits of one comparison.
inline constexpr int64_t kMaskBytes = kPairs < 8 ? 1 : kPairs / 8;

namespace detail {

typedef float Quad __attribute__((vector_size(16)));

// p[at] of kCount columns, four values each, one after the other.
template <int kFirst, int kCount, int kStep>
UNROLLED_INLINE auto join_quads(const float* const* columns, int64_t at) {
  if constexpr (kCount == 1) {
    Quad quad;
    std::memcpy(&quad, columns[kFirst] + at, sizeof quad);
    return quad;
  } else {
    const auto low = join_quads<kFirst, kCount / 2, kStep>(columns, at);
    const auto high = join_quads<kFirst + kStep * kCount / 2, kCount / 2, kStep>(columns, at);
    if constexpr (kCount == 2) {
      return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
    } else {
      return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    }
  }
}

// In each quarter of four lanes: those that kA .. kD name of a (0 .. 3) and b (4 .. 7).
template <int kA, int kB, int kC, int kD, int... I>
UNROLLED_INLINE Scores pick_in_quads(Scores a, Scores b, Indices<I...>) {
  constexpr int kPick[4] = {kA, kB, kC, kD};
  constexpr int W = sizeof...(I);
  return __builtin_shufflevector(
      a, b, (kPick[I % 4] < 4 ? I / 4 * 4 + kPick[I % 4] : W + I / 4 * 4 + kPick[I % 4] - 4)...);
}
template <int kA, int kB, int kC, int kD>
UNROLLED_INLINE Scores pick_in_quads(Scores a, Scores b) {
  return pick_in_quads<kA, kB, kC, kD>(a, b, LaneIndices<float>{});
}

}  // namespace detail

// Frames at .. at + 3 of kPairs columns as rows. Quarters of registers come from memory where they belong, so
// that nothing has to cross from one to another.
UNROLLED_INLINE void transpose_four_frames(const float* const* columns, int64_t at, float* to,
                                           int64_t stride) {
  using namespace detail;
  constexpr int kQuads = static_cast<int>(kPairs) / 4;
  const Scores a = join_quads<0, kQuads, 4>(columns, at), b = join_quads<1, kQuads, 4>(columns, at),
               c = join_quads<2, kQuads, 4>(columns, at), d = join_quads<3, kQuads, 4>(columns, at);
  const Scores ab_low = pick_in_quads<0, 4, 1, 5>(a, b), ab_high = pick_in_quads<2, 6, 3, 7>(a, b),
               cd_low = pick_in_quads<0, 4, 1, 5>(c, d), cd_high = pick_in_quads<2, 6, 3, 7>(c, d);
  store(to, pick_in_quads<0, 1, 4, 5>(ab_low, cd_low));
  store(to + stride, pick_in_quads<2, 3, 6, 7>(ab_low, cd_low));
  store(to + 2 * stride, pick_in_quads<0, 1, 4, 5>(ab_high, cd_high));
  store(to + 3 * stride, pick_in_quads<2, 3, 6, 7>(ab_high, cd_high));
}

UNROLLED_INLINE Scores last_lane_first(Scores v) {
  return detail::rotate_lanes<static_cast<int>(kPairs) - 1>(v, detail::LaneIndices<float>{});
}

#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64

typedef __mmask16 SkipArcs;
typedef __mmask16 Bits;

UNROLLED_INLINE Bits greater(Scores a, Scores b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
// skip: 0 where a label may be entered from the one before.
UNROLLED_INLINE SkipArcs load_skip_arcs(const float* skip) {
  return _mm512_cmp_ps_mask(load(skip), Scores{}, _CMP_EQ_OQ);
}
UNROLLED_INLINE Scores choose(SkipArcs arcs, Scores with_skip, Scores without) {
  return _mm512_mask_blend_ps(arcs, without, with_skip);
}

#else

typedef IntVec<float> SkipArcs;
typedef uint8_t Bits;

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
UNROLLED_INLINE SkipArcs load_skip_arcs(const float* skip) { return load(skip) == 0.0f; }
UNROLLED_INLINE Scores choose(SkipArcs arcs, Scores with_skip, Scores without) {
  return arcs ? with_skip : without;
}

#endif

UNROLLED_INLINE void store_bits(uint8_t* p, Bits bits) { std::memcpy(p, &bits, kMaskBytes); }

}  // namespace unrolled::UNROLLED_LEVEL
