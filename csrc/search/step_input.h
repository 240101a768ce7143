// What a token gives the gates of a recurrent layer that reads its embedding.
#pragma once

#include <optional>

#include "search/step_layer.h"

namespace unrolled::search {

struct EmbeddingWeights {
  int64_t tokens, size;
  const float* weight;  // (tokens, size)
};

// An embedding only ever meets the input weights, so that their product with each row of it, and the biases,
// can be kept as a table: a step then begins with a look-up.
class StepInput {
 public:
  StepInput(const EmbeddingWeights& embedding, const StepLayer& first);

  int64_t tokens() const { return tokens_; }
  // Numbers of scratch that a row needs.
  int64_t scratch() const { return embedding_ ? size_ : 0; }
  // The gates of `first` for the rows' tokens.
  void read(const StepLayer& first, int64_t rows, const int32_t* tokens, GatePanels<float> gates,
            float* scratch) const;

 private:
  void make_table(const float* embedding, const StepLayer& first);

  int64_t tokens_, size_;
  std::optional<Buffer<float>> table_;      // (tokens, gates of the first layer),
  std::optional<Buffer<float>> embedding_;  // or, where that is too large, (tokens, size)
};

}  // namespace unrolled::search
