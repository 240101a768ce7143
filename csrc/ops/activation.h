// Element-wise functions and bias + ReLU over threads.
#pragma once

#include <cstdint>

namespace unrolled {

enum class Unary { exp, log, tanh, sigmoid };

// x (n) -> y (n)
template <class Real>
void unary(Unary function, int64_t n, const Real* x, Real* y);

// x (N, C, inner), bias (C) or null -> y = max(x + bias, 0)
template <class Real>
void bias_relu(int64_t N, int64_t C, int64_t inner, const Real* x, const Real* bias, Real* y);

// grad_y, y of the forward pass (N, C, inner) -> grad_x, grad_bias (C); grad_bias may be null.
template <class Real>
void bias_relu_backward(int64_t N, int64_t C, int64_t inner, const Real* grad_y, const Real* y, Real* grad_x,
                        Real* grad_bias);

}  // namespace unrolled
