// The gradient of a depthwise convolution by its weight, plane by plane; its sums are kept lane by lane.
#pragma once

#include "kernels/depthwise.h"

namespace unrolled {

template <class Real>
struct DepthwiseWeightKernels {
  int64_t lanes;  // of a vector

  // The gradient by the taps: sums (S * R + 1, lanes) += grad_y (rows, columns) times the elements that each
  // tap met, the last vector: grad_y itself. No element is read that no window meets.
  void (*correlate_taps)(const DepthwiseWindow& window, int64_t rows, int64_t columns, const Real* grad_y,
                         int64_t y_pitch, const Real* band, Real* sums);

  // total[i] = the sum of the lanes of sums (n, lanes) at i.
  void (*add_lanes)(int64_t n, const Real* sums, Real* total);
};

}  // namespace unrolled
