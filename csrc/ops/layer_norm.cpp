// Layer normalisation over threads; ops/norm.h declares it.
#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "memory.h"
#include "ops/norm.h"
#include "parallel.h"

namespace unrolled {
namespace {

// Rows of one task, and of one partial sum of the gradients by weight and bias.
constexpr int64_t kRows = 32;

// 0 for a constant row without eps; a NaN stays one.
double inverse_deviation(double var, double eps) {
  const double raised = (var < 0 ? 0 : var) + eps;
  return raised == 0 ? 0 : 1 / std::sqrt(raised);
}

}  // namespace

template <class Real>
void layer_norm(int64_t rows, int64_t D, double eps, const Real* x, const Real* weight, const Real* bias,
                Real* y, Real* mean, Real* inverse) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  const double count = static_cast<double>(D);
  parallel_runs(rows, kRows, rows * D, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      // The sum of large values loses digits that the sum of their deviations from it gives back.
      const Real center = static_cast<Real>(kernel.sum(D, x + i * D) / count);
      double sums[2];
      kernel.deviation_sums(D, x + i * D, center, sums);
      mean[i] = static_cast<Real>(static_cast<double>(center) + sums[0] / count);
      const double var = (sums[1] - sums[0] * sums[0] / count) / count;
      inverse[i] = static_cast<Real>(inverse_deviation(var, eps));
      kernel.normalize_row(D, x + i * D, mean[i], inverse[i], weight, bias, y + i * D);
    }
  });
}

template <class Real>
void layer_norm_backward(int64_t rows, int64_t D, const Real* grad_y, const Real* x, const Real* weight,
                         const Real* mean, const Real* inverse, Real* grad_x, Real* grad_weight,
                         Real* grad_bias) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  const int64_t blocks = (rows + kRows - 1) / kRows;
  const double count = static_cast<double>(D);
  Buffer<Real> partial(2 * blocks * D);
  parallel_runs(rows, kRows, rows * D, [&](int64_t begin, int64_t end) {
    Real* by_weight = partial.data() + 2 * (begin / kRows) * D;
    std::fill_n(by_weight, 2 * D, Real(0));
    for (int64_t i = begin; i < end; ++i) {
      double sums[2];
      kernel.gradient_sums(D, grad_y + i * D, x + i * D, weight, mean[i], sums);
      const double scale = static_cast<double>(inverse[i]);
      kernel.normalize_row_backward(
          D, grad_y + i * D, x + i * D, weight, mean[i], inverse[i], static_cast<Real>(sums[0] / count),
          static_cast<Real>(sums[1] * scale * scale / count), grad_x + i * D, by_weight, by_weight + D);
    }
  });
  Buffer<double> sums(2 * D);
  kernel.column_sums(blocks, 2 * D, 2 * D, partial.data(), sums.data());
  for (int64_t i = 0; i < D; ++i) {
    grad_weight[i] = static_cast<Real>(sums[i]);
    grad_bias[i] = static_cast<Real>(sums[D + i]);
  }
}

template void layer_norm(int64_t, int64_t, double, const float*, const float*, const float*, float*, float*,
                         float*);
template void layer_norm(int64_t, int64_t, double, const double*, const double*, const double*, double*,
                         double*, double*);
template void layer_norm_backward(int64_t, int64_t, const float*, const float*, const float*, const float*,
                                  const float*, float*, float*, float*);
template void layer_norm_backward(int64_t, int64_t, const double*, const double*, const double*,
                                  const double*, const double*, double*, double*, double*);

}  // namespace unrolled
