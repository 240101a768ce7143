// Attention within one step: a decoder's rows and the memories of their items.
#pragma once

#include <optional>
#include <vector>

#include "search/step_product.h"

namespace unrolled::search {

enum class AttentionScore { dot, general, additive };

// query (K, H) and v (K) of the additive score, memory (K, M) of the additive and, as (H, M), of the general
// one; null where the score has none.
struct AttentionWeights {
  AttentionScore score;
  int64_t query_size, memory_size, hidden_size;  // H, M, K
  const float *query, *memory, *v;
};

// What the items attend to: rows (positions, M) and keys (positions, K) of all items, one item after the
// other.
class StepMemory {
 public:
  // memory (items, S, M), lengths (items); keys is null where the memory itself is the key.
  StepMemory(int64_t items, int64_t S, int64_t M, const float* memory, const int64_t* lengths,
             const StepProduct* keys);

  int64_t positions() const { return S_; }
  int64_t length(int64_t item) const { return begin_[item + 1] - begin_[item]; }
  const float* rows(int64_t item) const { return rows_.data() + begin_[item] * M_; }
  const float* keys(int64_t item) const {
    return keys_ ? keys_->data() + begin_[item] * key_size_ : rows(item);
  }

 private:
  void copy_rows(int64_t item, const float* memory);

  int64_t S_, M_, key_size_;
  Buffer<int64_t> begin_;
  Buffer<float> rows_;
  std::optional<Buffer<float>> keys_;
};

class StepAttention {
 public:
  explicit StepAttention(const AttentionWeights& weights);

  int64_t memory_size() const { return memory_size_; }
  // Numbers of scratch that a row needs.
  int64_t query_columns() const { return query_ ? query_->outputs() : 0; }
  StepMemory remember(int64_t items, int64_t S, const float* memory, const int64_t* lengths) const;

  // query (rows, H), rows query_row apart -> weights (rows, S), 0 beyond an item's length, and context (rows,
  // M), rows context_row apart.
  void attend(const StepMemory& memory, int64_t rows, const int32_t* items, const float* query,
              int64_t query_row, float* weights, float* context, int64_t context_row, float* scratch) const;

 private:
  AttentionScore score_;
  int64_t query_size_, memory_size_, hidden_size_;
  const Kernels<float>& kernels_;
  std::optional<StepProduct> query_, keys_;
  Buffer<float> v_;
};

}  // namespace unrolled::search
