#include "kernels/relu.h"

#include "kernels/simd_stream.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
void forward(int64_t n, const Real* x, bool past, Real* y) {
  const auto positive = [](Vec<Real> v) { return v <= Real(0) ? Vec<Real>{} : v; };
  if (!past || !starts_line(y)) return map(n, x, y, positive);
  map_past(n, y, [=](int64_t i, int64_t count) { return positive(load_or_zero(x + i, count)); });
  stream_fence();
}

template <class Real>
void backward(int64_t n, const Real* grad_y, const Real* y, bool past, Real* grad_x) {
  const auto gate = [](Vec<Real> g, Vec<Real> v) { return v > Real(0) ? g : Vec<Real>{}; };
  if (!past || !starts_line(grad_x)) return map2(n, grad_y, y, grad_x, gate);
  map_past(n, grad_x, [=](int64_t i, int64_t count) {
    return gate(load_or_zero(grad_y + i, count), load_or_zero(y + i, count));
  });
  stream_fence();
}

}  // namespace

template <class Real>
ReluKernels<Real> relu_kernels() {
  return {forward<Real>, backward<Real>};
}
template ReluKernels<float> relu_kernels();
template ReluKernels<double> relu_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
