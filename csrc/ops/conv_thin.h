// Convolution of images with one to three channels, as a network's first layer has: small kernels, stride 1.
#pragma once

#include "ops/conv.h"
#include "ops/conv_images.h"

namespace unrolled {

// The shape of one image decides.
bool conv2d_thin_fits(const Conv2dShape& shape);
// Whether what is made at once is whole images, or bands of rows that the pooling does not join.
template <class Real>
bool conv2d_thin_pools(const Conv2dShape& shape, const MaxPoolShape& pool);

template <class Real>
void conv2d_thin(const Conv2dShape& shape, const Real* x, const Real* weight, const Epilogue<Real>& epilogue,
                 const ConvOutput<Real>& y);

// First what each tap would add to grad_x, for all taps: a product without shifts. Then every pixel gathers.
template <class Real>
void conv2d_thin_backward_input(const Conv2dShape& shape, const ConvGradient<Real>& grad_y,
                                const Real* weight, Real* grad_x);

// grad_bias may be null.
template <class Real>
void conv2d_thin_backward_weight(const Conv2dShape& shape, const ConvGradient<Real>& grad_y, const Real* x,
                                 Real* grad_weight, Real* grad_bias);

}  // namespace unrolled
