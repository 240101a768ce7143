// A recurrent network at work on some items: where each begins, and what it attends to.
#pragma once

#include <memory>
#include <optional>

#include "search/recurrent_network.h"
#include "search/step_model.h"

namespace unrolled::search {

class RecurrentStepModel final : public StepModel {
 public:
  // start (items, state_size); memory (items, S, M) and lengths (items) where the network attends.
  RecurrentStepModel(std::shared_ptr<const RecurrentNetwork> network, int64_t items, const float* start,
                     int64_t S, const float* memory, const int64_t* lengths);

  int64_t tokens() const override { return network_->tokens(); }
  int64_t items() const override { return items_; }
  int64_t state_size() const override { return network_->state_size(); }
  int64_t attended() const override { return memory_ ? memory_->positions() : 0; }

  void start(float* states) const override;
  void step(int64_t rows, const int32_t* tokens, const int32_t* items, const float* before, float* after,
            float* logits, float* attention) const override;

 private:
  std::shared_ptr<const RecurrentNetwork> network_;
  int64_t items_;
  Buffer<float> start_;
  std::optional<StepMemory> memory_;
};

}  // namespace unrolled::search
