// 2-D convolution (cross-correlation, as in every neural network library) over threads. One-dimensional
// convolution is the case H = R = 1.
#pragma once

#include <cstdint>

namespace unrolled {

// What the caller asks for; `automatic` chooses by the shape of one image alone. With all others an output
// has the same bits in an image padded to a larger size.
enum class ConvAlgorithm { automatic, direct, winograd, winograd_f2 };

struct Conv2dShape {
  int64_t N, C, H, W;  // x
  int64_t K, R, S;     // weight (K, C / groups, R, S)
  int64_t stride_h, stride_w;
  int64_t dilation_h, dilation_w;
  int64_t pad_top, pad_left;  // zeros; how many follow below and to the right is told by OH and OW
  int64_t groups;
  int64_t OH, OW;          // y (N, K, OH, OW)
  int64_t x_step, y_step;  // elements from one image to the next; groups of a larger image lie apart
  ConvAlgorithm algorithm;

  int64_t kernel() const { return R * S; }
  int64_t pixels() const { return OH * OW; }
};

// What follows the sums while they are in the cache.
template <class Real>
struct Epilogue {
  const Real* bias;  // (K) or null
  bool relu;
};

// Whether Winograd's algorithm computes this shape: stride and dilation 1, 3x3 kernels, or sequences (H = 1)
// with 3, 5 or 7 taps.
bool winograd_fits(const Conv2dShape& shape);

template <class Real>
void conv2d(const Conv2dShape& shape, const Real* x, const Real* weight, const Epilogue<Real>& epilogue,
            Real* y);

// grad_y (N, K, OH, OW), weight -> grad_x (N, C, H, W).
template <class Real>
void conv2d_backward_input(const Conv2dShape& shape, const Real* grad_y, const Real* weight, Real* grad_x);

// grad_y, x -> grad_weight (K, C / groups, R, S), grad_bias (K); grad_bias may be null.
template <class Real>
void conv2d_backward_weight(const Conv2dShape& shape, const Real* grad_y, const Real* x, Real* grad_weight,
                            Real* grad_bias);

// All gradients in one call, which reads grad_y only once where that pays; grad_bias may be null.
template <class Real>
void conv2d_backward(const Conv2dShape& shape, const Real* grad_y, const Real* x, const Real* weight,
                     Real* grad_x, Real* grad_weight, Real* grad_bias);

}  // namespace unrolled
