#include "ops/ctc.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "dispatch.h"
#include "memory.h"
#include "ops/matmul.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// One item of the batch and its blank-extended target.
template <class Real>
struct Item {
  const Real* scores;  // (T, C)
  const int64_t* target;
  int64_t T, C, L, blank;
  bool logits;

  int64_t states() const { return 2 * L + 1; }
  int64_t symbol(int64_t state) const { return state % 2 == 0 ? blank : target[state / 2]; }
};

template <class Real>
Item<Real> make_item(const CtcShape& s, const Real* scores, int64_t n) {
  const int64_t begin = s.target_offsets[n];
  return {scores + n * s.T * s.C,
          s.targets + begin,
          s.input_lengths[n],
          s.C,
          s.target_offsets[n + 1] - begin,
          s.blank,
          s.logits};
}

// Minus the logarithm of each row's sum of exponentials: 0 for rows that are log probabilities already.
template <class Real>
void normalizers(const Item<Real>& item, double* shift) {
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
void fill_trellis(const Item<Real>& item, const double* shift, int64_t stride, double* emission,
                  double* skip) {
  std::fill_n(emission, item.T * stride, -kInf);
  std::fill_n(skip, stride, -kInf);
  for (int64_t s = 3; s < item.states(); s += 2) {
    if (item.symbol(s) != item.symbol(s - 2)) skip[kCtcGuard + s] = 0;
  }
  for (int64_t t = 0; t < item.T; ++t) {
    const Real* row = item.scores + t * item.C;
    double* e = emission + t * stride + kCtcGuard;
    const double add = shift ? shift[t] : 0;
    const double blank = static_cast<double>(row[item.blank]) + add;
    e[0] = blank;
    for (int64_t l = 0; l < item.L; ++l) {
      e[2 * l + 1] = static_cast<double>(row[item.target[l]]) + add;
      e[2 * l + 2] = blank;
    }
  }
}

// grad = scale * (softmax - posterior) by the logits, -scale * posterior by the log probabilities.
template <class Real>
void write_gradient(const Item<Real>& item, const double* shift, int64_t stride, const double* posterior,
                    double scale, Real* grad) {
  Buffer<double> occupation(item.C);
  for (int64_t t = 0; t < item.T; ++t) {
    const double* row = posterior + t * stride + kCtcGuard;
    std::fill_n(occupation.data(), item.C, 0.0);
    for (int64_t s = 0; s < item.states(); ++s) occupation[item.symbol(s)] += row[s];
    const Real* x = item.scores + t * item.C;
    Real* g = grad + t * item.C;
    for (int64_t c = 0; c < item.C; ++c) {
      const double softmax = item.logits ? std::exp(static_cast<double>(x[c]) + shift[t]) : 0;
      g[c] = static_cast<Real>(scale * (softmax - occupation[c]));
    }
  }
}

template <class Real>
double item_loss(const Item<Real>& item, double scale, Real* grad) {
  if (item.T < ctc_required_frames(item.target, item.L)) return kInf;
  const CtcKernels& kernel = kernels<double>().ctc;
  const int64_t stride = round_up(round_up(item.states(), kernel.lanes) + 2 * kCtcGuard, kernel.lanes);
  Buffer<double> shift(item.T), emission(item.T * stride), alpha(item.T * stride), skip(stride),
      beta(2 * stride);
  if (item.logits) normalizers(item, shift.data());
  const double* shifts = item.logits ? shift.data() : nullptr;
  fill_trellis(item, shifts, stride, emission.data(), skip.data());
  const double log_probability =
      kernel.forward(item.T, item.states(), stride, emission.data(), skip.data(), alpha.data());
  if (!grad || log_probability == -kInf) return 0 - log_probability;
  kernel.backward(item.T, item.states(), stride, emission.data(), skip.data(), log_probability, beta.data(),
                  alpha.data());
  write_gradient(item, shifts, stride, alpha.data(), scale, grad);
  return 0 - log_probability;  // not -0 where the target is certain
}

}  // namespace

int64_t ctc_required_frames(const int64_t* target, int64_t length) {
  int64_t frames = length;
  for (int64_t i = 1; i < length; ++i) frames += target[i] == target[i - 1];
  return frames;
}

template <class Real>
void ctc_loss(const CtcShape& s, const Real* scores, const double* scale, double* losses, Real* grad) {
  const int64_t cells = s.T * (2 * s.target_offsets[s.N] + s.N);  // each a few exponentials
  parallel_for(s.N, 16 * cells, [&](int64_t n) {
    Real* item_grad = grad ? grad + n * s.T * s.C : nullptr;
    if (item_grad) std::fill_n(item_grad, s.T * s.C, Real(0));
    losses[n] = item_loss(make_item(s, scores, n), scale ? scale[n] : 1.0, item_grad);
  });
}

template void ctc_loss(const CtcShape&, const float*, const double*, double*, float*);
template void ctc_loss(const CtcShape&, const double*, const double*, double*, double*);

}  // namespace unrolled
