// Max pooling of planes over threads.
#pragma once

#include <cstdint>

#include "kernels/pool.h"

namespace unrolled {

// x (planes, H, W) -> y, window (planes, OH, OW)
template <class Real>
void max_pool2d(int64_t planes, const PoolShape& shape, const Real* x, Real* y, uint8_t* window);

// grad_y, window (planes, OH, OW) -> grad_x (planes, H, W)
template <class Real>
void max_pool2d_backward(int64_t planes, const PoolShape& shape, const Real* grad_y, const uint8_t* window,
                         Real* grad_x);

}  // namespace unrolled
