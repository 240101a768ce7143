// 2-D convolution and the max pooling behind it in one: what lies between them stays in the cache. The same
// bits as one after the other.
#pragma once

#include "kernels/pool_max.h"
#include "ops/conv.h"

namespace unrolled {

// y, window (N, K, pool.OH, pool.OW). The pooling is that of one image: planes are the output channels.
template <class Real>
void conv2d_max_pool(const Conv2dShape& shape, const MaxPoolShape& pool, const Real* x, const Real* weight,
                     const Real* bias, Real* y, uint8_t* window);

// Gradients by x, the weight and the bias; null where not wanted (the bias's comes with the weight's). Throws
// std::invalid_argument where `window` has places that no window of this shape has.
template <class Real>
void conv2d_max_pool_backward(const Conv2dShape& shape, const MaxPoolShape& pool, const Real* grad_y,
                              const uint8_t* window, const Real* x, const Real* weight, Real* grad_x,
                              Real* grad_weight, Real* grad_bias);

}  // namespace unrolled
