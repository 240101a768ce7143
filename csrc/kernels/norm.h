// Batch normalisation: the sums over one run of one channel, and the element-wise passes.
#pragma once

#include <cstdint>

namespace unrolled {

template <class Real>
struct NormKernels {
  // x (n) -> sum of x
  double (*sum)(int64_t n, const Real* x);
  // sum of (x - mean)^2
  double (*sum_squared_deviations)(int64_t n, const Real* x, Real mean);
  // sum of grad_y * (x - mean)
  double (*sum_products)(int64_t n, const Real* grad_y, const Real* x, Real mean);

  // y = (x - mean) * scale + shift
  void (*normalize)(int64_t n, const Real* x, Real mean, Real scale, Real shift, Real* y);
  // grad_x = scale * (grad_y - mean_grad - (x - mean) * slope)
  void (*normalize_backward)(int64_t n, const Real* grad_y, const Real* x, Real mean, Real scale,
                             Real mean_grad, Real slope, Real* grad_x);
};

}  // namespace unrolled
