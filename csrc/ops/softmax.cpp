#include "ops/softmax.h"

#include "dispatch.h"
#include "parallel.h"

namespace unrolled {
namespace {

int64_t rows_per_task(int64_t C) { return (1 << 14) / (C + 1) + 1; }

}  // namespace

template <class Real>
void softmax(bool logarithm, int64_t rows, int64_t C, const Real* x, Real* y) {
  const SoftmaxKernels<Real>& kernel = kernels<Real>().softmax;
  const auto run = logarithm ? kernel.log_softmax_forward : kernel.softmax_forward;
  parallel_runs(C == 0 ? 0 : rows, rows_per_task(C), rows * C, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run(C, x + i * C, y + i * C);
  });
}

template <class Real>
void softmax_backward(bool logarithm, int64_t rows, int64_t C, const Real* grad_y, const Real* y,
                      Real* grad_x) {
  const SoftmaxKernels<Real>& kernel = kernels<Real>().softmax;
  const auto run = logarithm ? kernel.log_softmax_backward : kernel.softmax_backward;
  parallel_runs(C == 0 ? 0 : rows, rows_per_task(C), rows * C, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run(C, grad_y + i * C, y + i * C, grad_x + i * C);
  });
}

template void softmax(bool, int64_t, int64_t, const float*, float*);
template void softmax(bool, int64_t, int64_t, const double*, double*);
template void softmax_backward(bool, int64_t, int64_t, const float*, const float*, float*);
template void softmax_backward(bool, int64_t, int64_t, const double*, const double*, double*);

}  // namespace unrolled
