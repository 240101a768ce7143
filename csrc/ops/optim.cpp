#include "ops/optim.h"

#include "dispatch.h"
#include "memory.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kRun = 1 << 15;

}  // namespace

template <class Real>
void sgd_step(int64_t n, const SgdStep& step, const Real* grad, Real* param, Real* velocity) {
  const OptimKernels<Real>& kernel = kernels<Real>().optim;
  parallel_runs(n, kRun, n, [&](int64_t begin, int64_t end) {
    kernel.sgd(end - begin, step, grad + begin, param + begin, velocity ? velocity + begin : nullptr);
  });
}

template <class Real>
void adam_step(int64_t n, const AdamStep& step, const Real* grad, Real* param, Real* exp_avg,
               Real* exp_avg_sq) {
  const OptimKernels<Real>& kernel = kernels<Real>().optim;
  parallel_runs(n, kRun, n, [&](int64_t begin, int64_t end) {
    kernel.adam(end - begin, step, grad + begin, param + begin, exp_avg + begin, exp_avg_sq + begin);
  });
}

template <class Real>
void sgd_rows(int64_t K, int64_t D, const int64_t* rows, const SgdStep& step, const Real* grad, Real* param) {
  const auto sgd = kernels<Real>().optim.sgd;
  parallel_runs(K, kRun / (D + 1) + 1, K * D, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sgd(D, step, grad + i * D, param + rows[i] * D, nullptr);
  });
}

template <class Real>
void adam_rows(int64_t K, int64_t D, const int64_t* rows, const AdamStep& step, const Real* grad, Real* param,
               Real* exp_avg, Real* exp_avg_sq) {
  const auto adam = kernels<Real>().optim.adam;
  parallel_runs(K, kRun / (D + 1) + 1, K * D, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = rows[i] * D;
      adam(D, step, grad + i * D, param + at, exp_avg + at, exp_avg_sq + at);
    }
  });
}

template <class Real>
void scale_in_place(int64_t n, Real factor, Real* x) {
  const OptimKernels<Real>& kernel = kernels<Real>().optim;
  parallel_runs(n, kRun, n,
                [&](int64_t begin, int64_t end) { kernel.scale(end - begin, factor, x + begin); });
}

template <class Real>
double max_abs(int64_t n, const Real* x) {
  return kernels<Real>().optim.max_abs(n, x);
}

template <class Real>
double sum_squares(int64_t n, const Real* x, double scale) {
  const OptimKernels<Real>& kernel = kernels<Real>().optim;
  Buffer<double> sums((n + kRun - 1) / kRun);
  parallel_runs(n, kRun, n, [&](int64_t begin, int64_t end) {
    sums[begin / kRun] = kernel.sum_squares(end - begin, x + begin, scale);
  });
  double total = 0;
  for (int64_t i = 0; i * kRun < n; ++i) total += sums[i];
  return total;
}

#define UNROLLED_INSTANTIATE(Real)                                                                      \
  template void sgd_step(int64_t, const SgdStep&, const Real*, Real*, Real*);                           \
  template void adam_step(int64_t, const AdamStep&, const Real*, Real*, Real*, Real*);                  \
  template void sgd_rows(int64_t, int64_t, const int64_t*, const SgdStep&, const Real*, Real*);         \
  template void adam_rows(int64_t, int64_t, const int64_t*, const AdamStep&, const Real*, Real*, Real*, \
                          Real*);                                                                       \
  template void scale_in_place(int64_t, Real, Real*);                                                   \
  template double max_abs(int64_t, const Real*);                                                        \
  template double sum_squares(int64_t, const Real*, double);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
