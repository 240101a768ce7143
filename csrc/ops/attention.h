// Attention over the rows of a memory: dot, general (Luong, Pham and Manning 2015) and additive (Bahdanau,
// Cho and Bengio 2015) scores, a softmax over each item's true rows, and the sum of the rows that it weights.
#pragma once

#include <cstdint>

#include "dispatch.h"

namespace unrolled {

enum class AttentionScore { dot, general, additive };

// What a score has of: query (K, H), memory (K, M), v (K); null otherwise. A key is memory m: dot scores q .
// m, general q . (memory m) with K = H, additive v . tanh(query q + memory m).
template <class Real>
struct AttentionWeights {
  AttentionScore score;
  int64_t H, M, K;  // features of a query, of the memory, of a key
  const Real *query = nullptr, *memory = nullptr, *v = nullptr;
};

// The same, to be written.
template <class Real>
struct AttentionGradients {
  Real *query = nullptr, *memory = nullptr, *v = nullptr;
};

struct AttentionShape {
  int64_t N, Q, S;
  const int64_t* query_lengths;   // (N), 0 <= length <= Q
  const int64_t* memory_lengths;  // (N), 0 <= length <= S
};

// Elements of the tape, what the backward pass needs besides the forward pass's arguments and results.
template <class Real>
int64_t attention_tape_size(const AttentionShape& shape, const AttentionWeights<Real>& weights);

// query (N, Q, H), memory (N, S, M) -> context (N, Q, M), attended (N, Q, S) the weights of the rows; both 0
// on padding, and the context of a memory without rows is 0.
template <class Real>
void attention(const AttentionShape& shape, const AttentionWeights<Real>& weights, const Real* query,
               const Real* memory, Real* context, Real* attended, Real* tape);

// grad_context (N, Q, M), grad_attended (N, Q, S) or null -> grad_query (N, Q, H), grad_memory (N, S, M), 0
// on padding; gradients of the weights.
template <class Real>
void attention_backward(const AttentionShape& shape, const AttentionWeights<Real>& weights, const Real* query,
                        const Real* memory, const Real* attended, const Real* tape, const Real* grad_context,
                        const Real* grad_attended, Real* grad_query, Real* grad_memory,
                        const AttentionGradients<Real>& gradients);

}  // namespace unrolled
