// Attention: how well a query fits each row of a memory.
#pragma once

#include <cstdint>

namespace unrolled {

template <class Real>
struct AttentionKernels {
  // query (K), keys (S, K), v (K) -> hidden (S, K) = tanh(query + keys), scores (S) = hidden v (Bahdanau,
  // Cho, Bengio 2015, appendix A.1.2). hidden may be null.
  void (*additive)(int64_t S, int64_t K, const Real* query, const Real* keys, const Real* v, Real* hidden,
                   Real* scores);
  // grad_scores (S) and hidden of the forward pass -> added to grad_query (K), grad_keys (S, K), grad_v (K).
  void (*additive_backward)(int64_t S, int64_t K, const Real* grad_scores, const Real* hidden, const Real* v,
                            Real* grad_query, Real* grad_keys, Real* grad_v);
};

}  // namespace unrolled
