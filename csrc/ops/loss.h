// Losses over threads.
#pragma once

#include <cstdint>

namespace unrolled {

// How the losses of all positions become one; `none` keeps them apart.
enum class Reduction { none, mean, sum };

// x (N, C, inner): the classes of every position stand `inner` apart.
template <class Real>
struct CrossEntropyShape {
  int64_t N, C, inner;
  const Real* weight;  // (C), or null for 1
  double label_smoothing;
  int64_t ignored;  // positions with this label do not count
  Reduction reduction;
};

// labels (N, inner) or target (N, C, inner), the other null -> the reduced loss, or with `none` loss
// (N, inner); grad (N, C, inner) may be null. Throws std::invalid_argument where a label is no class and
// where a mean is over weights that sum to 0.
template <class Real>
double cross_entropy(const CrossEntropyShape<Real>& shape, const Real* x, const int64_t* labels,
                     const Real* target, Real* loss, Real* grad);

// The same for x that are logarithms of probabilities already, without smoothing: -weight x at the label.
template <class Real>
double nll(const CrossEntropyShape<Real>& shape, const Real* x, const int64_t* labels, Real* loss,
           Real* grad);

// x, target (n) -> the sum of the losses of all elements; loss (n) and grad (n) = scale * d loss / dx may be
// null.
template <class Real>
double squared_error(int64_t n, const Real* x, const Real* target, double scale, Real* loss, Real* grad);
template <class Real>
double divergence(int64_t n, const Real* x, const Real* target, bool log_target, double scale, Real* loss,
                  Real* grad);

}  // namespace unrolled
