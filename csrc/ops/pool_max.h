// Max pooling of planes over threads.
#pragma once

#include <cstdint>

#include "kernels/pool_max.h"

namespace unrolled {

// x (planes, H, W) -> y, window (planes, OH, OW)
template <class Real>
void max_pool2d(const MaxPoolShape& shape, const Real* x, Real* y, uint8_t* window);

// Throws std::invalid_argument where `window` (planes, OH, OW) has places that no window of this shape has.
void check_places(const MaxPoolShape& shape, const uint8_t* window);

// grad_y, window (planes, OH, OW) -> grad_x (planes, H, W). The places are checked.
template <class Real>
void max_pool2d_backward(const MaxPoolShape& shape, const Real* grad_y, const uint8_t* window, Real* grad_x);

}  // namespace unrolled
