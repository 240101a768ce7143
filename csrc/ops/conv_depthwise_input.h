// The gradient of a depthwise convolution by its input. Stride cuts grad_x into interleaved images, each a
// correlation of grad_y with the taps that reach it; all of them read one padded copy.
#pragma once

#include <cstdint>
#include <vector>

#include "memory.h"
#include "ops/conv.h"
#include "ops/depthwise_pass.h"

namespace unrolled {

// Along one axis: the taps that reach the pixels phase, phase + stride, ... of x, the last first.
struct AxisPhase {
  std::vector<int64_t> taps;
  int64_t begin = 0;  // the pixel of y that the first of them joins to x's pixel `phase`
  int64_t pixels;     // of this phase
};

template <class Real>
class DepthwiseInputGradient {
 public:
  DepthwiseInputGradient(const Conv2dShape& shape, const Real* weight);

  // Memory that one thread works in.
  struct Scratch {
    Buffer<Real> band, split;
    BandWriter<Real> writer;
  };
  Scratch make_scratch() const {
    return {pass_.make_band<Real>(), Buffer<Real>(split_size_),
            BandWriter<Real>(s_.N * s_.x_step,
                             std::max(pass_.rows_at_once() * s_.stride_h, bands_.rows_at_once) * s_.W)};
  }

  // Channel c of one image: grad_y (K, OH, OW) -> grad_x (H, W).
  void correlate(int64_t c, const Real* grad_y, Scratch& scratch, Real* grad_x) const;

 private:
  // Pixels (a, b), (a, b + stride_w), ..., (a + stride_h, b), ... of grad_x.
  struct Phase {
    int64_t rows, columns;
    std::vector<int64_t> tap_columns;
    Buffer<Real> taps;
    DepthwiseWindow window;
    int64_t band_offset;
  };

  Phase make_phase(const AxisPhase& rows, const AxisPhase& columns, const Real* weight) const;
  void correlate_planes(int64_t c, const Real* grad_y, Scratch& scratch, Real* grad_x) const;
  void correlate_phase(const Phase& phase, int64_t k, bool accumulate, int64_t rows, const Buffer<Real>& band,
                       Real* y, int64_t pitch) const;
  void interleave(int64_t rows, const Real* phases, Real* grad_x) const;

  Conv2dShape s_;
  std::vector<AxisPhase> row_phases_, column_phases_;
  DepthwisePass pass_;
  std::vector<Phase> phases_;  // (stride_h, stride_w)
  int64_t split_step_, split_size_;
  DepthwiseBands bands_;
};

}  // namespace unrolled
