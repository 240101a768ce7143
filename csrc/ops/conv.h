// 2-D convolution (cross-correlation, as in every neural network library) over threads.
#pragma once

#include <cstdint>

namespace unrolled {

struct Conv2dShape {
  int64_t N, C, H, W;  // x
  int64_t K, R, S;     // weight (K, C, R, S)
  int64_t stride_h, stride_w, pad_h, pad_w;
  int64_t OH, OW;  // y (N, K, OH, OW)
};

// bias (K) may be null.
template <class Real>
void conv2d(const Conv2dShape& shape, const Real* x, const Real* weight, const Real* bias, Real* y);

// grad_y (N, K, OH, OW), weight -> grad_x (N, C, H, W): the convolution of grad_y, its rows and columns
// spread by the stride, with the flipped weight.
template <class Real>
void conv2d_backward_input(const Conv2dShape& shape, const Real* grad_y, const Real* weight, Real* grad_x);

// grad_y, x -> grad_weight (K, C, R, S), grad_bias (K); grad_bias may be null.
template <class Real>
void conv2d_backward_weight(const Conv2dShape& shape, const Real* grad_y, const Real* x, Real* grad_weight,
                            Real* grad_bias);

}  // namespace unrolled
