// Batch and layer normalisation: sums over runs and over columns, and the element-wise passes.
#pragma once

#include <cstdint>

namespace unrolled {

template <class Real>
struct NormKernels {
  // x (n) -> sum of x
  double (*sum)(int64_t n, const Real* x);
  // sums[0] = sum of x - center, sums[1] = sum of (x - center)^2
  void (*deviation_sums)(int64_t n, const Real* x, Real center, double* sums);
  // sums[0] = sum of w grad_y, sums[1] = sum of w grad_y (x - mean); weight w (n) may be null.
  void (*gradient_sums)(int64_t n, const Real* grad_y, const Real* x, const Real* weight, Real mean,
                        double* sums);

  // y = (x - mean) * scale + shift
  void (*normalize)(int64_t n, const Real* x, Real mean, Real scale, Real shift, Real* y);
  // grad_x = scale * (grad_y - mean_grad - (x - mean) * slope)
  void (*normalize_backward)(int64_t n, const Real* grad_y, const Real* x, Real mean, Real scale,
                             Real mean_grad, Real slope, Real* grad_x);

  // The same over columns: x (rows, stride), of which n neighbouring columns count; all else is (n).
  void (*column_sums)(int64_t rows, int64_t stride, int64_t n, const Real* x, double* sums);
  // sums (2, n)
  void (*column_deviation_sums)(int64_t rows, int64_t stride, int64_t n, const Real* x, const Real* center,
                                double* sums);
  // sums (2, n): of grad_y and of grad_y (x - mean)
  void (*column_gradient_sums)(int64_t rows, int64_t stride, int64_t n, const Real* grad_y, const Real* x,
                               const Real* mean, double* sums);
  void (*normalize_columns)(int64_t rows, int64_t stride, int64_t n, const Real* x, const Real* mean,
                            const Real* scale, const Real* shift, Real* y);
  void (*normalize_columns_backward)(int64_t rows, int64_t stride, int64_t n, const Real* grad_y,
                                     const Real* x, const Real* mean, const Real* scale,
                                     const Real* mean_grad, const Real* slope, Real* grad_x);

  // One row of layer normalisation: y = (x - mean) * inverse * weight + bias; weight and bias may be null.
  void (*normalize_row)(int64_t n, const Real* x, Real mean, Real inverse, const Real* weight,
                        const Real* bias, Real* y);
  // grad_x = inverse * (w grad_y - mean_grad - (x - mean) * slope); adds grad_y (x - mean) inverse to
  // grad_weight and grad_y to grad_bias (n).
  void (*normalize_row_backward)(int64_t n, const Real* grad_y, const Real* x, const Real* weight, Real mean,
                                 Real inverse, Real mean_grad, Real slope, Real* grad_x, Real* grad_weight,
                                 Real* grad_bias);
};

}  // namespace unrolled
