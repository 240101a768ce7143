#include "ops/ctc_log.h"

#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "memory.h"
#include "ops/matmul.h"

namespace unrolled {
namespace {

template <class Real>
int64_t row_stride(const CtcItem<Real>& item) {
  const int64_t lanes = kernels<double>().ctc.lanes;
  return round_up(round_up(item.states(), lanes) + 2 * kCtcGuard, lanes);
}

// Minus the logarithm of each row's sum of exponentials: 0 for rows that are log probabilities already.
template <class Real>
void normalizers(const CtcItem<Real>& item, double* shift) {
  for (int64_t t = 0; t < item.T; ++t) {
    const Real* row = item.scores + t * item.C;
    const double top = static_cast<double>(*std::max_element(row, row + item.C));
    double sum = 0;
    for (int64_t c = 0; c < item.C; ++c) sum += std::exp(static_cast<double>(row[c]) - top);
    shift[t] = -(top + std::log(sum));
  }
}

// The rows the recursions read: emission (T, stride) and skip (stride), -inf outside the states.
template <class Real>
void fill_trellis(const CtcItem<Real>& item, const double* shift, int64_t stride, double* emission,
                  double* skip) {
  std::fill_n(emission, item.T * stride, -kCtcInfinity);
  std::fill_n(skip, stride, -kCtcInfinity);
  for (int64_t s = 3; item.blank >= 0 && s < item.states(); s += 2) {
    if (item.symbol(s) != item.symbol(s - 2)) skip[kCtcGuard + s] = 0;
  }
  for (int64_t t = 0; t < item.T; ++t) {
    const Real* row = item.scores + t * item.C;
    double* e = emission + t * stride + kCtcGuard;
    const double add = shift ? shift[t] : 0;
    for (int64_t s = 0; s < item.states(); ++s) e[s] = static_cast<double>(row[item.symbol(s)]) + add;
  }
}

// Whether a score that the trellis reads is NaN or +inf: maxima may lose them.
bool has_no_number(int64_t size, const double* emission) {
  bool bad = false;
  for (int64_t i = 0; i < size; ++i) bad |= !(emission[i] < kCtcInfinity);
  return bad;
}

// grad = scale * (softmax - posterior) by the logits, -scale * posterior by the log probabilities.
template <class Real>
void write_gradient(const CtcItem<Real>& item, const double* shift, int64_t stride, const double* posterior) {
  Buffer<double> occupation(item.C);
  for (int64_t t = 0; t < item.T; ++t) {
    const double* row = posterior + t * stride + kCtcGuard;
    std::fill_n(occupation.data(), item.C, 0.0);
    for (int64_t s = 0; s < item.states(); ++s) occupation[item.symbol(s)] += row[s];
    const Real* x = item.scores + t * item.C;
    Real* g = item.grad + t * item.C;
    for (int64_t c = 0; c < item.C; ++c) {
      const double softmax = item.logits ? std::exp(static_cast<double>(x[c]) + shift[t]) : 0;
      g[c] = static_cast<Real>(item.scale * (softmax - occupation[c]));
    }
  }
}

// The states' columns alone.
void copy_states(int64_t T, int64_t S, int64_t stride, const double* from, double* to) {
  for (int64_t t = 0; t < T; ++t) std::copy_n(from + t * stride + kCtcGuard, S, to + t * S);
}

}  // namespace

template <class Real>
double ctc_log_loss(const CtcItem<Real>& item) {
  if (!trellis_has_path(item.target, item.L, item.blank, item.T)) return kCtcInfinity;
  const CtcKernels& kernel = kernels<double>().ctc;
  const int64_t S = item.states(), ends = item.ends(), stride = row_stride(item);
  Buffer<double> shift(item.T), emission(item.T * stride), alpha(item.T * stride), skip(stride),
      beta(2 * stride);
  if (item.logits) normalizers(item, shift.data());
  const double* shifts = item.logits ? shift.data() : nullptr;
  fill_trellis(item, shifts, stride, emission.data(), skip.data());
  if (has_no_number(item.T * stride, emission.data())) return kCtcNaN;
  const double log_probability =
      kernel.forward(item.T, S, ends, stride, emission.data(), skip.data(), alpha.data());
  if (!item.grad || log_probability == -kCtcInfinity) return 0 - log_probability;
  kernel.backward(item.T, S, ends, stride, emission.data(), skip.data(), log_probability, beta.data(),
                  alpha.data());
  write_gradient(item, shifts, stride, alpha.data());
  return 0 - log_probability;  // not -0 where the target is certain
}

template <class Real>
void ctc_log_states(const CtcItem<Real>& item, double* log_alpha, double* log_beta_hat, double* log_beta) {
  const CtcKernels& kernel = kernels<double>().ctc;
  const int64_t T = item.T, S = item.states(), stride = row_stride(item), size = T * stride;
  if (T == 0 || S == 0) return;
  Buffer<double> skip(stride), emission(size), alpha(size), beta(size), beta_hat(size);
  fill_trellis(item, nullptr, stride, emission.data(), skip.data());
  kernel.forward(T, S, item.ends(), stride, emission.data(), skip.data(), alpha.data());
  kernel.betas(T, S, item.ends(), stride, emission.data(), skip.data(), beta.data(), beta_hat.data());
  copy_states(T, S, stride, alpha.data(), log_alpha);
  copy_states(T, S, stride, beta_hat.data(), log_beta_hat);
  copy_states(T, S, stride, beta.data(), log_beta);
}

template double ctc_log_loss(const CtcItem<float>&);
template double ctc_log_loss(const CtcItem<double>&);
template void ctc_log_states(const CtcItem<float>&, double*, double*, double*);
template void ctc_log_states(const CtcItem<double>&, double*, double*, double*);

}  // namespace unrolled
