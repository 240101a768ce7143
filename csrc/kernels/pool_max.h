// Max pooling over planes.
#pragma once

#include <cstdint>

namespace unrolled {

struct MaxPoolShape {
  int64_t planes;
  int64_t H, W;
  int64_t kernel_h, kernel_w;
  int64_t stride_h, stride_w;
  int64_t pad_h, pad_w;
  int64_t dilation_h, dilation_w;
  int64_t OH, OW;
  bool relu = false;  // of y; the same as one of x, on fewer values
  bool past = false;  // results go past the caches: rows of windows that are whole vectors, side by side
};

// The place in a window that gives its gradient to nobody: with a ReLU, where the maximum is not positive.
inline constexpr uint8_t kNoWinner = 255;

// Rows are counted through all planes, so that a run of them may begin and end anywhere.

// x (planes, H, W) -> rows begin .. end - 1 of y and window (planes, OH, OW), which point to the first of
// them. `window` is the place of the maximum in its window, row by row. The first of equal values wins; a NaN
// wins over everything.
template <class Real>
using MaxPoolForward = void(const MaxPoolShape& shape, const Real* x, int64_t begin, int64_t end, Real* y,
                            uint8_t* window);

// grad_y, window (planes, OH, OW) -> rows begin .. end - 1 of grad_x (planes, H, W), which points to the
// first of them. A place outside the image takes its gradient with it.
template <class Real>
using MaxPoolBackward = void(const MaxPoolShape& shape, const Real* grad_y, const uint8_t* window,
                             int64_t begin, int64_t end, Real* grad_x);

template <class Real>
struct MaxPoolKernels {
  MaxPoolForward<Real>* forward;
  MaxPoolBackward<Real>* backward;
};

}  // namespace unrolled
