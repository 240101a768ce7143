// Batch and layer normalisation over threads.
#pragma once

#include <cstdint>

namespace unrolled {

// x, y (N, C, inner); scale and shift are the affine weight and bias (C) or null.
struct BatchNormShape {
  int64_t N, C, inner;
  double eps;
};

// mean (C), var (C): biased variance over N and inner; y = (x - mean) / sqrt(var + eps) * weight + bias
// (Ioffe and Szegedy 2015).
template <class Real>
void batch_norm_training(const BatchNormShape& shape, const Real* x, const Real* weight, const Real* bias,
                         Real* y, Real* mean, Real* var);

// With given mean and var.
template <class Real>
void batch_norm(const BatchNormShape& shape, const Real* x, const Real* mean, const Real* var,
                const Real* weight, const Real* bias, Real* y);

// Through the batch's own statistics if `training`, else mean and var are constants. grad_weight, grad_bias
// (C).
template <class Real>
void batch_norm_backward(const BatchNormShape& shape, bool training, const Real* grad_y, const Real* x,
                         const Real* mean, const Real* var, const Real* weight, Real* grad_x,
                         Real* grad_weight, Real* grad_bias);

// x, y (rows, D), each row normalised by its own mean and biased variance (Ba, Kiros and Hinton 2016); weight
// and bias (D) may be null. mean and inverse (rows), 1 / sqrt(var + eps), are for the backward pass.
template <class Real>
void layer_norm(int64_t rows, int64_t D, double eps, const Real* x, const Real* weight, const Real* bias,
                Real* y, Real* mean, Real* inverse);

// grad_weight, grad_bias (D).
template <class Real>
void layer_norm_backward(int64_t rows, int64_t D, const Real* grad_y, const Real* x, const Real* weight,
                         const Real* mean, const Real* inverse, Real* grad_x, Real* grad_weight,
                         Real* grad_bias);

}  // namespace unrolled
