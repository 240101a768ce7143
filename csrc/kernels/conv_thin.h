// Convolution of images with very few channels, stride 1: the taps number few dozen, and pixels are the
// lanes. A band of rows is written once for every channel and column of the kernel, shifted by that column,
// without gaps between rows: then every tap is the same run of pixels, at an offset, whatever the width.
#pragma once

#include <cstdint>

namespace unrolled {

inline constexpr int64_t kThinLanes = 16;  // the longest vector, in elements

// One image x (C, H, W), kernels (R, S), results (OH, OW).
struct ThinShape {
  int64_t C, H, W;
  int64_t R, S;
  int64_t OH, OW;
  int64_t pad_top, pad_left;

  int64_t taps() const { return C * R * S; }
};

template <class Real>
struct ThinKernels {
  int64_t forward_rows;  // output channels that `correlate` takes at a time
  int64_t project_taps;  // taps that `project` takes at a time
  int64_t weight_taps;   // `correlate_taps` takes a multiple of it
  int64_t lanes;

  // The planes (C * S, rows + R - 1, OW), plane_step apart, that the rows [first, first + rows) of y meet: at
  // (c, q, i, j) the pixel (c, first + i - pad_top, j + q - pad_left) of x. Up to kThinLanes elements behind
  // each are written, too.
  void (*shift_planes)(const ThinShape& shape, int64_t first, int64_t rows, const Real* x, Real* planes,
                       int64_t plane_step);

  // y[k][p] = bias[k] + the sum over j of weight[j][k] * planes[offsets[j] + p], p < n, for up to
  // forward_rows channels k, rows of y y_step apart; weight (taps, channels). bias may be null. Up to 2 *
  // kThinLanes elements behind the last pixel are read, and dropped.
  void (*correlate)(int64_t n, int64_t channels, int64_t taps, const int64_t* offsets, const Real* planes,
                    const Real* weight, const Real* bias, bool relu, Real* y, int64_t y_step);

  // parts[j][p] = the sum over the K channels of weight[k][j] * grad_y[k][p], for up to project_taps taps j.
  // Up to 2 * kThinLanes elements behind each row of parts are written.
  void (*project)(int64_t n, int64_t K, int64_t taps, const Real* weight, const Real* grad_y, int64_t y_step,
                  Real* parts, int64_t part_step);

  // One row of grad_x, one channel: the sum of its parts (R, S, pixels), part_step apart; `parts` is where
  // the row of pixels that tap (0, 0) meets begins, tap (r, q) meets row -r; taps r0 <= r < r1 only.
  void (*gather_row)(const ThinShape& shape, int64_t r0, int64_t r1, const Real* parts, int64_t part_step,
                     Real* grad_x);

  // sums (channels, taps + 1, lanes) += grad_y[k][p] * planes[offsets[j] + p], the last: grad_y[k][p].
  void (*correlate_taps)(int64_t n, int64_t channels, int64_t taps, const int64_t* offsets,
                         const Real* planes, const Real* grad_y, int64_t y_step, Real* sums);
};

}  // namespace unrolled
