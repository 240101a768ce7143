// Softmax and log-softmax of rows over threads.
#pragma once

#include <cstdint>

namespace unrolled {

// x (rows, C) -> y (rows, C)
template <class Real>
void softmax(bool logarithm, int64_t rows, int64_t C, const Real* x, Real* y);

// grad_y, y of the forward pass (rows, C) -> grad_x (rows, C)
template <class Real>
void softmax_backward(bool logarithm, int64_t rows, int64_t C, const Real* grad_y, const Real* y,
                      Real* grad_x);

}  // namespace unrolled
