#include "search/step_input.h"

#include <algorithm>

#include "parallel.h"

namespace unrolled::search {
namespace {

constexpr int64_t kTableBytes = 32 << 20;  // beyond this its rows come from memory, weights from a cache
constexpr int64_t kRowsAtOnce = 48;

}  // namespace

StepInput::StepInput(const EmbeddingWeights& embedding, const StepLayer& first)
    : tokens_(embedding.tokens), size_(embedding.size) {
  const int64_t bytes = tokens_ * first.gate_columns() * static_cast<int64_t>(sizeof(float));
  if (bytes > kTableBytes) {
    embedding_.emplace(tokens_ * size_);
    std::copy_n(embedding.weight, tokens_ * size_, embedding_->data());
  } else {
    make_table(embedding.weight, first);
  }
}

void StepInput::make_table(const float* embedding, const StepLayer& first) {
  const int64_t columns = first.gate_columns();
  table_.emplace(tokens_ * columns);
  const int64_t work = tokens_ * size_ * columns / kMultiplyAddsPerOperation;
  parallel_runs(tokens_, kRowsAtOnce, work, [&](int64_t begin, int64_t end) {
    Buffer<float> gates((end - begin) * columns);
    const GatePanels<float> panels = first.panels(end - begin, gates.data());
    first.project(end - begin, embedding + begin * size_, size_, panels);
    for (int64_t i = begin; i < end; ++i) first.to_row(panels, i - begin, table_->data() + i * columns);
  });
}

void StepInput::read(const StepLayer& first, int64_t rows, const int32_t* tokens, GatePanels<float> gates,
                     float* scratch) const {
  for (int64_t i = 0; i < rows && table_; ++i)
    first.from_row(table_->data() + tokens[i] * first.gate_columns(), gates, i);
  if (table_) return;
  for (int64_t i = 0; i < rows; ++i)
    std::copy_n(embedding_->data() + tokens[i] * size_, size_, scratch + i * size_);
  first.project(rows, scratch, size_, gates);
}

}  // namespace unrolled::search
