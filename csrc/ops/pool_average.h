// Average pooling of planes over threads.
#pragma once

#include <cstdint>

namespace unrolled {

// The windows along one axis: of one size, or adaptive: as many as asked for, over all elements.
struct AverageWindows {
  int64_t size, outputs;
  int64_t kernel, stride, padding;
  bool adaptive;
};

struct AverageOptions {
  AverageWindows rows, columns;
  bool count_include_pad;
  int64_t divisor_override;  // 0: a window's number of elements
};

// x (planes, H, W) -> y (planes, OH, OW)
template <class Real>
void average_pool2d(int64_t planes, const AverageOptions& options, const Real* x, Real* y);

// grad_y (planes, OH, OW) -> grad_x (planes, H, W)
template <class Real>
void average_pool2d_backward(int64_t planes, const AverageOptions& options, const Real* grad_y, Real* grad_x);

}  // namespace unrolled
