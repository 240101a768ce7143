#include "ops/relu.h"

#include "dispatch.h"
#include "ops/pool_rows.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kElementsPerTask = 1 << 15;

// Calls make(begin, end, to) for runs of elements begin .. end - 1 of `result`; `to` is where they belong.
template <class Real, class Make>
void elementwise(int64_t n, Real* result, Make&& make) {
  const bool stream = n * static_cast<int64_t>(sizeof(Real)) >= kStreamBytes;
  parallel_runs(n, kElementsPerTask, n, [&](int64_t begin, int64_t end) {
    if (!stream) return make(begin, end, result + begin);
    stream_rows(begin, end, 1, 1, result, make);
  });
}

}  // namespace

template <class Real>
void relu(int64_t n, const Real* x, Real* y) {
  const auto forward = kernels<Real>().relu.forward;
  elementwise(n, y, [&](int64_t begin, int64_t end, Real* to) { forward(end - begin, x + begin, to); });
}

template <class Real>
void relu_backward(int64_t n, const Real* grad_y, const Real* y, Real* grad_x) {
  const auto backward = kernels<Real>().relu.backward;
  elementwise(n, grad_x, [&](int64_t begin, int64_t end, Real* to) {
    backward(end - begin, grad_y + begin, y + begin, to);
  });
}

template void relu(int64_t, const float*, float*);
template void relu(int64_t, const double*, double*);
template void relu_backward(int64_t, const float*, const float*, float*);
template void relu_backward(int64_t, const double*, const double*, double*);

}  // namespace unrolled
