#include "kernels/relu.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
void forward(int64_t n, const Real* x, Real* y) {
  map(n, x, y, [](Vec<Real> v) { return v <= Real(0) ? Vec<Real>{} : v; });
}

template <class Real>
void backward(int64_t n, const Real* grad_y, const Real* y, Real* grad_x) {
  map2(n, grad_y, y, grad_x, [](Vec<Real> g, Vec<Real> v) { return v > Real(0) ? g : Vec<Real>{}; });
}

}  // namespace

template <class Real>
ReluKernels<Real> relu_kernels() {
  return {forward<Real>, backward<Real>};
}
template ReluKernels<float> relu_kernels();
template ReluKernels<double> relu_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
