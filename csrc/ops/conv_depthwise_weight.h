// The gradient of a depthwise convolution by its weight, one channel of one image after the other.
#pragma once

#include <cstdint>
#include <vector>

#include "memory.h"
#include "ops/conv.h"
#include "ops/depthwise_pass.h"

namespace unrolled {

template <class Real>
class DepthwiseWeightGradient {
 public:
  explicit DepthwiseWeightGradient(const Conv2dShape& shape);

  struct Scratch {
    Buffer<Real> band;
  };
  Scratch make_scratch() const { return {pass_.make_band<Real>()}; }

  // Channel c of one image: grad_y (K, OH, OW), x (H, W); `sums` are those of the channel's first kernel.
  void correlate(int64_t c, const Real* grad_y, const Real* x, Scratch& scratch, Real* sums) const;

 private:
  Conv2dShape s_;
  DepthwisePass pass_;
  std::vector<int64_t> tap_columns_;
  DepthwiseWindow window_;
  DepthwiseBands bands_;
};

}  // namespace unrolled
