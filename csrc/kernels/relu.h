// max(x, 0) and its gradient.
#pragma once

#include <cstdint>

namespace unrolled {

// With `past` the result goes past the caches, if it starts a line of them.
template <class Real>
struct ReluKernels {
  // x (n) -> y (n); NaN stays NaN.
  void (*forward)(int64_t n, const Real* x, bool past, Real* y);
  // grad_x = grad_y where y > 0, else 0.
  void (*backward)(int64_t n, const Real* grad_y, const Real* y, bool past, Real* grad_x);
};

}  // namespace unrolled
