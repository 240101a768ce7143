// Adaptive max pooling of planes over threads: OH x OW windows over all of H x W.
#pragma once

#include <cstdint>

namespace unrolled {

struct AdaptiveShape {
  int64_t planes, H, W, OH, OW;
};

// Elements of the largest window.
int64_t largest_window(const AdaptiveShape& shape);

// x (planes, H, W) -> y, window (planes, OH, OW): the maximum of each window and its place in it, row by row.
// Place is uint8_t, for windows of at most 256 elements, or int32_t.
template <class Real, class Place>
void adaptive_max_pool2d(const AdaptiveShape& shape, const Real* x, Real* y, Place* window);

// grad_y, window (planes, OH, OW) -> grad_x (planes, H, W). Throws std::invalid_argument where `window` has
// places that no window of this shape has.
template <class Real, class Place>
void adaptive_max_pool2d_backward(const AdaptiveShape& shape, const Real* grad_y, const Place* window,
                                  Real* grad_x);

}  // namespace unrolled
