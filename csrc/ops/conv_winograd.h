// Winograd's convolution, stride and dilation 1, in all three passes. 3x3 kernels: F(4x4, 3x3), with 36
// products for 144, or F(2x2, 3x3), with 16 for 36 and the error of a direct sum. Sequences: F(6, 3), F(4,
// 5), F(2, 7), with 8 products for 18, 20, 14. One group.
#pragma once

#include "ops/conv.h"
#include "ops/conv_images.h"

namespace unrolled {

enum class WinogradTile { f2, f4, line };

template <class Real>
void conv2d_winograd(const Conv2dShape& shape, WinogradTile tile, const Real* x, const Real* weight,
                     const Epilogue<Real>& epilogue, const ConvOutput<Real>& y);

// The same algorithm over grad_y, with the kernels turned by half a turn.
template <class Real>
void conv2d_winograd_backward_input(const Conv2dShape& shape, WinogradTile tile,
                                    const ConvGradient<Real>& grad_y, const Real* weight, Real* grad_x);

// The exact transpose of the forward algorithm.
// grad_bias may be null.
template <class Real>
void conv2d_winograd_backward_weight(const Conv2dShape& shape, WinogradTile tile,
                                     const ConvGradient<Real>& grad_y, const Real* x, Real* grad_weight,
                                     Real* grad_bias);

}  // namespace unrolled
