#include "search/recurrent_step_model.h"

#include <algorithm>
#include <utility>

namespace unrolled::search {

RecurrentStepModel::RecurrentStepModel(std::shared_ptr<const RecurrentNetwork> network, int64_t items,
                                       const float* start, int64_t S, const float* memory,
                                       const int64_t* lengths)
    : network_(std::move(network)), items_(items), start_(items * network_->state_size()) {
  std::copy_n(start, items * state_size(), start_.data());
  if (network_->attends()) memory_.emplace(network_->remember(items, S, memory, lengths));
}

void RecurrentStepModel::start(float* states) const {
  std::copy_n(start_.data(), items_ * state_size(), states);
}

void RecurrentStepModel::step(int64_t rows, const int32_t* tokens, const int32_t* items, const float* before,
                              float* after, float* logits, float* attention) const {
  network_->step(memory_ ? &*memory_ : nullptr, rows, tokens, items, before, after, logits, attention);
}

}  // namespace unrolled::search
