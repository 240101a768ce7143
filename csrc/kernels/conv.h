// 2-D convolution as a matrix product: the image is padded once, then packed into the product's panels on the
// fly.
#pragma once

#include <cstdint>

namespace unrolled {

// The convolution of one image, in (C, H, W), with a kernel (R, S), over the padded image (C, padded_h,
// padded_w).
struct ConvShape {
  int64_t C, H, W;
  int64_t R, S;
  int64_t stride_h, stride_w;
  int64_t OH, OW;
  int64_t pad_top, pad_left;   // zeros before the image; negative: rows or columns cut off
  int64_t spread_h, spread_w;  // distance of the image's rows and columns in the padded image: 1, or the
                               // forward stride where the gradient by the input is taken
  int64_t padded_h, padded_w;
};

template <class Real>
struct ConvKernels {
  // x (C, H, W) into padded (C, padded_h, padded_w), zeros elsewhere.
  void (*pad_image)(const ConvShape& shape, const Real* x, Real* padded);

  // The columns matrix (C*R*S, OH*OW) of im2col, rows [k0, k1) and pixels [j0, j1), into panels of the matrix
  // product's tile_columns pixels: packed (panels, k1 - k0, tile_columns), zero beyond j1.
  void (*pack_pixels)(const ConvShape& shape, const Real* padded, int64_t k0, int64_t k1, int64_t j0,
                      int64_t j1, int64_t tile_columns, Real* packed);

  // The same matrix transposed (OH*OW, C*R*S), pixels [p0, p1), all C*R*S columns, into panels of
  // tile_columns of them: packed (panels, p1 - p0, tile_columns), zero beyond C*R*S. offsets: scratch of
  // tile_columns.
  void (*pack_taps)(const ConvShape& shape, const Real* padded, int64_t p0, int64_t p1, int64_t tile_columns,
                    int64_t* offsets, Real* packed);

  // weight (K, C, R, S) into flipped (C, K, R, S), both kernel axes reversed: the weight of the gradient by
  // the input.
  void (*flip_weight)(int64_t K, int64_t C, int64_t R, int64_t S, const Real* weight, Real* flipped);
};

}  // namespace unrolled
