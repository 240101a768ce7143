// 2-D convolution as a matrix product: the image is padded once, then packed into the product's panels on the
// fly.
#pragma once

#include <cstdint>

#include "kernels/matmul.h"

namespace unrolled {

// The convolution of one image (C, H, W) with a kernel (R, S). The padded image is (C, padded_h, stride_w,
// padded_w): its columns are split by their remainder modulo the stride, so that every tap reads one run.
struct ConvShape {
  int64_t C, H, W;
  int64_t R, S;
  int64_t stride_h, stride_w;
  int64_t dilation_h, dilation_w;
  int64_t OH, OW;
  int64_t pad_top, pad_left;  // zeros before the image; negative: rows or columns cut off
  int64_t padded_h, padded_w;

  int64_t row_pitch() const { return stride_w * padded_w; }
  int64_t padded_size() const { return C * padded_h * row_pitch(); }
  int64_t taps() const { return C * R * S; }
  // Distance of a tap, counted through (C, R, S), from the first one of the same pixel.
  int64_t tap_offset(int64_t tap) const {
    const int64_t c = tap / (R * S), row = tap / S % R * dilation_h, column = tap % S * dilation_w;
    return ((c * padded_h + row) * stride_w + column % stride_w) * padded_w + column / stride_w;
  }
};

inline constexpr int64_t kConvSlack = 16;  // the longest vector, in elements

template <class Real>
struct ConvKernels {
  // x (C, H, W) into padded, zeros elsewhere.
  void (*pad_image)(const ConvShape& shape, const Real* x, Real* padded);

  // The columns matrix (C*R*S, OH*OW) of im2col, rows [k0, k1) and pixels [j0, j1), into panels of the matrix
  // product's tile_columns pixels: packed (panels, k1 - k0, tile_columns), zero beyond j1. offsets: of all
  // taps.
  void (*pack_pixels)(const ConvShape& shape, const Real* padded, const int64_t* offsets, int64_t k0,
                      int64_t k1, int64_t j0, int64_t j1, int64_t tile_columns, Real* packed);

  // Rows [row0, row1) of y (K, OH, OW) over some of the taps without packing, for few taps or few outputs and
  // long rows. offsets: of these taps; weight_packed (ceil(K / tile_rows), taps, tile_rows) by the matrix
  // product's pack_rows. Up to kConvSlack elements behind `padded` are read.
  void (*convolve_rows)(const ConvShape& shape, int64_t K, const Real* padded, const int64_t* offsets,
                        int64_t taps, const Real* weight_packed, int64_t row0, int64_t row1,
                        const ProductEnd<Real>& end, Real* y);

  // The columns matrix transposed (OH*OW, C*R*S), pixels [p0, p1), all C*R*S columns, into panels of
  // tile_columns of them: packed (panels, p1 - p0, tile_columns), zero beyond C*R*S. Up to kConvSlack
  // elements behind `padded` are read, and rows behind `packed` written.
  void (*pack_taps)(const ConvShape& shape, const Real* padded, const int64_t* offsets, int64_t p0,
                    int64_t p1, int64_t tile_columns, Real* packed);
};

}  // namespace unrolled
