#include "kernels/activation.h"

#include "kernels/math.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
void exp_forward(int64_t n, const Real* x, Real* y) {
  map(n, x, y, [](Vec<Real> v) { return exp<Real>(v); });
}

template <class Real>
void log_forward(int64_t n, const Real* x, Real* y) {
  map(n, x, y, [](Vec<Real> v) { return log<Real>(v); });
}

template <class Real>
void tanh_forward(int64_t n, const Real* x, Real* y) {
  map(n, x, y, [](Vec<Real> v) { return tanh<Real>(v); });
}

template <class Real>
void sigmoid_forward(int64_t n, const Real* x, Real* y) {
  map(n, x, y, [](Vec<Real> v) { return sigmoid<Real>(v); });
}

template <class Real>
void bias_relu_forward(int64_t n, const Real* x, Real bias, Real* y) {
  map(n, x, y, [bias](Vec<Real> v) {
    v += bias;
    return v <= Real(0) ? Vec<Real>{} : v;
  });
}

template <class Real>
double bias_relu_backward(int64_t n, const Real* grad_y, const Real* y, Real* grad_x) {
  map2(n, grad_y, y, grad_x, [](Vec<Real> g, Vec<Real> v) { return v > Real(0) ? g : Vec<Real>{}; });
  return sum_mapped<Real>(n, [grad_x](int64_t i, int64_t count) { return load_or_zero(grad_x + i, count); });
}

}  // namespace

template <class Real>
ActivationKernels<Real> activation_kernels() {
  return {exp_forward<Real>,     log_forward<Real>,       tanh_forward<Real>,
          sigmoid_forward<Real>, bias_relu_forward<Real>, bias_relu_backward<Real>};
}
template ActivationKernels<float> activation_kernels();
template ActivationKernels<double> activation_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
