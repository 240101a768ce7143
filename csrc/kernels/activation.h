// Element-wise functions and bias + ReLU.
#pragma once

#include <cstdint>

namespace unrolled {

template <class Real>
struct ActivationKernels {
  // x (n) -> y (n)
  void (*exp)(int64_t n, const Real* x, Real* y);
  void (*log)(int64_t n, const Real* x, Real* y);
  void (*tanh)(int64_t n, const Real* x, Real* y);
  void (*sigmoid)(int64_t n, const Real* x, Real* y);

  // y = max(x + bias, 0); NaN stays NaN.
  void (*bias_relu_forward)(int64_t n, const Real* x, Real bias, Real* y);
  // grad_x = grad_y where y > 0, else 0; returns its sum, the gradient of the bias.
  double (*bias_relu_backward)(int64_t n, const Real* grad_y, const Real* y, Real* grad_x);
};

}  // namespace unrolled
