// Softmax and log-softmax of one row of C scores.
#pragma once

#include <cstdint>

namespace unrolled {

template <class Real>
struct SoftmaxKernels {
  // x (C) -> y (C)
  void (*log_softmax_forward)(int64_t C, const Real* x, Real* y);
  void (*softmax_forward)(int64_t C, const Real* x, Real* y);
  // grad_y (C), y (C) of the forward pass -> grad_x (C)
  void (*log_softmax_backward)(int64_t C, const Real* grad_y, const Real* y, Real* grad_x);
  void (*softmax_backward)(int64_t C, const Real* grad_y, const Real* y, Real* grad_x);
};

}  // namespace unrolled
