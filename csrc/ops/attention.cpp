#include "ops/attention.h"

#include "denormals.h"
#include "ops/attention_memory.h"

namespace unrolled {
namespace {

// Of one item: queries (count, K) in rows, projected if the score does that, and where its results lie.
template <class Real>
struct ItemQueries {
  int64_t n, count;
  const Real* queries;
};

template <class Real>
int64_t attention_work(const AttentionShape& s, const AttentionWeights<Real>& w) {
  return s.N * s.Q * s.S * (w.K + w.M) / (w.v ? 1 : kMultiplyAddsPerOperation);
}

int64_t rows_of(int64_t N, const int64_t* lengths) {
  int64_t rows = 0;
  for (int64_t n = 0; n < N; ++n) rows += lengths[n];
  return rows;
}

// Scores of an item's queries for its memory, (count, S) with rows S apart.
template <class Real>
void score_item(const AttentionMemory<Real>& memory, const ItemQueries<Real>& q, Real* scores, int64_t S) {
  const AttentionWeights<Real>& w = memory.weights();
  const int64_t size = memory.size(q.n);
  if (w.score == AttentionScore::additive) {
    for (int64_t i = 0; i < q.count; ++i)
      memory.additive(q.n).forward(size, w.K, q.queries + i * w.K, memory.keys(q.n), w.v, scores + i * S);
    return;
  }
  matmul(row_major(q.queries, q.count, w.K), row_major(memory.keys(q.n), size, w.K).transposed(), scores, S,
         false);
}

template <class Real>
void attend_item(const AttentionMemory<Real>& memory, const ItemQueries<Real>& q, const AttentionShape& s,
                 Real* context, Real* attended) {
  const int64_t M = memory.weights().M, size = memory.size(q.n);
  score_item(memory, q, attended, s.S);
  for (int64_t i = 0; i < q.count; ++i) {
    Real* row = attended + i * s.S;
    if (size > 0) kernels<Real>().softmax.softmax_forward(size, row, row);
    std::fill(row + size, row + s.S, Real(0));
  }
  std::fill(attended + q.count * s.S, attended + s.Q * s.S, Real(0));
  const MatrixView<Real> weights = {attended, q.count, size, s.S, 1};
  matmul(weights, row_major(memory.values(q.n), size, M), context, M, false);
  std::fill(context + q.count * M, context + s.Q * M, Real(0));
}

// From the gradients of an item's contexts and weights to grad_queries (count, K), and into those of its
// memory.
template <class Real>
void attend_item_backward(const AttentionMemory<Real>& memory, const ItemQueries<Real>& q,
                          const AttentionShape& s, const Real* attended, const Real* grad_context,
                          const Real* grad_attended, Real* grad_queries,
                          AttentionMemoryGradients<Real>& grads) {
  const AttentionWeights<Real>& w = memory.weights();
  const int64_t size = memory.size(q.n);
  const MatrixView<Real> weights = {attended, q.count, size, s.S, 1};
  const MatrixView<Real> by_context = row_major(grad_context, q.count, w.M);
  const MatrixView<Real> values = row_major(memory.values(q.n), size, w.M);
  Buffer<Real> scores(q.count * size);
  matmul(by_context, values.transposed(), scores.data(), size, false);
  for (int64_t i = 0; i < q.count && size > 0; ++i) {
    Real* row = scores.data() + i * size;
    for (int64_t j = 0; grad_attended && j < size; ++j) row[j] += grad_attended[i * s.S + j];
    kernels<Real>().softmax.softmax_backward(size, row, attended + i * s.S, row);
  }
  grads.add_contexts(q.n, weights, by_context);
  if (w.score == AttentionScore::additive) {
    for (int64_t i = 0; i < q.count; ++i) {
      memory.additive(q.n).backward(size, w.K, scores.data() + i * size, q.queries + i * w.K,
                                    memory.keys(q.n), w.v, grad_queries + i * w.K, grads.keys(q.n),
                                    grads.v(q.n));
    }
    return;
  }
  const MatrixView<Real> by_score = row_major<Real>(scores.data(), q.count, size);
  matmul(by_score, row_major(memory.keys(q.n), size, w.K), grad_queries, w.K, false);
  matmul(by_score.transposed(), row_major(q.queries, q.count, w.K), grads.keys(q.n), w.K, true);
}

}  // namespace

template <class Real>
int64_t attention_tape_size(const AttentionShape& s, const AttentionWeights<Real>& w) {
  const int64_t queries = w.query ? rows_of(s.N, s.query_lengths) * w.K : 0;
  return AttentionMemory<Real>::keys_size(w, s.N, rows_of(s.N, s.memory_lengths)) + queries;
}

template <class Real>
void attention(const AttentionShape& s, const AttentionWeights<Real>& w, const Real* query,
               const Real* memory, Real* context, Real* attended, Real* tape) {
  const AttentionMemory<Real> held(s.N, s.S, s.memory_lengths, w, memory, tape);
  held.project(tape);
  const RaggedRows<Real> queries(s.N, s.Q, w.H, s.query_lengths, query);
  Real* projected = tape + AttentionMemory<Real>::keys_size(w, s.N, held.rows().count());
  if (w.query) matmul(queries.view(), row_major(w.query, w.K, w.H).transposed(), projected, w.K, false);
  parallel_for(s.N, attention_work(s, w), [&](int64_t n) {
    const FlushDenormals flush;
    for (int64_t i = 0; w.query && i < queries.size(n); ++i)
      held.prepare(n, projected + (queries.begin(n) + i) * w.K);
    const Real* own = w.query ? projected + queries.begin(n) * w.K : queries.item(n);
    attend_item<Real>(held, {n, queries.size(n), own}, s, context + n * s.Q * w.M, attended + n * s.Q * s.S);
  });
}

template <class Real>
void attention_backward(const AttentionShape& s, const AttentionWeights<Real>& w, const Real* query,
                        const Real* memory, const Real* attended, const Real* tape, const Real* grad_context,
                        const Real* grad_attended, Real* grad_query, Real* grad_memory,
                        const AttentionGradients<Real>& gradients) {
  const AttentionMemory<Real> held(s.N, s.S, s.memory_lengths, w, memory, tape);
  AttentionMemoryGradients<Real> grads(held, s.N);
  const RaggedRows<Real> queries(s.N, s.Q, w.H, s.query_lengths, query);
  const Real* projected = tape + AttentionMemory<Real>::keys_size(w, s.N, held.rows().count());
  Buffer<Real> by_query(queries.count() * w.K);
  parallel_for(s.N, 2 * attention_work(s, w), [&](int64_t n) {
    const FlushDenormals flush;
    const int64_t begin = queries.begin(n) * w.K;
    const Real* own = w.query ? projected + begin : queries.item(n);
    attend_item_backward<Real>(
        held, {n, queries.size(n), own}, s, attended + n * s.Q * s.S, grad_context + n * s.Q * w.M,
        grad_attended ? grad_attended + n * s.Q * s.S : nullptr, by_query.data() + begin, grads);
  });
  grads.finish(grad_memory, gradients);
  if (!w.query) return queries.scatter(by_query.data(), grad_query);
  const MatrixView<Real> grad = row_major<Real>(by_query.data(), queries.count(), w.K);
  Buffer<Real> by_row(queries.count() * w.H);
  matmul(grad, row_major(w.query, w.K, w.H), by_row.data(), w.H, false);
  matmul(grad.transposed(), queries.view(), gradients.query, w.H, false);
  queries.scatter(by_row.data(), grad_query);
}

#define UNROLLED_INSTANTIATE(Real)                                                                         \
  template int64_t attention_tape_size(const AttentionShape&, const AttentionWeights<Real>&);              \
  template void attention(const AttentionShape&, const AttentionWeights<Real>&, const Real*, const Real*,  \
                          Real*, Real*, Real*);                                                            \
  template void attention_backward(const AttentionShape&, const AttentionWeights<Real>&, const Real*,      \
                                   const Real*, const Real*, const Real*, const Real*, const Real*, Real*, \
                                   Real*, const AttentionGradients<Real>&);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
