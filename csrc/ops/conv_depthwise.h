// Depthwise convolution: every channel of x has kernels of its own. Planes are correlated one by one.
#pragma once

#include "ops/conv.h"

namespace unrolled {

// As many groups as channels; small strides, and no dilation with a stride. The shape of one image decides.
bool conv2d_depthwise_fits(const Conv2dShape& shape);

template <class Real>
void conv2d_depthwise(const Conv2dShape& shape, const Real* x, const Real* weight,
                      const Epilogue<Real>& epilogue, Real* y);

template <class Real>
void conv2d_depthwise_backward_input(const Conv2dShape& shape, const Real* grad_y, const Real* weight,
                                     Real* grad_x);

// All gradients while the planes are in the cache; grad_x and grad_bias may be null.
template <class Real>
void conv2d_depthwise_backward(const Conv2dShape& shape, const Real* grad_y, const Real* x,
                               const Real* weight, Real* grad_x, Real* grad_weight, Real* grad_bias);

}  // namespace unrolled
