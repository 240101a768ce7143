// Lanes moved by one place across vectors that lie side by side.
#pragma once

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

namespace detail {

template <class V, int... N>
UNROLLED_INLINE V lanes_before(V before, V v, Indices<N...>) {
  return __builtin_shufflevector(before, v, (N + static_cast<int>(sizeof...(N)) - 1)...);
}
template <class V, int... N>
UNROLLED_INLINE V lanes_after(V v, V after, Indices<N...>) {
  return __builtin_shufflevector(v, after, (N + 1)...);
}

}  // namespace detail

// Each lane's lower neighbour, that of the first from the vector before; each lane's upper neighbour.
template <class V>
UNROLLED_INLINE V lanes_before(V before, V v) {
  return detail::lanes_before(before, v, detail::LaneIndices<float>{});
}
template <class V>
UNROLLED_INLINE V lanes_after(V v, V after) {
  return detail::lanes_after(v, after, detail::LaneIndices<float>{});
}

}  // namespace unrolled::UNROLLED_LEVEL
