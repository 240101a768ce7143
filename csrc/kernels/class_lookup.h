// The values of chosen classes out of one row of emissions, W at a time: a row of few classes lies in
// registers and is looked up in by permutes.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

UNROLLED_INLINE IntVec<float> load_lanes(const int32_t* p) {
  IntVec<float> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// a[index] for index < W, b[index - W] above: the bits beyond those of 2 W - 1 are not looked at.
UNROLLED_INLINE Vec<float> look_up_two(Vec<float> a, Vec<float> b, IntVec<float> index) {
#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64
  return _mm512_permutex2var_ps(a, (__m512i)index, b);
#elif defined(__AVX2__) && UNROLLED_VECTOR_BYTES == 32
  const auto i = (__m256i)index;
  const Vec<float> low = _mm256_permutevar8x32_ps(a, i), high = _mm256_permutevar8x32_ps(b, i);
  return _mm256_blendv_ps(low, high, (__m256)(index << 28));
#else
  Vec<float> v;
  for (int i = 0; i < kWidth<float>; ++i) {
    const int32_t at = index[i] & (2 * kWidth<float> - 1);
    v[i] = at < kWidth<float> ? a[at] : b[at - kWidth<float>];
  }
  return v;
#endif
}

namespace detail {

// table[index / W][index % W] of kPairs = 1, 2 or 4 pairs of vectors.
template <int kPairs>
UNROLLED_INLINE Vec<float> look_up(const Vec<float>* table, IntVec<float> index) {
  if constexpr (kPairs == 1) {
    return look_up_two(table[0], table[1], index);
  } else {
    const Vec<float> low = look_up<kPairs / 2>(table, index),
                     high = look_up<kPairs / 2>(table + kPairs, index);
    return (index & static_cast<int32_t>(kPairs * kWidth<float>)) != 0 ? high : low;
  }
}

}  // namespace detail

// One row of up to kPairs * 2 W classes, kPairs = 1, 2 or 4.
template <int kPairs>
class ClassTable {
 public:
  // Nothing is read beyond the row's C values.
  UNROLLED_INLINE ClassTable(const float* row, int64_t C) {
#pragma GCC unroll 8
    for (int k = 0; k < 2 * kPairs; ++k) {
      table_[k] = load_partial(row + k * kWidth<float>, C - k * kWidth<float>, 0.0f);
    }
  }
  // row[index[lane]] in each lane.
  UNROLLED_INLINE Vec<float> get(IntVec<float> index) const { return detail::look_up<kPairs>(table_, index); }

 private:
  Vec<float> table_[2 * kPairs];
};

inline constexpr int64_t kMostTableClasses = 8 * kWidth<float>;

// Calls f.template operator()<kPairs>() with the number of pairs that C <= kMostTableClasses classes need.
template <class F>
UNROLLED_INLINE void with_table_pairs(int64_t C, F f) {
  if (C <= 2 * kWidth<float>) {
    f.template operator()<1>();
  } else if (C <= 4 * kWidth<float>) {
    f.template operator()<2>();
  } else {
    f.template operator()<4>();
  }
}

}  // namespace unrolled::UNROLLED_LEVEL
