// Losses: cross entropy over the classes of rows or of columns, squared error, Kullback-Leibler divergence.
#pragma once

#include <cstdint>

namespace unrolled {

// The scores x of one position are compared with q(c) = weight(c) (keep t(c) + smooth), where t is 1 at the
// position's label, or given as probabilities.
template <class Real>
struct CrossEntropyTerms {
  const Real* weight;  // (C), or null for 1
  double weight_sum;   // of all classes
  Real keep, smooth;   // 1 - label_smoothing and label_smoothing / C
};

template <class Real>
struct LossKernels {
  // One row x (C) and its label -> the loss; grad (C) = scale * d loss / dx. grad may be null.
  double (*cross_entropy_row)(int64_t C, const Real* x, int64_t label, const CrossEntropyTerms<Real>& terms,
                              double scale, Real* grad);
  // The same for probabilities (C).
  double (*cross_entropy_mixture_row)(int64_t C, const Real* x, const Real* target,
                                      const CrossEntropyTerms<Real>& terms, double scale, Real* grad);
  // `count` neighbouring columns of x (C, stride), labels (count) -> loss (count); grad as x. A column whose
  // label is `ignored` has loss and gradient 0.
  void (*cross_entropy_columns)(int64_t C, int64_t stride, int64_t count, const Real* x,
                                const int64_t* labels, int64_t ignored, const CrossEntropyTerms<Real>& terms,
                                double scale, Real* loss, Real* grad);
  // The same for probabilities, target as x.
  void (*cross_entropy_mixture_columns)(int64_t C, int64_t stride, int64_t count, const Real* x,
                                        const Real* target, const CrossEntropyTerms<Real>& terms,
                                        double scale, Real* loss, Real* grad);

  // x, target (n) -> the sum of the losses of all elements; loss (n) unscaled, grad (n) = scale * d loss /
  // dx, each may be null. Squared error: (x - target)^2.
  double (*squared_error)(int64_t n, const Real* x, const Real* target, Real scale, Real* loss, Real* grad);
  // target (log(target) - x), 0 where the target is 0; x is a logarithm, and with `log_target` the target
  // too.
  double (*divergence)(int64_t n, const Real* x, const Real* target, bool log_target, Real scale, Real* loss,
                       Real* grad);
};

}  // namespace unrolled
