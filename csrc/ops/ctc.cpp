#include "ops/ctc.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <type_traits>

#include "denormals.h"
#include "memory.h"
#include "ops/ctc_emissions.h"
#include "ops/ctc_exact.h"
#include "ops/ctc_linear.h"
#include "ops/ctc_log.h"
#include "parallel.h"

namespace unrolled {
namespace {

double item_loss(const CtcItem<double>& item, CtcPath) { return ctc_log_loss(item); }

// What rounding makes of a loss of 0: rows of logits are normalised, those of log probabilities should be.
// Without a blank a loss may be negative: several paths through equal neighbours read the same classes.
double not_below_zero(double loss, const CtcItem<float>& item) {
  if (item.blank < 0) return loss;
  const double rounding = item.logits ? kCtcInfinity : 2e-7 * static_cast<double>(item.T + 4);
  return loss < 0 && loss > -rounding ? 0 : loss;
}

double item_loss(const CtcItem<float>& item, CtcPath path) {
  if (path == CtcPath::log) return ctc_log_loss(item);
  if (!trellis_has_path(item.target, item.L, item.blank, item.T)) return kCtcInfinity;
  if (item.T == 0) return 0;
  const FlushDenormals flush;
  CtcEmissions emissions(item);
  if (emissions.has_nan()) return kCtcNaN;
  std::optional<double> log_probability;
  if (path != CtcPath::exact) log_probability = ctc_linear_loss(item, emissions);
  if (!log_probability && path == CtcPath::linear) return kCtcNaN;
  if (!log_probability) log_probability = ctc_exact_loss(item, emissions);
  if (!log_probability) return ctc_log_loss(item);
  return not_below_zero(emissions.log_sums() - *log_probability, item);
}

// Each item's gradient is written by the way its loss is found; here what is left of it.
template <class Real>
double item_loss_and_padding(const CtcItem<Real>& item, CtcPath path, int64_t frames) {
  const double loss = item_loss(item, path);
  if (!item.grad) return loss;
  if (!std::isfinite(loss)) std::fill_n(item.grad, item.T * item.C, Real(0));
  std::fill_n(item.grad + item.T * item.C, (frames - item.T) * item.C, Real(0));
  return loss;
}

constexpr int64_t kMostLogStates = 1 << 22;

template <class Real>
void log_path_posterior(const CtcItem<Real>& item, const int32_t* states, double* posterior) {
  const int64_t S = item.states(), size = item.T * S;
  Buffer<double> alpha(size), beta_hat(size), beta(size);
  ctc_log_states(item, alpha.data(), beta_hat.data(), beta.data());
  double log_z = -kCtcInfinity;
  for (int64_t s = std::max<int64_t>(S - item.ends(), 0); s < S; ++s) {
    const double x = alpha[size - S + s], top = std::max(x, log_z);
    if (top > -kCtcInfinity) log_z = top + std::log(std::exp(x - top) + std::exp(log_z - top));
  }
  for (int64_t t = 0; t < item.T; ++t) {
    const int64_t at = t * S + states[t];
    posterior[t] = states[t] < 0 || log_z == -kCtcInfinity ? 0 : std::exp(alpha[at] + beta[at] - log_z);
  }
}

bool float_path_posterior(const CtcItem<float>& item, const int32_t* states, Interrupt& interrupt,
                          double* posterior) {
  const FlushDenormals flush;
  CtcEmissions emissions(item);
  return ctc_exact_path_posterior(item, emissions, states, interrupt, posterior);
}

bool float_path_posterior(const CtcItem<double>& item, const int32_t* states, Interrupt& interrupt,
                          double* posterior) {
  Buffer<float> scores(item.T * item.C);
  std::transform(item.scores, item.scores + item.T * item.C, scores.data(),
                 [](double x) { return static_cast<float>(x); });
  const CtcItem<float> copy = {scores.data(), item.target, item.T, item.C, item.L,
                               item.blank,    false,       1.0,    nullptr};
  return float_path_posterior(copy, states, interrupt, posterior);
}

}  // namespace

template <class Real>
void ctc_loss(const TrellisShape& s, bool logits, CtcPath path, const Real* scores, const double* scale,
              double* losses, Real* grad) {
  const int64_t cells = s.T * (2 * s.target_offsets[s.N] + s.N + s.N * s.C);
  parallel_for(s.N, cells, [&](int64_t n) {
    const CtcItem<Real> item = make_ctc_item(s, n, scores, logits, scale ? scale[n] : 1.0, grad);
    losses[n] = item_loss_and_padding(item, path, s.T);
  });
}

template <class Real>
void ctc_states(const TrellisShape& s, const Real* scores, double* log_alpha, double* log_beta_hat,
                double* log_beta) {
  const CtcItem<Real> item = make_ctc_item<Real>(s, 0, scores, false, 1.0, nullptr);
  ctc_log_states(item, log_alpha, log_beta_hat, log_beta);
}

template <class Real>
void ctc_path_posterior(const TrellisShape& s, const Real* scores, const int32_t* states,
                        Interrupt& interrupt, double* posterior) {
  const CtcItem<Real> item = make_ctc_item<Real>(s, 0, scores, false, 1.0, nullptr);
  if (item.T == 0 || item.states() == 0) return;
  const bool small = item.T * item.states() <= kMostLogStates;
  if ((std::is_same_v<Real, double> && small) || !float_path_posterior(item, states, interrupt, posterior)) {
    log_path_posterior(item, states, posterior);
  }
}

template void ctc_loss(const TrellisShape&, bool, CtcPath, const float*, const double*, double*, float*);
template void ctc_loss(const TrellisShape&, bool, CtcPath, const double*, const double*, double*, double*);
template void ctc_states(const TrellisShape&, const float*, double*, double*, double*);
template void ctc_states(const TrellisShape&, const double*, double*, double*, double*);
template void ctc_path_posterior(const TrellisShape&, const float*, const int32_t*, Interrupt&, double*);
template void ctc_path_posterior(const TrellisShape&, const double*, const int32_t*, Interrupt&, double*);

}  // namespace unrolled
