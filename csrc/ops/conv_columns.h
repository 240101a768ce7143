// Convolution as the product of the weight with the columns matrix, whose blocks are packed on the fly, or
// read from the padded image where packing would not pay.
#pragma once

#include "kernels/conv.h"
#include "memory.h"
#include "ops/conv.h"

namespace unrolled {

// x (N, C, H, W), weight (K, C, R, S) -> y (N, K, OH, OW); images x_step and y_step apart.
template <class Real>
void convolve_columns(const ConvShape& shape, int64_t N, int64_t K, const Real* x, int64_t x_step,
                      const Real* weight, const Epilogue<Real>& epilogue, Real* y, int64_t y_step);

// Where in the padded image each tap of a pixel lies.
Buffer<int64_t> tap_offsets(const ConvShape& shape);

}  // namespace unrolled
