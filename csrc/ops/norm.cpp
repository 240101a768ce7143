#include "ops/norm.h"

#include <cmath>

#include "dispatch.h"
#include "parallel.h"

namespace unrolled {
namespace {

template <class Real>
double inverse_deviation(const BatchNormShape& s, Real var) {
  return 1 / std::sqrt(static_cast<double>(var) + s.eps);
}

// Sum over the batch of f(run of one channel), in order.
template <class F>
double sum_over_batch(const BatchNormShape& s, int64_t c, F f) {
  double sum = 0;
  for (int64_t n = 0; n < s.N; ++n) sum += f((n * s.C + c) * s.inner);
  return sum;
}

}  // namespace

template <class Real>
void batch_statistics(const BatchNormShape& s, const Real* x, Real* mean, Real* var) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  const double count = static_cast<double>(s.N * s.inner);
  parallel_for(s.C, s.N * s.C * s.inner, [&](int64_t c) {
    const auto sum = [&](int64_t at) { return kernel.sum(s.inner, x + at); };
    mean[c] = static_cast<Real>(sum_over_batch(s, c, sum) / count);
    const auto squares = [&](int64_t at) { return kernel.sum_squared_deviations(s.inner, x + at, mean[c]); };
    var[c] = static_cast<Real>(sum_over_batch(s, c, squares) / count);
  });
}

template <class Real>
void batch_norm(const BatchNormShape& s, const Real* x, const Real* mean, const Real* var, const Real* weight,
                const Real* bias, Real* y) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  parallel_for(s.C, s.N * s.C * s.inner, [&](int64_t c) {
    const double scale = inverse_deviation(s, var[c]) * (weight ? static_cast<double>(weight[c]) : 1);
    const Real shift = bias ? bias[c] : Real(0);
    for (int64_t n = 0; n < s.N; ++n) {
      const int64_t at = (n * s.C + c) * s.inner;
      kernel.normalize(s.inner, x + at, mean[c], static_cast<Real>(scale), shift, y + at);
    }
  });
}

template <class Real>
void batch_norm_backward(const BatchNormShape& s, const Real* grad_y, const Real* x, const Real* mean,
                         const Real* var, const Real* weight, Real* grad_x, Real* grad_weight,
                         Real* grad_bias) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  const double count = static_cast<double>(s.N * s.inner);
  parallel_for(s.C, s.N * s.C * s.inner, [&](int64_t c) {
    const auto grads = [&](int64_t at) { return kernel.sum(s.inner, grad_y + at); };
    const auto products = [&](int64_t at) {
      return kernel.sum_products(s.inner, grad_y + at, x + at, mean[c]);
    };
    const double sum = sum_over_batch(s, c, grads), product = sum_over_batch(s, c, products);
    const double inverse = inverse_deviation(s, var[c]);
    grad_weight[c] = static_cast<Real>(product * inverse);
    grad_bias[c] = static_cast<Real>(sum);
    const Real scale = static_cast<Real>(inverse * (weight ? static_cast<double>(weight[c]) : 1));
    const Real mean_grad = static_cast<Real>(sum / count);
    const Real slope = static_cast<Real>(product * inverse * inverse / count);
    for (int64_t n = 0; n < s.N; ++n) {
      const int64_t at = (n * s.C + c) * s.inner;
      kernel.normalize_backward(s.inner, grad_y + at, x + at, mean[c], scale, mean_grad, slope, grad_x + at);
    }
  });
}

template void batch_statistics(const BatchNormShape&, const float*, float*, float*);
template void batch_statistics(const BatchNormShape&, const double*, double*, double*);
template void batch_norm(const BatchNormShape&, const float*, const float*, const float*, const float*,
                         const float*, float*);
template void batch_norm(const BatchNormShape&, const double*, const double*, const double*, const double*,
                         const double*, double*);
template void batch_norm_backward(const BatchNormShape&, const float*, const float*, const float*,
                                  const float*, const float*, float*, float*, float*);
template void batch_norm_backward(const BatchNormShape&, const double*, const double*, const double*,
                                  const double*, const double*, double*, double*, double*);

}  // namespace unrolled
