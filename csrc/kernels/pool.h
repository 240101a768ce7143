// Max pooling over one plane.
#pragma once

#include <cstdint>

namespace unrolled {

struct PoolShape {
  int64_t H, W;
  int64_t kernel_h, kernel_w;
  int64_t stride_h, stride_w;
  int64_t pad_h, pad_w;
  int64_t OH, OW;
};

template <class Real>
struct PoolKernels {
  // x (H, W) -> y (OH, OW) and window (OH, OW): the place of the maximum in its window, row by row. The first
  // of equal values wins; a NaN wins over everything.
  void (*max_forward)(const PoolShape& shape, const Real* x, Real* y, uint8_t* window);

  // grad_y (OH, OW), window (OH, OW) -> grad_x (H, W).
  void (*max_backward)(const PoolShape& shape, const Real* grad_y, const uint8_t* window, Real* grad_x);
};

}  // namespace unrolled
