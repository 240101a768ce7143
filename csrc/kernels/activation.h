// Element-wise functions and bias + ReLU.
#pragma once

#include <cstdint>

namespace unrolled {

// An activation and its gradient. Of the parameters a and b each takes what it needs.
template <class Real>
struct Curve {
  // x (n) -> y (n)
  void (*forward)(int64_t n, const Real* x, Real a, Real b, Real* y);
  // grad_y (n), and x or y (n) -> grad_x (n)
  void (*backward)(int64_t n, const Real* grad_y, const Real* from, Real a, Real b, Real* grad_x);
};

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

  // Backward from y.
  Curve<Real> tanh_curve, sigmoid_curve;
  // Backward from x.
  Curve<Real> leaky_relu;  // a: the slope below 0
  Curve<Real> elu;         // a: minus the limit at -inf
  Curve<Real> gelu, gelu_tanh, silu;
  Curve<Real> softplus;  // a: beta, b: the value of beta x above which it is x itself
};

}  // namespace unrolled
