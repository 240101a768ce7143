// Matrix product: packing of both operands and the register-tiled product of packed panels.
#pragma once

#include <cstdint>

namespace unrolled {

// What is done to every sum of products before it is stored.
template <class Real>
struct ProductEnd {
  bool accumulate = false;     // add to what C holds
  const Real* bias = nullptr;  // one for each row of C
  bool relu = false;
  bool past = false;  // store whole tiles past the caches: rows of C begin with a cache line
};

template <class Real>
struct MatmulKernels {
  int64_t tile_rows;     // rows of C that one register tile holds
  int64_t tile_columns;  // its columns, a multiple of the vector width

  // A (m, k), element (i, p) at a[i * row_stride + p * column_stride], into panels of tile_rows rows:
  // packed (ceil(m / tile_rows), k, tile_rows), rows beyond m zero.
  void (*pack_rows)(int64_t m, int64_t k, const Real* a, int64_t row_stride, int64_t column_stride,
                    Real* packed);

  // B (k, n), element (p, j) at b[p * row_stride + j * column_stride], into panels of tile_columns columns:
  // packed (ceil(n / tile_columns), k, tile_columns), columns beyond n zero.
  void (*pack_columns)(int64_t k, int64_t n, const Real* b, int64_t row_stride, int64_t column_stride,
                       Real* packed);

  // C (m, n), row stride ldc, from A (m, k) packed times B (k, n) packed. Each element is one sum over k from
  // zero, finished by `end`: the same bits whatever m, n and the place in the tile.
  void (*multiply)(int64_t m, int64_t n, int64_t k, const Real* a_packed, const Real* b_packed, Real* c,
                   int64_t ldc, const ProductEnd<Real>& end);

  // The same with B (k, n) as it lies in memory, rows row_stride apart; n a multiple of tile_columns.
  void (*multiply_columns)(int64_t m, int64_t n, int64_t k, const Real* a_packed, const Real* b,
                           int64_t row_stride, Real* c, int64_t ldc, const ProductEnd<Real>& end);

  // The same with A (m, k) as it lies in memory, rows row_stride apart. Its rows should not lie a multiple of
  // 4 KiB apart: they would share their places in the first-level cache.
  void (*multiply_rows)(int64_t m, int64_t n, int64_t k, const Real* a, int64_t row_stride,
                        const Real* b_packed, Real* c, int64_t ldc, const ProductEnd<Real>& end);
};

}  // namespace unrolled
