// Recurrent layers that read tokens and say how likely each is to come next, with attention or without; all
// weights packed once, for steps of one row or many.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "search/linear_layers.h"
#include "search/step_attention.h"
#include "search/step_input.h"
#include "search/step_layer.h"
#include "search/step_product.h"

namespace unrolled::search {

// What a decoder's layers read beside the token: nothing, the decoder's own output of the step before (Luong
// et al. 2015, section 3.3), or the context that the state before asked for (Bahdanau et al. 2015).
enum class Feeding { none, input, context };

struct DecoderWeights {
  AttentionWeights attention;
  Feeding feeding;
  LinearWeights output;  // o = tanh(W [context; h] + b)
};

class RecurrentNetwork {
 public:
  RecurrentNetwork(const CellKernels<float>& cell, const EmbeddingWeights& embedding,
                   const std::vector<StepWeights>& layers, const std::optional<DecoderWeights>& decoder,
                   const std::vector<LinearWeights>& output);

  int64_t tokens() const { return input_->tokens(); }
  // Of each layer h, and an LSTM's c, then the output that is fed back.
  int64_t state_size() const { return fed_ + (feeding_ == Feeding::input ? combined_->outputs() : 0); }
  int64_t memory_size() const { return attention_ ? attention_->memory_size() : 0; }
  bool attends() const { return attention_.has_value(); }
  StepMemory remember(int64_t items, int64_t S, const float* memory, const int64_t* lengths) const {
    return attention_->remember(items, S, memory, lengths);
  }

  // Reads the first lengths[i] tokens of each item, tokens (items, T), in a network that attends to nothing:
  // states (items, state_size) before and after, and the top layer's h at each of them, frames (items, T, P),
  // 0 behind the last, or null.
  void read(int64_t items, int64_t T, const int32_t* tokens, const int64_t* lengths, float* states,
            float* frames) const;
  int64_t frame_size() const { return layers_.back().outputs(); }
  bool writes() const { return output_.outputs() > 0; }

  // One step of any number of rows, as StepModel::step; `memory` is null without attention.
  void step(const StepMemory* memory, int64_t rows, const int32_t* tokens, const int32_t* items,
            const float* before, float* after, float* logits, float* attention) const;

 private:
  class Work;
  class Reading;
  struct Rows;

  int64_t joined_size() const { return memory_size() + layers_.back().outputs(); }  // of [context; h]

  void add_decoder(const DecoderWeights& decoder);
  void attend(const Rows& rows, const float* states, Work& work) const;
  void step_layers(const Rows& rows, Work& work) const;
  const float* combine(const Rows& rows, Work& work) const;
  void step_rows(const Rows& rows, Work& work) const;

  const Kernels<float>& kernels_;
  Feeding feeding_;
  std::deque<StepLayer> layers_;
  std::vector<int64_t> offsets_;  // of each layer's state in a row of them
  int64_t fed_;                   // offset of the output that is fed back
  std::optional<StepInput> input_;
  std::optional<StepAttention> attention_;
  std::optional<StepProduct> combined_;
  Buffer<float> combined_bias_;
  LinearLayers output_;
};

}  // namespace unrolled::search
