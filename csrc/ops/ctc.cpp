#include "ops/ctc.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "denormals.h"
#include "ops/ctc_emissions.h"
#include "ops/ctc_exact.h"
#include "ops/ctc_linear.h"
#include "ops/ctc_log.h"
#include "parallel.h"

namespace unrolled {
namespace {

double item_loss(const CtcItem<double>& item, CtcPath) { return ctc_log_loss(item); }

// What rounding makes of a loss of 0: rows of logits are normalised, those of log probabilities should be.
double not_below_zero(double loss, const CtcItem<float>& item) {
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

template void ctc_loss(const TrellisShape&, bool, CtcPath, const float*, const double*, double*, float*);
template void ctc_loss(const TrellisShape&, bool, CtcPath, const double*, const double*, double*, double*);
template void ctc_states(const TrellisShape&, const float*, double*, double*, double*);
template void ctc_states(const TrellisShape&, const double*, double*, double*, double*);

}  // namespace unrolled
