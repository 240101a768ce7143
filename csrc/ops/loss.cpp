#include "ops/loss.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "dispatch.h"
#include "memory.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kElementsPerTask = 1 << 14;

template <class Real>
double weight_of(const CrossEntropyShape<Real>& s, int64_t c) {
  return s.weight ? static_cast<double>(s.weight[c]) : 1;
}

template <class Real>
[[noreturn]] void throw_no_class(const CrossEntropyShape<Real>& s, int64_t at, int64_t label) {
  const std::string place = s.inner > 1 ? ", position " + std::to_string(at % s.inner) + "," : "";
  throw std::invalid_argument("target of item " + std::to_string(at / s.inner) + place + " is " +
                              std::to_string(label) + ": it must be a class, 0 .. " +
                              std::to_string(s.C - 1) + ", or ignore_index (" + std::to_string(s.ignored) +
                              ")");
}

// The weights of all labels together; every label is checked on the way.
template <class Real>
double label_weights(const CrossEntropyShape<Real>& s, const int64_t* labels) {
  double sum = 0;
  for (int64_t i = 0; i < s.N * s.inner; ++i) {
    if (labels[i] == s.ignored) continue;
    if (labels[i] < 0 || labels[i] >= s.C) throw_no_class(s, i, labels[i]);
    sum += weight_of(s, labels[i]);
  }
  return sum;
}

// What the losses of the positions are multiplied with.
template <class Real>
double scale_of(const CrossEntropyShape<Real>& s, double weights) {
  if (s.reduction != Reduction::mean) return 1;
  if (weights == 0) {
    throw std::invalid_argument(
        "target has nothing to average: there is no position, every one is ignore_index, or the weights of "
        "its classes sum to 0; skip this batch, or use reduction=\"sum\"");
  }
  return 1 / weights;
}

template <class Real>
CrossEntropyTerms<Real> make_terms(const CrossEntropyShape<Real>& s) {
  double weight_sum = 0;
  for (int64_t c = 0; c < s.C; ++c) weight_sum += weight_of(s, c);
  return {s.weight, weight_sum, static_cast<Real>(1 - s.label_smoothing),
          static_cast<Real>(s.label_smoothing / static_cast<double>(s.C))};
}

double sum_of(const Buffer<double>& parts, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += parts[i];
  return sum;
}

template <class Real>
double cross_entropy_rows(const CrossEntropyShape<Real>& s, const CrossEntropyTerms<Real>& terms,
                          double scale, const Real* x, const int64_t* labels, const Real* target, Real* loss,
                          Real* grad) {
  const LossKernels<Real>& kernel = kernels<Real>().loss;
  Buffer<double> losses(s.N);
  parallel_runs(s.N, kElementsPerTask / (s.C + 1) + 1, s.N * s.C, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Real* row = x + i * s.C;
      Real* to = grad ? grad + i * s.C : nullptr;
      const bool ignored = labels && labels[i] == s.ignored;
      losses[i] = ignored  ? 0
                  : labels ? kernel.cross_entropy_row(s.C, row, labels[i], terms, scale, to)
                           : kernel.cross_entropy_mixture_row(s.C, row, target + i * s.C, terms, scale, to);
      if (ignored && grad) std::fill(to, to + s.C, Real(0));
      if (loss) loss[i] = static_cast<Real>(losses[i]);
    }
  });
  return sum_of(losses, s.N);
}

template <class Real>
double cross_entropy_columns(const CrossEntropyShape<Real>& s, const CrossEntropyTerms<Real>& terms,
                             double scale, const Real* x, const int64_t* labels, const Real* target,
                             Real* loss, Real* grad) {
  const LossKernels<Real>& kernel = kernels<Real>().loss;
  // Columns go together by whole vectors of any level.
  const int64_t columns = (kElementsPerTask / (s.C + 1) / 64 + 1) * 64;
  const int64_t cuts = (s.inner + columns - 1) / columns;
  Buffer<double> sums(s.N * cuts);
  Buffer<Real> own(loss ? 0 : s.N * s.inner);
  Real* losses = loss ? loss : own.data();
  parallel_for(s.N * cuts, s.N * s.C * s.inner, [&](int64_t task) {
    const int64_t n = task / cuts, begin = task % cuts * columns;
    const int64_t count = std::min(columns, s.inner - begin);
    const int64_t at = n * s.inner + begin, from = n * s.C * s.inner + begin;
    Real* to = grad ? grad + from : nullptr;
    if (labels) {
      kernel.cross_entropy_columns(s.C, s.inner, count, x + from, labels + at, s.ignored, terms, scale,
                                   losses + at, to);
    } else {
      kernel.cross_entropy_mixture_columns(s.C, s.inner, count, x + from, target + from, terms, scale,
                                           losses + at, to);
    }
    sums[task] = kernels<Real>().norm.sum(count, losses + at);
  });
  return sum_of(sums, s.N * cuts);
}

// Calls part(begin, end), which returns a sum, on runs of [0, n).
template <class Part>
double sum_of_runs(int64_t n, Part part) {
  Buffer<double> sums(n / kElementsPerTask + 1);
  parallel_runs(n, kElementsPerTask, n,
                [&](int64_t begin, int64_t end) { sums[begin / kElementsPerTask] = part(begin, end); });
  return sum_of(sums, (n + kElementsPerTask - 1) / kElementsPerTask);
}

template <class Real>
Real* offset(Real* p, int64_t n) {
  return p ? p + n : nullptr;
}

}  // namespace

template <class Real>
double cross_entropy(const CrossEntropyShape<Real>& s, const Real* x, const int64_t* labels,
                     const Real* target, Real* loss, Real* grad) {
  const double weights = labels ? label_weights(s, labels) : static_cast<double>(s.N * s.inner);
  const double scale = scale_of(s, weights);
  const CrossEntropyTerms<Real> terms = make_terms(s);
  const auto run = s.inner == 1 ? cross_entropy_rows<Real> : cross_entropy_columns<Real>;
  return scale * run(s, terms, scale, x, labels, target, loss, grad);
}

template <class Real>
double nll(const CrossEntropyShape<Real>& s, const Real* x, const int64_t* labels, Real* loss, Real* grad) {
  const double scale = scale_of(s, label_weights(s, labels));
  if (grad) std::fill(grad, grad + s.N * s.C * s.inner, Real(0));
  double sum = 0;
  for (int64_t i = 0; i < s.N * s.inner; ++i) {
    if (loss) loss[i] = 0;
    if (labels[i] == s.ignored) continue;
    const int64_t at = (i / s.inner * s.C + labels[i]) * s.inner + i % s.inner;
    const double weight = weight_of(s, labels[i]);
    const double value = weight == 0 ? 0 : -weight * static_cast<double>(x[at]);
    if (loss) loss[i] = static_cast<Real>(value);
    if (grad) grad[at] = static_cast<Real>(-scale * weight);
    sum += value;
  }
  return scale * sum;
}

template <class Real>
double squared_error(int64_t n, const Real* x, const Real* target, double scale, Real* loss, Real* grad) {
  const LossKernels<Real>& kernel = kernels<Real>().loss;
  return sum_of_runs(n, [&](int64_t begin, int64_t end) {
    return kernel.squared_error(end - begin, x + begin, target + begin, static_cast<Real>(scale),
                                offset(loss, begin), offset(grad, begin));
  });
}

template <class Real>
double divergence(int64_t n, const Real* x, const Real* target, bool log_target, double scale, Real* loss,
                  Real* grad) {
  const LossKernels<Real>& kernel = kernels<Real>().loss;
  return sum_of_runs(n, [&](int64_t begin, int64_t end) {
    return kernel.divergence(end - begin, x + begin, target + begin, log_target, static_cast<Real>(scale),
                             offset(loss, begin), offset(grad, begin));
  });
}

template double cross_entropy(const CrossEntropyShape<float>&, const float*, const int64_t*, const float*,
                              float*, float*);
template double cross_entropy(const CrossEntropyShape<double>&, const double*, const int64_t*, const double*,
                              double*, double*);
template double nll(const CrossEntropyShape<float>&, const float*, const int64_t*, float*, float*);
template double nll(const CrossEntropyShape<double>&, const double*, const int64_t*, double*, double*);
template double squared_error(int64_t, const float*, const float*, double, float*, float*);
template double squared_error(int64_t, const double*, const double*, double, double*, double*);
template double divergence(int64_t, const float*, const float*, bool, double, float*, float*);
template double divergence(int64_t, const double*, const double*, bool, double, double*, double*);

}  // namespace unrolled
