// Arithmetic that the pooling kernels share. Rows are counted through all planes, so that a run of them may
// begin and end anywhere.
#pragma once

#include "kernels/pool_max.h"
#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t at_most(int64_t a, int64_t limit) { return a < limit ? a : limit; }
inline int64_t at_least(int64_t a, int64_t limit) { return a > limit ? a : limit; }

// Some taps, windows, or vectors of windows.
struct Range {
  int64_t first, last;
};

// Where the windows of every plane end with it, the planes are one tall one: fewer and longer runs.
inline MaxPoolShape stacked(MaxPoolShape s) {
  const int64_t span = (s.kernel_h - 1) * s.dilation_h + 1;
  if (s.pad_h == 0 && s.H == s.OH * s.stride_h && span <= s.stride_h) {
    s.H *= s.planes, s.OH *= s.planes;
    s.planes = 1;
  }
  return s;
}

}  // namespace
}  // namespace unrolled::UNROLLED_LEVEL
