// max(x, 0) and its gradient over threads.
#pragma once

#include <cstdint>

namespace unrolled {

// x (n) -> y (n)
template <class Real>
void relu(int64_t n, const Real* x, Real* y);

// grad_y, y of the forward pass (n) -> grad_x (n)
template <class Real>
void relu_backward(int64_t n, const Real* grad_y, const Real* y, Real* grad_x);

}  // namespace unrolled
