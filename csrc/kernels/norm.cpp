#include "kernels/norm.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
double sum(int64_t n, const Real* x) {
  return sum_mapped<Real>(n, [x](int64_t i, int64_t count) { return load_or_zero(x + i, count); });
}

template <class Real>
double sum_squared_deviations(int64_t n, const Real* x, Real mean) {
  return sum_mapped<Real>(n, [=](int64_t i, int64_t count) {
    const Vec<Real> v = count == kWidth<Real> ? load(x + i) : load_partial(x + i, count, mean);
    return (v - mean) * (v - mean);
  });
}

template <class Real>
double sum_products(int64_t n, const Real* grad_y, const Real* x, Real mean) {
  return sum_mapped<Real>(n, [=](int64_t i, int64_t count) {
    return load_or_zero(grad_y + i, count) * (load_or_zero(x + i, count) - mean);
  });
}

template <class Real>
void normalize(int64_t n, const Real* x, Real mean, Real scale, Real shift, Real* y) {
  map(n, x, y, [=](Vec<Real> v) { return (v - mean) * scale + shift; });
}

template <class Real>
void normalize_backward(int64_t n, const Real* grad_y, const Real* x, Real mean, Real scale, Real mean_grad,
                        Real slope, Real* grad_x) {
  map2(n, grad_y, x, grad_x,
       [=](Vec<Real> g, Vec<Real> v) { return scale * (g - mean_grad - (v - mean) * slope); });
}

}  // namespace

template <class Real>
NormKernels<Real> norm_kernels() {
  return {sum<Real>, sum_squared_deviations<Real>, sum_products<Real>, normalize<Real>,
          normalize_backward<Real>};
}
template NormKernels<float> norm_kernels();
template NormKernels<double> norm_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
