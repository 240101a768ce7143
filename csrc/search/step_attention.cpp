// Luong, Pham, Manning 2015, "Effective approaches to attention-based neural machine translation"; the
// additive score: Bahdanau, Cho, Bengio 2015, "Neural machine translation by jointly learning to align and
// translate".
#include "search/step_attention.h"

#include <algorithm>

#include "parallel.h"

namespace unrolled::search {
namespace {

constexpr int64_t kKeyRows = 48;  // made at a time

Buffer<int64_t> begins_of(int64_t items, const int64_t* lengths) {
  Buffer<int64_t> begin(items + 1);
  begin[0] = 0;
  for (int64_t i = 0; i < items; ++i) begin[i + 1] = begin[i] + lengths[i];
  return begin;
}

}  // namespace

StepMemory::StepMemory(int64_t items, int64_t S, int64_t M, const float* memory, const int64_t* lengths,
                       const StepProduct* keys)
    : S_(S),
      M_(M),
      key_size_(keys ? keys->outputs() : M),
      begin_(begins_of(items, lengths)),
      rows_(begin_[items] * M) {
  for (int64_t i = 0; i < items; ++i)
    std::copy_n(memory + i * S * M, length(i) * M, rows_.data() + begin_[i] * M);
  if (!keys) return;
  const int64_t count = begin_[items];
  keys_.emplace(count * key_size_);
  parallel_runs(
      count, kKeyRows, count * M * key_size_ / kMultiplyAddsPerOperation, [&](int64_t begin, int64_t end) {
        keys->run(end - begin, rows_.data() + begin * M, M, keys_->data() + begin * key_size_, key_size_);
      });
}

StepAttention::StepAttention(const AttentionWeights& w)
    : score_(w.score),
      query_size_(w.query_size),
      memory_size_(w.memory_size),
      hidden_size_(w.hidden_size),
      kernels_(kernels<float>()),
      v_(w.hidden_size) {
  const int64_t H = w.query_size, M = w.memory_size, K = w.hidden_size;
  if (score_ == AttentionScore::general) keys_.emplace(H, M, w.memory, M, nullptr);
  if (score_ != AttentionScore::additive) return;
  query_.emplace(K, H, w.query, H, nullptr);
  keys_.emplace(K, M, w.memory, M, nullptr);
  std::copy_n(w.v, K, v_.data());
}

StepMemory StepAttention::remember(int64_t items, int64_t S, const float* memory,
                                   const int64_t* lengths) const {
  return {items, S, memory_size_, memory, lengths, keys_ ? &*keys_ : nullptr};
}

void StepAttention::attend(const StepMemory& memory, int64_t rows, const int32_t* items, const float* query,
                           int64_t query_row, float* weights, float* context, int64_t context_row,
                           float* scratch) const {
  const int64_t S = memory.positions();
  if (query_) {
    query_->run(rows, query, query_row, scratch, hidden_size_);
    query = scratch;
    query_row = hidden_size_;
  }
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t length = memory.length(items[i]);
    const float *keys = memory.keys(items[i]), *q = query + i * query_row;
    float* scores = weights + i * S;
    if (score_ == AttentionScore::additive) {
      kernels_.attention.additive.forward(length, hidden_size_, q, keys, v_.data(), scores);
    } else {
      kernels_.dot_rows(length, {keys, q, query_size_}, {}, scores);
    }
    if (length > 0) kernels_.softmax.softmax_forward(length, scores, scores);
    std::fill(scores + length, scores + S, 0.0f);
    kernels_.attention.weighted_sum(length, memory_size_, scores, memory.rows(items[i]),
                                    context + i * context_row);
  }
}

}  // namespace unrolled::search
