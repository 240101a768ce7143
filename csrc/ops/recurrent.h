// Recurrent layers over whole ragged sequences, in one or both directions, forward and through time. The
// cells are kernels (csrc/kernels/{rnn,lstm,gru}.cpp); here are the products and the order of the steps.
#pragma once

#include <cstdint>

#include "dispatch.h"

namespace unrolled {

struct RecurrentShape {
  int64_t N, T, D, H;
  int64_t P;               // features of the state that leaves the layer: H, or fewer with a projection
  int64_t directions;      // 2: the second runs backward in time, from each item's true end
  const int64_t* lengths;  // (N), 0 <= length <= T
};

// Parameters of one direction in PyTorch's layout, G gates: weight_ih (G H, D), weight_hh (G H, P), biases
// (G H) or null, weight_hr (P, H) of the projection or null, peephole (3, H) of an LSTM's i, f, o or null.
template <class Real>
struct RecurrentWeights {
  const Real *weight_ih, *weight_hh, *bias_ih, *bias_hh, *weight_hr, *peephole;
};

// The same, to be written; null where the parameter is.
template <class Real>
struct RecurrentGradients {
  Real *weight_ih, *weight_hh, *bias_ih, *bias_hh, *weight_hr, *peephole;
};

// One array for each kind of state, (directions, N, P) of h, (directions, N, H) of c, which only an LSTM has.
// Null means zeros, or not wanted.
template <class Real>
struct RecurrentState {
  Real *h = nullptr, *c = nullptr;
};

// What the input gives the gates, where it is a token: rows (directions, tokens, G H), of which an item's
// frame looks up ids (N, T). The input then has no features of its own, D = 0. Without tokens there is no
// table.
template <class Real>
struct RecurrentTable {
  int64_t tokens = 0;
  const int64_t* ids = nullptr;
  const Real* rows = nullptr;
};

template <class Real>
struct RecurrentLayer {
  const RecurrentShape& shape;
  const CellKernels<Real>& cell;
  const RecurrentWeights<Real>* weights;  // per direction
  const Real* hidden_mask;                // (directions, N, P), multiplied onto the state that enters the
                                          // recurrent product at each step, or null
  RecurrentTable<Real> table = {};
};

// Elements of the tape, what the backward pass needs of the forward pass.
template <class Real>
int64_t recurrent_tape_size(const RecurrentLayer<Real>& layer);

// x (N, T, D) -> output (N, T, directions * P), 0 on padding; the state at each true end.
template <class Real>
void recurrent(const RecurrentLayer<Real>& layer, const Real* x, RecurrentState<const Real> initial,
               Real* output, RecurrentState<Real> end, Real* tape);

// grad_output (N, T, directions * P) and the gradient of the end state -> grad_x (N, T, D), 0 on padding, or
// null if it is not wanted; gradients per direction; the gradient of the initial state, and of the rows of
// the table where there is one.
template <class Real>
void recurrent_backward(const RecurrentLayer<Real>& layer, const Real* x, const Real* tape,
                        const Real* grad_output, RecurrentState<const Real> grad_end,
                        RecurrentState<const Real> initial, Real* grad_x,
                        const RecurrentGradients<Real>* gradients, RecurrentState<Real> grad_initial,
                        Real* grad_table = nullptr);

// One frame of each item, without a tape: x (N, D), states (N, P) and (N, H), of a layer with one direction
// and no mask. Reads each weight once, as it lies; the sums have another order than those of `recurrent`.
template <class Real>
void recurrent_step(const RecurrentLayer<Real>& layer, const Real* x, RecurrentState<const Real> before,
                    RecurrentState<Real> after);

// The activated gates (directions, N, T, G, H), and an LSTM's cells (directions, N, T, H) or null, from the
// tape; 0 on padding.
template <class Real>
void recurrent_states(const RecurrentLayer<Real>& layer, const Real* tape, Real* gates, Real* cells);

}  // namespace unrolled
