#include "ops/activation.h"

#include "dispatch.h"
#include "memory.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kElementsPerTask = 1 << 15;

}  // namespace

template <class Real>
void unary(Unary function, int64_t n, const Real* x, Real* y) {
  const ActivationKernels<Real>& kernel = kernels<Real>().activation;
  const auto run = function == Unary::exp    ? kernel.exp
                   : function == Unary::log  ? kernel.log
                   : function == Unary::tanh ? kernel.tanh
                                             : kernel.sigmoid;
  parallel_runs(n, kElementsPerTask, n,
                [&](int64_t begin, int64_t end) { run(end - begin, x + begin, y + begin); });
}

template <class Real>
void activate(Curve<Real> ActivationKernels<Real>::* curve, int64_t n, const Real* x, double a, double b,
              Real* y) {
  const auto run = (kernels<Real>().activation.*curve).forward;
  parallel_runs(n, kElementsPerTask, n, [&](int64_t begin, int64_t end) {
    run(end - begin, x + begin, static_cast<Real>(a), static_cast<Real>(b), y + begin);
  });
}

template <class Real>
void activate_backward(Curve<Real> ActivationKernels<Real>::* curve, int64_t n, const Real* grad_y,
                       const Real* from, double a, double b, Real* grad_x) {
  const auto run = (kernels<Real>().activation.*curve).backward;
  parallel_runs(n, kElementsPerTask, n, [&](int64_t begin, int64_t end) {
    run(end - begin, grad_y + begin, from + begin, static_cast<Real>(a), static_cast<Real>(b),
        grad_x + begin);
  });
}

template <class Real>
void bias_relu(int64_t N, int64_t C, int64_t inner, const Real* x, const Real* bias, Real* y) {
  const ActivationKernels<Real>& kernel = kernels<Real>().activation;
  if (!bias) {
    parallel_runs(N * C * inner, kElementsPerTask, N * C * inner, [&](int64_t begin, int64_t end) {
      kernel.bias_relu_forward(end - begin, x + begin, Real(0), y + begin);
    });
    return;
  }
  parallel_runs(N * C, kElementsPerTask / (inner + 1) + 1, N * C * inner, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      kernel.bias_relu_forward(inner, x + i * inner, bias[i % C], y + i * inner);
  });
}

template <class Real>
void bias_relu_backward(int64_t N, int64_t C, int64_t inner, const Real* grad_y, const Real* y, Real* grad_x,
                        Real* grad_bias) {
  const ActivationKernels<Real>& kernel = kernels<Real>().activation;
  if (!grad_bias) {
    parallel_runs(N * C * inner, kElementsPerTask, N * C * inner, [&](int64_t begin, int64_t end) {
      kernel.bias_relu_backward(end - begin, grad_y + begin, y + begin, grad_x + begin);
    });
    return;
  }
  Buffer<double> sums(N * C);
  parallel_runs(N * C, kElementsPerTask / (inner + 1) + 1, N * C * inner, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      sums[i] = kernel.bias_relu_backward(inner, grad_y + i * inner, y + i * inner, grad_x + i * inner);
    }
  });
  for (int64_t c = 0; c < C; ++c) {
    double sum = 0;
    for (int64_t n = 0; n < N; ++n) sum += sums[n * C + c];
    grad_bias[c] = static_cast<Real>(sum);
  }
}

template void unary(Unary, int64_t, const float*, float*);
template void unary(Unary, int64_t, const double*, double*);
template void activate(Curve<float> ActivationKernels<float>::*, int64_t, const float*, double, double,
                       float*);
template void activate(Curve<double> ActivationKernels<double>::*, int64_t, const double*, double, double,
                       double*);
template void activate_backward(Curve<float> ActivationKernels<float>::*, int64_t, const float*, const float*,
                                double, double, float*);
template void activate_backward(Curve<double> ActivationKernels<double>::*, int64_t, const double*,
                                const double*, double, double, double*);
template void bias_relu(int64_t, int64_t, int64_t, const float*, const float*, float*);
template void bias_relu(int64_t, int64_t, int64_t, const double*, const double*, double*);
template void bias_relu_backward(int64_t, int64_t, int64_t, const float*, const float*, float*, float*);
template void bias_relu_backward(int64_t, int64_t, int64_t, const double*, const double*, double*, double*);

}  // namespace unrolled
