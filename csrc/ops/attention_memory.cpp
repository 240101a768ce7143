#include "ops/attention_memory.h"

#include <vector>

namespace unrolled {

template <class Real>
void AttentionMemory<Real>::project(Real* keys) const {
  if (!weights_.memory) return;
  const MatrixView<Real> weight = row_major(weights_.memory, weights_.K, weights_.M);
  matmul(rows_.view(), weight.transposed(), keys, weights_.K, false);
  if (weights_.score != AttentionScore::additive) return;
  parallel_for(N_, marks_at(), [&](int64_t n) {
    const int64_t begin = rows_.begin(n) * weights_.K;
    const bool in_exp = kernels<Real>().attention.exp_keys(size(n) * weights_.K, keys + begin);
    keys[marks_at() + n] = static_cast<Real>(in_exp);
  });
}

template <class Real>
void AttentionMemory<Real>::attend(int64_t n, const Real* query, Real* attended, Real* context) const {
  const Kernels<Real>& kernel = kernels<Real>();
  const int64_t S = size(n), K = weights_.K;
  if (weights_.score == AttentionScore::additive) {
    additive(n).forward(S, K, query, keys(n), weights_.v, attended);
  } else {
    kernel.dot_rows(S, {keys(n), query, K}, {}, attended);
  }
  if (S > 0) kernel.softmax.softmax_forward(S, attended, attended);
  kernel.attention.weighted_sum(S, weights_.M, attended, values(n), context);
}

template <class Real>
AttentionMemoryGradients<Real>::AttentionMemoryGradients(const AttentionMemory<Real>& memory, int64_t N)
    : memory_(memory),
      N_(N),
      values_(memory.rows().count() * memory.weights().M),
      keys_(memory.weights().memory ? memory.rows().count() * memory.weights().K : 0),
      v_(memory.weights().v ? N * memory.weights().K : 0) {
  const AttentionWeights<Real>& w = memory.weights();
  std::fill_n(values_.data(), memory.rows().count() * w.M, Real(0));
  std::fill_n(keys_.data(), w.memory ? memory.rows().count() * w.K : 0, Real(0));
  std::fill_n(v_.data(), w.v ? N * w.K : 0, Real(0));
}

template <class Real>
void AttentionMemoryGradients<Real>::attend_backward(int64_t n, const Real* query, const Real* attended,
                                                     const Real* grad_context, const Real* grad_attended,
                                                     Real* grad_query, Real* scratch) {
  const Kernels<Real>& kernel = kernels<Real>();
  const AttentionWeights<Real>& w = memory_.weights();
  const int64_t S = memory_.size(n);
  kernel.dot_rows(S, {memory_.values(n), grad_context, w.M}, {}, scratch);
  for (int64_t s = 0; grad_attended && s < S; ++s) scratch[s] += grad_attended[s];
  if (S > 0) kernel.softmax.softmax_backward(S, scratch, attended, scratch);
  if (w.score == AttentionScore::additive) {
    memory_.additive(n).backward(S, w.K, scratch, query, memory_.keys(n), w.v, grad_query, keys(n), v(n));
  } else {
    kernel.attention.weighted_sum(S, w.K, scratch, memory_.keys(n), grad_query);
    kernel.attention.add_outer(S, w.K, scratch, query, keys(n));
  }
}

template <class Real>
void AttentionMemoryGradients<Real>::add_contexts(int64_t n, MatrixView<Real> attended,
                                                  MatrixView<Real> grad_contexts) {
  attended.columns = memory_.size(n);
  matmul(attended.transposed(), grad_contexts, values(n), memory_.weights().M, true);
}

template <class Real>
void AttentionMemoryGradients<Real>::finish(Real* grad_memory, const AttentionGradients<Real>& gradients) {
  const AttentionWeights<Real>& w = memory_.weights();
  const RaggedRows<Real>& rows = memory_.rows();
  if (w.memory) {
    const MatrixView<Real> keys = row_major<Real>(keys_.data(), rows.count(), w.K);
    matmul(keys, row_major(w.memory, w.K, w.M), values_.data(), w.M, true);
    matmul(keys.transposed(), rows.view(), gradients.memory, w.M, false);
  }
  rows.scatter(values_.data(), grad_memory);
  for (int64_t k = 0; w.v && k < w.K; ++k) {
    double sum = 0;
    for (int64_t n = 0; n < N_; ++n) sum += static_cast<double>(v(n)[k]);
    gradients.v[k] = static_cast<Real>(sum);
  }
}

#define UNROLLED_INSTANTIATE(Real)      \
  template class AttentionMemory<Real>; \
  template class AttentionMemoryGradients<Real>;
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
