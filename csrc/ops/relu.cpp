#include "ops/relu.h"

#include "dispatch.h"
#include "parallel.h"
#include "stream.h"

namespace unrolled {
namespace {

constexpr int64_t kElementsPerTask = 1 << 15;

template <class Real>
bool is_large(int64_t n) {
  return n * static_cast<int64_t>(sizeof(Real)) >= kStreamBytes;
}

}  // namespace

template <class Real>
void relu(int64_t n, const Real* x, Real* y) {
  const auto forward = kernels<Real>().relu.forward;
  parallel_runs(n, kElementsPerTask, n, [&](int64_t begin, int64_t end) {
    forward(end - begin, x + begin, is_large<Real>(n), y + begin);
  });
}

template <class Real>
void relu_backward(int64_t n, const Real* grad_y, const Real* y, Real* grad_x) {
  const auto backward = kernels<Real>().relu.backward;
  parallel_runs(n, kElementsPerTask, n, [&](int64_t begin, int64_t end) {
    backward(end - begin, grad_y + begin, y + begin, is_large<Real>(n), grad_x + begin);
  });
}

template void relu(int64_t, const float*, float*);
template void relu(int64_t, const double*, double*);
template void relu_backward(int64_t, const float*, const float*, float*);
template void relu_backward(int64_t, const double*, const double*, double*);

}  // namespace unrolled
