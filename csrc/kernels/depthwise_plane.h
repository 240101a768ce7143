// 3x3 correlation of whole planes with stride 1, straight from the plane: lanes outside it are masked off in
// each load, which costs nothing where the instructions have masks, and there is no padded copy.
#pragma once

#include <cstdint>

#include "kernels/depthwise.h"

namespace unrolled {

// The pixel (i, j) of the result (rows, columns) meets x (H, W) from (i - pad_top, j - pad_left) on. A band
// of rows is a result of its own: pad_top is less by as many rows as are above it.
struct DepthwisePlane {
  int64_t H, W;
  int64_t rows, columns;
  int64_t pad_top, pad_left;
};

// Null where the ISA level has no masks.
template <class Real>
struct DepthwisePlaneKernels {
  // x (H, W) -> y (rows, columns); taps (S, R)
  void (*correlate)(const DepthwisePlane& plane, const Real* taps, const DepthwiseEnds<Real>& ends,
                    const Real* x, Real* y);

  // As DepthwiseWeightKernels::correlate_taps: grad_y (rows, columns), x (H, W).
  void (*correlate_taps)(const DepthwisePlane& plane, const Real* grad_y, const Real* x, Real* sums);
};

}  // namespace unrolled
