// Convolutions over the last tokens that say how likely each is to come next: the n-word model of Bengio et
// al. 2003 and time-delay networks, step by step. What a step computes is kept for those whose windows it
// lies in.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "search/linear_layers.h"
#include "search/step_input.h"
#include "search/step_product.h"

namespace unrolled::search {

enum class WindowActivation { tanh, relu };

// weight (outputs, inputs, width), over the last `width` inputs, the newest last; bias (outputs) or null.
struct WindowWeights {
  int64_t outputs, width;
  const float *weight, *bias;
};

class WindowNetwork {
 public:
  WindowNetwork(const EmbeddingWeights& embedding, const std::vector<WindowWeights>& layers,
                WindowActivation activation, const std::vector<LinearWeights>& output);

  int64_t tokens() const { return tokens_; }
  // Tokens before the present one that its logits depend on.
  int64_t reach() const { return reach_; }
  // The tokens before it in the first window, then of each layer above what lies before it in its window.
  int64_t state_size() const { return state_size_; }

  // One step of any number of rows, as StepModel::step; without logits where they are null.
  void step(int64_t rows, const int32_t* tokens, const float* before, float* after, float* logits) const;

 private:
  struct Layer {
    int64_t inputs, outputs, width;
    int64_t offset;                      // of its part of a state
    std::optional<StepProduct> product;  // of a whole window; none where the first layer has a table
    Buffer<float> bias;
  };
  class Work;

  void add_layer(const WindowWeights& weights, int64_t inputs);
  void make_table(const EmbeddingWeights& embedding, const Layer& first, const float* weight);
  const float* read_tokens(int64_t rows, const int32_t* tokens, const float* before, float* after,
                           Work& work) const;
  void run_layer(const Layer& layer, int64_t rows, const float* x, const float* before, float* after,
                 float* windows, float* y) const;
  void activate(const Layer& layer, int64_t rows, float* y) const;
  void step_rows(int64_t rows, const int32_t* tokens, const float* before, float* after, float* logits,
                 Work& work) const;

  const Kernels<float>& kernels_;
  WindowActivation activation_;
  int64_t tokens_, embedding_size_, reach_ = 0, state_size_ = 0;
  std::deque<Layer> layers_;
  std::optional<Buffer<float>> table_;      // (width, tokens, outputs) of the first layer: what a token gives
                                            // it at each place of the window;
  std::optional<Buffer<float>> embedding_;  // or, where that is too large, (tokens, embedding_size)
  LinearLayers output_;
};

}  // namespace unrolled::search
