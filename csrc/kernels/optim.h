// Optimizer updates, in place, and the sums of a gradient's norm.
#pragma once

#include <cstdint>

namespace unrolled {

struct SgdStep {
  double lr, momentum, weight_decay;
  bool nesterov;
  bool first;  // the velocity is not there yet: it becomes the gradient
};

struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;                   // AdamW: the decay acts on the parameter, not through the gradient
  double correction1, correction2;  // 1 - beta1^step, 1 - beta2^step
};

template <class Real>
struct OptimKernels {
  // param, grad, velocity (n); velocity null without momentum.
  void (*sgd)(int64_t n, const SgdStep& step, const Real* grad, Real* param, Real* velocity);
  // Kingma and Ba 2015; decoupled decay: Loshchilov and Hutter 2019.
  void (*adam)(int64_t n, const AdamStep& step, const Real* grad, Real* param, Real* exp_avg,
               Real* exp_avg_sq);

  // Largest absolute value; NaN if there is one.
  double (*max_abs)(int64_t n, const Real* x);
  // Sum of (x * scale)^2 in double.
  double (*sum_squares)(int64_t n, const Real* x, double scale);
  // x *= factor
  void (*scale)(int64_t n, Real factor, Real* x);
};

}  // namespace unrolled
