// Attention: how well a query fits each row of a memory, and sums of such rows. Scores that are dot products
// are DotRows (kernels/recurrent.h).
#pragma once

#include <cstdint>

namespace unrolled {

// The additive score (Bahdanau, Cho, Bengio 2015, appendix A.1.2) of query and keys as they are, or of both
// as exp(2x).
template <class Real>
struct AdditiveKernels {
  // query (K), keys (S, K), v (K) -> scores (S) = v . tanh(query + keys).
  void (*forward)(int64_t S, int64_t K, const Real* query, const Real* keys, const Real* v, Real* scores);
  // grad_scores (S) and what the forward pass read -> grad_query (K), that of query + keys; added to
  // grad_keys (S, K), grad_v (K). The tanh is computed again: that is quicker than reading it from afar.
  void (*backward)(int64_t S, int64_t K, const Real* grad_scores, const Real* query, const Real* keys,
                   const Real* v, Real* grad_query, Real* grad_keys, Real* grad_v);
};

template <class Real>
struct AttentionKernels {
  AdditiveKernels<Real> additive, additive_exp;
  // keys (n) = exp(2 keys), and true; or as they were, and false, if one is so large that no query's exp(2x)
  // would do.
  bool (*exp_keys)(int64_t n, Real* keys);
  // query (n) = exp(2 query), a large one cut where any key that exp_keys takes leaves the tanh at 1.
  void (*exp_query)(int64_t n, Real* query);
  // y (M) = weights (S) times rows (S, M).
  void (*weighted_sum)(int64_t S, int64_t M, const Real* weights, const Real* rows, Real* y);
  // rows (S, M) += weights (S) x (M)^T.
  void (*add_outer)(int64_t S, int64_t M, const Real* weights, const Real* x, Real* rows);
  // y (n) = tanh(y + bias).
  void (*tanh_bias)(int64_t n, const Real* bias, Real* y);
  // grad (n) = grad (1 - y^2), for y = tanh of something.
  void (*tanh_backward)(int64_t n, const Real* y, Real* grad);
};

}  // namespace unrolled
