// A window network at work on some items, each with the tokens that it has read.
#pragma once

#include <memory>

#include "search/step_model.h"
#include "search/window_network.h"

namespace unrolled::search {

class WindowStepModel final : public StepModel {
 public:
  // read (items, reach of the network): the tokens before the first step's.
  WindowStepModel(std::shared_ptr<const WindowNetwork> network, int64_t items, const int32_t* read);

  int64_t tokens() const override { return network_->tokens(); }
  int64_t items() const override { return items_; }
  int64_t state_size() const override { return network_->state_size(); }
  int64_t attended() const override { return 0; }

  void start(float* states) const override;
  void step(int64_t rows, const int32_t* tokens, const int32_t* items, const float* before, float* after,
            float* logits, float* attention) const override;

 private:
  std::shared_ptr<const WindowNetwork> network_;
  int64_t items_;
  Buffer<float> start_;
};

}  // namespace unrolled::search
