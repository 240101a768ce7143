// Element-wise functions and bias + ReLU over threads.
#pragma once

#include <cstdint>

#include "kernels/activation.h"

namespace unrolled {

enum class Unary { exp, log, tanh, sigmoid };

// x (n) -> y (n)
template <class Real>
void unary(Unary function, int64_t n, const Real* x, Real* y);

// An activation by its kernels, with its parameters.
template <class Real>
void activate(Curve<Real> ActivationKernels<Real>::* curve, int64_t n, const Real* x, double a, double b,
              Real* y);

// grad_y, and the curve's x or y (n) -> grad_x (n)
template <class Real>
void activate_backward(Curve<Real> ActivationKernels<Real>::* curve, int64_t n, const Real* grad_y,
                       const Real* from, double a, double b, Real* grad_x);

// x (N, C, inner), bias (C) or null -> y = max(x + bias, 0)
template <class Real>
void bias_relu(int64_t N, int64_t C, int64_t inner, const Real* x, const Real* bias, Real* y);

// grad_y, y of the forward pass (N, C, inner) -> grad_x, grad_bias (C); grad_bias may be null.
template <class Real>
void bias_relu_backward(int64_t N, int64_t C, int64_t inner, const Real* grad_y, const Real* y, Real* grad_x,
                        Real* grad_bias);

}  // namespace unrolled
