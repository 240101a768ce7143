// Resampling along one axis: every output is a weighted sum of a few inputs.
#pragma once

#include <cstdint>

namespace unrolled {

// The terms of output i of an axis stand at offset[i] .. offset[i + 1] of index and weight.
template <class Real>
struct ResampleTaps {
  const int64_t* offset;
  const int64_t* index;
  const Real* weight;
};

template <class Real>
struct UpsampleKernels {
  // Output `row` of x (rows, n): y (n) = sum of weight * x(index)
  void (*blend_rows)(const ResampleTaps<Real>& taps, int64_t row, int64_t n, const Real* x, Real* y);
  // x -> y (n): y(i) = sum of weight * x(index)
  void (*blend_row)(const ResampleTaps<Real>& taps, int64_t n, const Real* x, Real* y);
};

}  // namespace unrolled
