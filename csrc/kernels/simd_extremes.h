// The largest and the least lane, by halves: in turn they would wait for each other.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

namespace detail {

template <int kHalf, class Real>
UNROLLED_INLINE Real fold_max(Vec<Real> v) {
  if constexpr (kHalf == 0) {
    return v[0];
  } else {
    return fold_max<kHalf / 2, Real>(max(v, rotate_lanes<kHalf>(v, LaneIndices<Real>{})));
  }
}

}  // namespace detail

template <class Real>
UNROLLED_INLINE Real largest_lane(Vec<Real> v) {
  return detail::fold_max<static_cast<int>(kWidth<Real>) / 2, Real>(v);
}
template <class Real>
UNROLLED_INLINE Real least_lane(Vec<Real> v) {
  return -largest_lane<Real>(-v);
}

}  // namespace unrolled::UNROLLED_LEVEL
