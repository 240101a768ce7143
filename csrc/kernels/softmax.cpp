#include "kernels/softmax.h"

#include "kernels/math.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
constexpr Real kInf = __builtin_huge_val();

// Sum of exp(x - shift), in double.
template <class Real>
double sum_exp(int64_t C, const Real* x, Real shift) {
  return sum_mapped<Real>(C, [=](int64_t i, int64_t count) {
    const Vec<Real> v = count == kWidth<Real> ? load(x + i) : load_partial(x + i, count, -kInf<Real>);
    return exp<Real>(v - shift);
  });
}

template <class Real>
void log_softmax_forward(int64_t C, const Real* x, Real* y) {
  const Real top = largest(C, x);
  const double log_sum = log<double>(broadcast<double>(sum_exp(C, x, top)))[0];
  // The maximum goes first: x - (top + log_sum) would round the small log_sum away where scores are large.
  map(C, x, y, [=](Vec<Real> v) { return (v - top) - static_cast<Real>(log_sum); });
}

template <class Real>
void softmax_forward(int64_t C, const Real* x, Real* y) {
  const Real top = largest(C, x);
  const Real scale = static_cast<Real>(1 / sum_exp(C, x, top));
  map(C, x, y, [=](Vec<Real> v) { return exp<Real>(v - top) * scale; });
}

template <class Real>
void log_softmax_backward(int64_t C, const Real* grad_y, const Real* y, Real* grad_x) {
  const Real total = static_cast<Real>(
      sum_mapped<Real>(C, [=](int64_t i, int64_t count) { return load_or_zero(grad_y + i, count); }));
  map2(C, grad_y, y, grad_x, [=](Vec<Real> g, Vec<Real> v) { return g - exp<Real>(v) * total; });
}

template <class Real>
void softmax_backward(int64_t C, const Real* grad_y, const Real* y, Real* grad_x) {
  const Real total = static_cast<Real>(sum_mapped<Real>(C, [=](int64_t i, int64_t count) {
    return load_or_zero(grad_y + i, count) * load_or_zero(y + i, count);
  }));
  map2(C, grad_y, y, grad_x, [=](Vec<Real> g, Vec<Real> v) { return v * (g - total); });
}

}  // namespace

template <class Real>
SoftmaxKernels<Real> softmax_kernels() {
  return {log_softmax_forward<Real>, softmax_forward<Real>, log_softmax_backward<Real>,
          softmax_backward<Real>};
}
template SoftmaxKernels<float> softmax_kernels();
template SoftmaxKernels<double> softmax_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
