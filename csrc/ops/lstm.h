// One LSTM layer over whole ragged sequences, in one or both directions, forward and through time.
#pragma once

#include <cstdint>

namespace unrolled {

struct LstmShape {
  int64_t N, T, D, H;
  int64_t directions;      // 2: the second runs backward in time, from each item's true end
  const int64_t* lengths;  // (N), 0 <= length <= T
};

// Parameters of one direction in PyTorch's layout: weight_ih (4H, D), weight_hh (4H, H), biases (4H) or null,
// gates in the order i, f, g, o.
template <class Real>
struct LstmWeights {
  const Real *weight_ih, *weight_hh, *bias_ih, *bias_hh;
};

// What the backward pass needs, one row for each (item, step) that is not padding, per direction:
// gates (directions, rows, 4H) activated, cells and hidden (directions, rows, H), rows = sum of lengths.
template <class Real>
struct LstmTape {
  Real *gates, *cells, *hidden;
};

// x (N, T, D), h0 and c0 (directions, N, H) or null for zeros ->
// output (N, T, directions * H), 0 on padding; h_n, c_n (directions, N, H): the states at each true end.
template <class Real>
void lstm(const LstmShape& shape, const LstmWeights<Real>* weights, const Real* x, const Real* h0,
          const Real* c0, Real* output, Real* h_n, Real* c_n, LstmTape<Real> tape);

template <class Real>
struct LstmGradients {
  Real *weight_ih, *weight_hh, *bias;  // as LstmWeights; bias (4H) is the gradient of either one
};

// grad_output (N, T, directions * H), grad_h_n and grad_c_n (directions, N, H) or null ->
// grad_x (N, T, D), 0 on padding; grads per direction; grad_h0, grad_c0 (directions, N, H).
template <class Real>
void lstm_backward(const LstmShape& shape, const LstmWeights<Real>* weights, const Real* x, const Real* h0,
                   const Real* c0, const LstmTape<Real>& tape, const Real* grad_output, const Real* grad_h_n,
                   const Real* grad_c_n, Real* grad_x, const LstmGradients<Real>* grads, Real* grad_h0,
                   Real* grad_c0);

}  // namespace unrolled
