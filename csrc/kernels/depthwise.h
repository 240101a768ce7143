// Correlation of single planes with single kernels: what a depthwise convolution and its gradients consist
// of. The plane is read from a padded copy of a band of its rows, which stays in the L1 cache.
#pragma once

#include <cstdint>

namespace unrolled {

inline constexpr int64_t kDepthwiseLanes = 16;  // the longest vector, in elements

// How a plane (H, W), rows row_step apart, lies in a padded copy: rows of `stride_w` runs of `phase`
// elements, the padded columns split by their remainder modulo the stride, so that every tap reads one run.
struct PaddedPlane {
  int64_t H, W, row_step;
  int64_t pad_top, pad_left;  // zeros before the plane
  int64_t stride_w;
  int64_t lead;  // elements before column 0 of each run: they bring the plane's own columns to aligned places
  int64_t phase;  // a multiple of kDepthwiseLanes
  bool whole;     // the band holds all padded rows: zeros above and below stay where they are

  int64_t row_pitch() const { return stride_w * phase; }
  // Where the padded column j lies in a row.
  int64_t column(int64_t j) const { return j % stride_w * phase + lead + j / stride_w; }
};

// Which elements of the padded copy the pixel (0, 0) meets: tap (r, q) the one at
// r * dilation_h * row_pitch + columns[q]. The pixel (i, j): those i * stride_h rows and j elements further.
struct DepthwiseWindow {
  int64_t R, S;
  int64_t stride_h, dilation_h;
  int64_t row_pitch;
  const int64_t* columns;  // (S)
};

// What a plane of sums starts from and ends with.
template <class Real>
struct DepthwiseEnds {
  Real bias;
  bool accumulate;  // the sums are added to what y holds
  bool relu;
};

template <class Real>
struct DepthwiseKernels {
  // Padded rows [first, first + rows) into band (rows, row_pitch): zeros at first, its margins stay so.
  void (*pad_rows)(const PaddedPlane& plane, int64_t first, int64_t rows, const Real* x, Real* band);

  // y (rows, columns), rows y_pitch apart; taps (S, R). Less than a vector behind the last element that
  // the windows meet is read, and dropped.
  void (*correlate)(const DepthwiseWindow& window, const Real* taps, const DepthwiseEnds<Real>& ends,
                    int64_t rows, int64_t columns, const Real* band, Real* y, int64_t y_pitch);

  // Rows of n elements: even[0], odd[0], even[1], ...
  void (*interleave)(int64_t rows, int64_t n, const Real* even, const Real* odd, int64_t from_pitch, Real* to,
                     int64_t to_pitch);

  // n elements that lie in the cache to memory, past the caches; other threads see them at the end.
  void (*write_past)(int64_t n, const Real* from, Real* to);
};

}  // namespace unrolled
