// Linear layers one after the other: the last gives the logits.
#pragma once

#include <deque>
#include <vector>

#include "search/step_product.h"

namespace unrolled::search {

struct LinearWeights {
  int64_t outputs;
  const float *weight, *bias;  // (outputs, inputs); (outputs) or null
};

class LinearLayers {
 public:
  LinearLayers(int64_t inputs, const std::vector<LinearWeights>& layers) {
    for (const LinearWeights& layer : layers) {
      products_.emplace_back(layer.outputs, inputs, layer.weight, inputs, layer.bias);
      inputs = layer.outputs;
    }
  }

  int64_t outputs() const { return products_.empty() ? 0 : products_.back().outputs(); }
  // Numbers of scratch that a row needs.
  int64_t scratch() const {
    int64_t sum = 0;
    for (std::size_t i = 0; i + 1 < products_.size(); ++i) sum += products_[i].outputs();
    return sum;
  }

  // x (rows, inputs), rows x_row apart -> logits (rows, outputs of the last).
  void run(int64_t rows, const float* x, int64_t x_row, float* logits, float* scratch) const {
    for (const StepProduct& product : products_) {
      float* y = &product == &products_.back() ? logits : scratch;
      product.run(rows, x, x_row, y, product.outputs());
      x = y;
      x_row = product.outputs();
      scratch += rows * product.outputs();
    }
  }

 private:
  std::deque<StepProduct> products_;
};

}  // namespace unrolled::search
