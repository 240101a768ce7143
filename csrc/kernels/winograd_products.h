// The products at the points of Winograd's algorithm, whatever the points: one small matrix product each.
#pragma once

#include "kernels/product_tile.h"
#include "kernels/winograd.h"

namespace unrolled::UNROLLED_LEVEL {

template <class Real>
inline constexpr int64_t kPanel = kProductVectors * kWidth<Real>;

template <class Real>
UNROLLED_INLINE int64_t padded(int64_t channels) {
  return (channels + kWidth<Real> - 1) / kWidth<Real> * kWidth<Real>;
}

// The tiles of a block that have a given point.
struct TileRange {
  int64_t begin, count;
};

// C (rows, vectors * W) = or += A B, for the few rows and vectors of a block of tiles.
template <class Real, int vectors, class Line>
void product_panel(int64_t rows, int64_t depth, ProductRows<Real> a, Line line, Real* c, int64_t c_row,
                   bool accumulate) {
  constexpr int R = kProductRows;
  const ProductEnd<Real> end = {.accumulate = accumulate};
  int64_t i = 0;
  for (; i + R <= rows; i += R, a.a += R * a.row_stride, c += R * c_row) {
    product_tile<Real, R, vectors>(depth, a, line, c, c_row, end);
  }
  switch (rows - i) {
    case 5:
      return product_tile<Real, 5, vectors>(depth, a, line, c, c_row, end);
    case 4:
      return product_tile<Real, 4, vectors>(depth, a, line, c, c_row, end);
    case 3:
      return product_tile<Real, 3, vectors>(depth, a, line, c, c_row, end);
    case 2:
      return product_tile<Real, 2, vectors>(depth, a, line, c, c_row, end);
    case 1:
      return product_tile<Real, 1, vectors>(depth, a, line, c, c_row, end);
    default:
      return;
  }
}

// Points: `count` of them, and tiles_with(block, point).
template <class Real, class Points>
void multiply(const WinogradBlock& block, int64_t C, int64_t K, const Real* v, int64_t v_plane, const Real* u,
              int64_t first, int64_t columns, Real* products, int64_t products_plane) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t Cp = padded<Real>(C), Kp = padded<Real>(K), end = first + columns;
  for (int64_t point = 0; point < Points::count; ++point) {
    const TileRange tiles = Points::tiles_with(block, point);
    const ProductRows<Real> rows = {v + point * v_plane + tiles.begin * Cp, Cp, 1};
    for (int64_t k = first; k < end; k += kPanel<Real>) {
      const int64_t width = Kp - k < kPanel<Real> ? Kp - k : kPanel<Real>;
      const Real* panel = u + point * C * Kp + k * C;
      const auto line = [=](int64_t p) { return panel + p * width; };
      Real* to = products + point * products_plane + tiles.begin * columns + (k - first);
      with_vectors(width / W, [&](auto vectors) {
        product_panel<Real, vectors.value>(tiles.count, C, rows, line, to, columns, false);
      });
    }
  }
}

template <class Real, class Points>
void multiply_transposed(const WinogradBlock& block, int64_t C, int64_t K, const Real* v, int64_t v_plane,
                         const Real* z, int64_t z_plane, bool accumulate, Real* grad_u) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t Cp = padded<Real>(C), Kp = padded<Real>(K);
  for (int64_t point = 0; point < Points::count; ++point) {
    const TileRange tiles = Points::tiles_with(block, point);
    const ProductRows<Real> rows = {v + point * v_plane + tiles.begin * Cp, 1, Cp};
    for (int64_t k = 0; k < Kp; k += kPanel<Real>) {
      const int64_t width = Kp - k < kPanel<Real> ? Kp - k : kPanel<Real>;
      const Real* panel = z + point * z_plane + tiles.begin * Kp + k;
      const auto line = [=](int64_t p) { return panel + p * Kp; };
      Real* to = grad_u + point * C * Kp + k;
      with_vectors(width / W, [&](auto vectors) {
        product_panel<Real, vectors.value>(C, tiles.count, rows, line, to, Kp, accumulate);
      });
    }
  }
}

}  // namespace unrolled::UNROLLED_LEVEL
