// The memories of a batch: their true rows, the keys that queries are compared with, and the gradients of
// both.
#pragma once

#include "ops/attention.h"
#include "ops/ragged_rows.h"

namespace unrolled {

template <class Real>
class AttentionMemory {
 public:
  // Space for the keys in the tape, and for an additive score's marks of the items.
  static int64_t keys_size(const AttentionWeights<Real>& weights, int64_t N, int64_t rows) {
    return (weights.memory ? rows * weights.K : 0) + (weights.v ? N : 0);
  }
  // keys: of keys_size, to be written by project() or read as it left them.
  AttentionMemory(int64_t N, int64_t S, const int64_t* lengths, const AttentionWeights<Real>& weights,
                  const Real* memory, const Real* keys)
      : weights_(weights),
        N_(N),
        rows_(N, S, weights.M, lengths, memory),
        keys_(weights.memory ? keys : rows_.item(0)) {}

  const AttentionWeights<Real>& weights() const { return weights_; }
  const RaggedRows<Real>& rows() const { return rows_; }
  int64_t size(int64_t n) const { return rows_.size(n); }
  const Real* values(int64_t n) const { return rows_.item(n); }
  const Real* keys(int64_t n) const { return keys_ + rows_.begin(n) * weights_.K; }
  // Of item n, whose keys project() has left as they are or as exp(2x).
  const AdditiveKernels<Real>& additive(int64_t n) const {
    const AttentionKernels<Real>& kernel = kernels<Real>().attention;
    return in_exp(n) ? kernel.additive_exp : kernel.additive;
  }

  void project(Real* keys) const;

  // Makes a projected query (K) of item n what `attend` and its kernels take, in place.
  void prepare(int64_t n, Real* query) const {
    if (in_exp(n)) kernels<Real>().attention.exp_query(weights_.K, query);
  }
  // One query (K) of item n, projected and prepared if its score does that: attended (size), context (M).
  void attend(int64_t n, const Real* query, Real* attended, Real* context) const;

 private:
  // Behind the keys: 1 for each item whose keys are exp(2x), else 0.
  int64_t marks_at() const { return rows_.count() * weights_.K; }
  bool in_exp(int64_t n) const { return weights_.v && keys_[marks_at() + n] != Real(0); }

  AttentionWeights<Real> weights_;
  int64_t N_;
  RaggedRows<Real> rows_;
  const Real* keys_;
};

template <class Real>
class AttentionMemoryGradients {
 public:
  explicit AttentionMemoryGradients(const AttentionMemory<Real>& memory, int64_t N);

  Real* values(int64_t n) { return values_.data() + memory_.rows().begin(n) * memory_.weights().M; }
  // The same rows as those of the values where these are the keys.
  Real* keys(int64_t n) {
    return memory_.weights().memory ? keys_.data() + memory_.rows().begin(n) * memory_.weights().K
                                    : values(n);
  }
  Real* v(int64_t n) { return v_.data() + n * memory_.weights().K; }

  // Back through one query of `attend`, from the gradient of its context (M) and of its weights (size) or
  // null
  // -> grad_query (K); scratch (size).
  void attend_backward(int64_t n, const Real* query, const Real* attended, const Real* grad_context,
                       const Real* grad_attended, Real* grad_query, Real* scratch);

  // Of all queries of an item: attended (count, S), the gradients of their contexts (count, M).
  void add_contexts(int64_t n, MatrixView<Real> attended, MatrixView<Real> grad_contexts);

  // When all queries are done: grad_memory (N, S, M), gradients.memory and gradients.v.
  void finish(Real* grad_memory, const AttentionGradients<Real>& gradients);

 private:
  const AttentionMemory<Real>& memory_;
  int64_t N_;
  Buffer<Real> values_, keys_, v_;
};

}  // namespace unrolled
