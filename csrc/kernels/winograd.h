// Winograd's minimal filtering with stride 1: for 3x3 kernels tiles of m x m outputs become products at
// (m + 2)^2 points, for r taps along one axis tiles of 9 - r outputs at 8 points. All passes, for one block
// of tiles; the caller cuts blocks and holds the scratch.
#pragma once

#include <cstdint>

namespace unrolled {

// One image. Tiles lie row by row; where only one or two rows (columns) of outputs are left over, the tiles
// of the last row (column) are narrow: two outputs, from fewer points.
struct WinogradShape {
  int64_t C, H, W;    // x
  int64_t K, OH, OW;  // y
  int64_t pad_top, pad_left;
  int64_t tile_rows, tile_columns;
  bool narrow_row, narrow_column;
  bool past = false;  // y goes past the caches
};

// The tiles of a block in this order, so that the tiles that have a given point lie side by side.
struct WinogradBlock {
  int64_t low, whole, thin, corner;  // of narrow rows; whole; of narrow columns; of both

  int64_t tiles() const { return low + whole + thin + corner; }
};

// Where in its block a row of tiles goes: its first tile, and its narrow one.
struct WinogradPlace {
  int64_t first, narrow;
};

template <class Real>
struct WinogradKernels {
  int64_t tile;  // m
  int64_t points;
  int64_t taps;  // of a kernel
  bool one_axis;
  int64_t channels;  // channels are padded to a multiple of this: the vector width

  // weight, element (k, c, tap) at weight[k * k_stride + c * c_stride + tap], its taps reversed if `flip`, to
  // u (points, ceil(K / panel) panels, C, panel): panels of panel_columns channels, the last one narrower.
  int64_t panel_columns;
  void (*transform_weight)(int64_t K, int64_t C, const Real* weight, int64_t k_stride, int64_t c_stride,
                           bool flip, Real* u);

  // Tile rows [begin, end) of x (C, H, W) to their places (one a row) in v (points, tiles, padded C), planes
  // of points `plane` apart. scratch: strip_size(columns of x, tile_columns).
  void (*transform_input)(const WinogradShape& shape, const Real* x, int64_t begin, int64_t end,
                          const WinogradPlace* places, int64_t plane, Real* v, Real* scratch);
  // The same of grad_y (K, OH, OW), for the weight gradient.
  void (*transform_grad_y)(const WinogradShape& shape, const Real* grad_y, int64_t begin, int64_t end,
                           const WinogradPlace* places, int64_t plane, Real* z, Real* scratch);
  int64_t (*strip_size)(int64_t columns, int64_t tile_columns);

  // products (points, tiles, columns) = v times columns [first, first + columns) of u.
  void (*multiply)(const WinogradBlock& block, int64_t C, int64_t K, const Real* v, int64_t v_plane,
                   const Real* u, int64_t first, int64_t columns, Real* products, int64_t products_plane);
  // Tile row `row` of channels [first, first + channels) of y (K, OH, OW), from its place in products
  // (points, tiles, columns). bias (K) may be null.
  void (*transform_output)(const WinogradShape& shape, const Real* products, int64_t plane, int64_t columns,
                           int64_t row, const WinogradPlace& place, int64_t first, int64_t channels,
                           const Real* bias, bool relu, Real* y, Real* scratch);

  // grad_u (points, C, padded K) = or += v transposed times z, both (points, tiles, padded channels).
  void (*multiply_transposed)(const WinogradBlock& block, int64_t C, int64_t K, const Real* v,
                              int64_t v_plane, const Real* z, int64_t z_plane, bool accumulate, Real* grad_u);
  // grad_u -> taps (C, taps, padded K).
  void (*transform_grad_u)(int64_t C, int64_t K, const Real* grad_u, Real* taps);
};

// Along one axis, by the taps of the kernel.
template <class Real>
struct WinogradLineKernels {
  WinogradKernels<Real> taps3, taps5, taps7;
};

}  // namespace unrolled
