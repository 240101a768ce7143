// Batch normalisation over threads, one channel a task (Ioffe and Szegedy 2015).
#pragma once

#include <cstdint>

namespace unrolled {

// x, y (N, C, inner); scale and shift are the affine weight and bias (C) or null.
struct BatchNormShape {
  int64_t N, C, inner;
  double eps;
};

// x -> mean (C), var (C): biased variance over N and inner.
template <class Real>
void batch_statistics(const BatchNormShape& shape, const Real* x, Real* mean, Real* var);

// y = (x - mean) / sqrt(var + eps) * weight + bias
template <class Real>
void batch_norm(const BatchNormShape& shape, const Real* x, const Real* mean, const Real* var,
                const Real* weight, const Real* bias, Real* y);

// Through the batch's own statistics. grad_weight, grad_bias (C).
template <class Real>
void batch_norm_backward(const BatchNormShape& shape, const Real* grad_y, const Real* x, const Real* mean,
                         const Real* var, const Real* weight, Real* grad_x, Real* grad_weight,
                         Real* grad_bias);

}  // namespace unrolled
