#include "kernels/optim.h"

#include "kernels/simd.h"
#include "kernels/simd_extremes.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
void sgd(int64_t n, const SgdStep& step, const Real* grad, Real* param, Real* velocity) {
  const Real lr = static_cast<Real>(step.lr), momentum = static_cast<Real>(step.momentum);
  const Real decay = static_cast<Real>(step.weight_decay);
  for (int64_t i = 0; i < n; ++i) {
    Real g = grad[i] + decay * param[i];
    if (velocity) {
      velocity[i] = step.first ? g : momentum * velocity[i] + g;
      g = step.nesterov ? g + momentum * velocity[i] : velocity[i];
    }
    param[i] -= lr * g;
  }
}

template <class Real>
void adam(int64_t n, const AdamStep& step, const Real* grad, Real* param, Real* exp_avg, Real* exp_avg_sq) {
  const Real beta1 = static_cast<Real>(step.beta1), rest1 = static_cast<Real>(1 - step.beta1);
  const Real beta2 = static_cast<Real>(step.beta2), rest2 = static_cast<Real>(1 - step.beta2);
  const Real size = static_cast<Real>(step.lr / step.correction1);
  const Real root = static_cast<Real>(1 / __builtin_sqrt(step.correction2)),
             eps = static_cast<Real>(step.eps);
  const Real keep = step.decoupled ? static_cast<Real>(1 - step.lr * step.weight_decay) : Real(1);
  const Real decay = step.decoupled ? Real(0) : static_cast<Real>(step.weight_decay);
  for (int64_t i = 0; i < n; ++i) {
    const Real p = param[i] * keep, g = grad[i] + decay * p;
    const Real m = beta1 * exp_avg[i] + rest1 * g, v = beta2 * exp_avg_sq[i] + rest2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    param[i] = p - size * m / (static_cast<Real>(__builtin_sqrt(v)) * root + eps);
  }
}

template <class Real>
double max_abs(int64_t n, const Real* x) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> best{};
  bool is_nan = false;
  for (int64_t i = 0; i < n; i += W) {
    const Vec<Real> v = load_or_zero(x + i, n - i < W ? n - i : W);
    is_nan |= has_nan<Real>(v);
    best = max(best, max(v, -v));
  }
  return is_nan ? __builtin_nan("") : static_cast<double>(largest_lane<Real>(best));
}

template <class Real>
double sum_squares(int64_t n, const Real* x, double scale) {
  constexpr int kLanes = 8;  // a fixed number on every level: the norm is the same on all
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const double v = static_cast<double>(x[i + lane]) * scale;
      sums[lane] += v * v;
    }
  }
  for (; i < n; ++i) {
    const double v = static_cast<double>(x[i]) * scale;
    sums[0] += v * v;
  }
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

template <class Real>
void scale(int64_t n, Real factor, Real* x) {
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

}  // namespace

template <class Real>
OptimKernels<Real> optim_kernels() {
  return {sgd<Real>, adam<Real>, max_abs<Real>, sum_squares<Real>, scale<Real>};
}
template OptimKernels<float> optim_kernels();
template OptimKernels<double> optim_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
