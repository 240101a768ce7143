// Convolution of any shape as a matrix product with the columns matrix, whose blocks are packed on the fly.
// One group; the images of x and y lie x_step and y_step apart.
#pragma once

#include "ops/conv.h"

namespace unrolled {

template <class Real>
void conv2d_direct(const Conv2dShape& shape, const Real* x, const Real* weight,
                   const Epilogue<Real>& epilogue, Real* y);

// Stride cuts grad_x into stride_h * stride_w interleaved images; each is a convolution of grad_y with
// stride 1 and the taps that reach it.
template <class Real>
void conv2d_direct_backward_input(const Conv2dShape& shape, const Real* grad_y, const Real* weight,
                                  Real* grad_x);

// The forward's product transposed. N and the pixels of y must not be 0.
template <class Real>
void conv2d_direct_backward_weight(const Conv2dShape& shape, const Real* grad_y, const Real* x,
                                   Real* grad_weight);

}  // namespace unrolled
