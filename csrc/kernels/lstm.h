// The element-wise half of an LSTM step (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000).
// The matrix products before it are the driver's (csrc/ops/lstm.cpp).
#pragma once

#include <cstdint>

namespace unrolled {

template <class Real>
struct LstmKernels {
  // gates (4H): pre-activations in the order i, f, g, o, replaced by the activated gates.
  // c_prev (H) -> c (H), h (H):   c = f * c_prev + i * g,   h = o * tanh(c)
  void (*cell_forward)(int64_t H, Real* gates, const Real* c_prev, Real* c, Real* h);

  // gates (4H) activated, replaced by the gradient of the pre-activations. c_prev, c, grad_h (H): forward's
  // values and the whole gradient of h. grad_c (H): the gradient of c from the next step, replaced by that of
  // c_prev.
  void (*cell_backward)(int64_t H, Real* gates, const Real* c_prev, const Real* c, const Real* grad_h,
                        Real* grad_c);
};

}  // namespace unrolled
