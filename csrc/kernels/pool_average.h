// Average pooling over planes, with windows of one size or of sizes of their own (adaptive pooling).
#pragma once

#include <cstdint>

namespace unrolled {

// The windows along one axis.
template <class Real>
struct AverageAxis {
  int64_t size, outputs;                 // elements, windows
  int64_t kernel, stride, padding;       // of windows of one size; stride is 0 where they have their own
  const int64_t *first, *last;           // window o holds the elements first[o] .. last[o] - 1
  const int64_t *holders, *holders_end;  // element i is in the windows holders[i] .. holders_end[i] - 1
  const Real* divisor;                   // a sum is divided by the product of both axes' divisors
};

template <class Real>
struct AverageShape {
  int64_t scratch;  // elements that a pass needs for itself
  AverageAxis<Real> rows, columns;
};

template <class Real>
struct AveragePoolKernels {
  // x (planes, H, W) -> rows begin .. end - 1, counted through all planes, of y (planes, OH, OW), which
  // points to the first of them
  void (*forward)(const AverageShape<Real>& shape, const Real* x, int64_t begin, int64_t end, Real* scratch,
                  Real* y);

  // grad_y (planes, OH, OW) -> rows begin .. end - 1, counted through all planes, of grad_x (planes, H, W),
  // which points to the first of them
  void (*backward)(const AverageShape<Real>& shape, const Real* grad_y, int64_t begin, int64_t end,
                   Real* scratch, Real* grad_x);
};

}  // namespace unrolled
