// Recurrent layers that attend to a memory at each step and read what they found, or put out, before: the
// loop over time that no whole-sequence kernel can run (Bahdanau, Cho and Bengio 2015; Luong, Pham and
// Manning 2015, section 3.3). With h_t the state of the top layer and c_t the context,
//   input    s_t = layers([x_t; o_t-1], s_t-1), c_t = attend(h_t)
//   context  c_t = attend(h_t-1), s_t = layers([x_t; c_t], s_t-1)
// and o_t = tanh(W [c_t; h_t] + b).
#pragma once

#include <cstdint>

#include "ops/attention.h"
#include "ops/recurrent.h"

namespace unrolled {

enum class AttentionFeeding { input, context };

template <class Real>
struct AttentionDecoder {
  int64_t N, T, E, H, S, layers;  // E features of an input; those of the memory are attention.M
  AttentionFeeding feeding;
  const int64_t* lengths;         // (N), 0 <= length <= T
  const int64_t* memory_lengths;  // (N), 0 <= length <= S
  const CellKernels<Real>& cell;
  const RecurrentWeights<Real>* weights;  // per layer; weight_ih of the first is (G H, E + fed())
  AttentionWeights<Real> attention;
  const Real *output_weight, *output_bias;  // (H, M + H), (H)
  const Real* dropout_mask;         // (layers - 1, N, T, H), multiplied onto what the layer below puts
                                    // out, or null
  RecurrentTable<Real> table = {};  // what x gives the gates of the first layer, where it is a token; E = 0

  int64_t fed() const { return feeding == AttentionFeeding::input ? H : attention.M; }
};

template <class Real>
struct AttentionDecoderGradients {
  const RecurrentGradients<Real>* layers;
  AttentionGradients<Real> attention;
  Real *output_weight, *output_bias;
};

// h and, of an LSTM, c (layers, N, H); with feeding `input` the output before, (N, H). Null means zeros, or
// not wanted.
template <class Real>
struct AttentionDecoderState {
  Real *h = nullptr, *c = nullptr, *output = nullptr;
};

template <class Real>
int64_t attention_decoder_tape_size(const AttentionDecoder<Real>& decoder);

// x (N, T, E), memory (N, S, M) -> output (N, T, H), attended (N, T, S), both 0 on padding; the state after
// each item's last step.
template <class Real>
void attention_decoder(const AttentionDecoder<Real>& decoder, const Real* x, const Real* memory,
                       AttentionDecoderState<const Real> initial, Real* output, Real* attended,
                       AttentionDecoderState<Real> end, Real* tape);

// What the backward pass reads of the forward pass.
template <class Real>
struct AttentionDecoderResults {
  const Real *x, *memory, *output, *attended, *tape;
  AttentionDecoderState<const Real> initial;
};

// grad_output (N, T, H), grad_attended (N, T, S) or null, and the gradient of the end state -> grad_x (N, T,
// E) or null and grad_memory (N, S, M), 0 on padding; of the parameters and the initial state, and of the
// rows of the table where there is one.
template <class Real>
void attention_decoder_backward(const AttentionDecoder<Real>& decoder,
                                const AttentionDecoderResults<Real>& results, const Real* grad_output,
                                const Real* grad_attended, AttentionDecoderState<const Real> grad_end,
                                Real* grad_x, Real* grad_memory,
                                const AttentionDecoderGradients<Real>& gradients,
                                AttentionDecoderState<Real> grad_initial, Real* grad_table = nullptr);

}  // namespace unrolled
