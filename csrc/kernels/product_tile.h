// The register tile of every matrix product, over operands packed or as they lie in the cache.
#pragma once

#include "kernels/matmul.h"
#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {

#if UNROLLED_VECTOR_BYTES == 64 || defined(__aarch64__)  // 32 vector registers
inline constexpr int kProductRows = 6, kProductVectors = 4;
#elif UNROLLED_VECTOR_BYTES == 32  // 16 registers and a fused multiply-add
inline constexpr int kProductRows = 6, kProductVectors = 2;
#else                              // 16 registers, one of them for the product
inline constexpr int kProductRows = 4, kProductVectors = 2;
#endif

template <int v>
struct Constant {
  static constexpr int value = v;
};

// A: element (i, p) at a[i * row + p * depth]; B: row p at b + p * b_row.
template <class Real>
struct ProductOperands {
  int64_t depth;
  const Real* a;
  int64_t a_row, a_depth;
  const Real* b;
  int64_t b_row;
};

// What becomes of a finished sum, vector v of row i of C.
template <class Real>
UNROLLED_INLINE Vec<Real> finish_sum(Vec<Real> sum, Vec<Real> before, int64_t row,
                                     const ProductEnd<Real>& end) {
  if (end.accumulate) sum += before;
  if (end.bias) sum += end.bias[row];
  if (end.relu) sum = sum <= Real(0) ? Vec<Real>{} : sum;
  return sum;
}

// Every loop over the accumulators is unrolled: one that is not spills the whole array to memory.
template <class Real, int rows, int vectors>
UNROLLED_INLINE void product_tile(const ProductOperands<Real>& o, Real* c, int64_t c_row,
                                  const ProductEnd<Real>& end) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> sum[rows][vectors] = {};
  const Real *a = o.a, *b = o.b;
  const int64_t a_row = o.a_row, a_depth = o.a_depth, b_row = o.b_row;
  for (int64_t p = 0; p < o.depth; ++p, a += a_depth, b += b_row) {
    Vec<Real> line[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) line[v] = load(b + v * W);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const Vec<Real> x = broadcast<Real>(a[i * a_row]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[i][v] += x * line[v];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      Real* to = c + i * c_row + v * W;
      store(to, finish_sum<Real>(sum[i][v], end.accumulate ? load(to) : Vec<Real>{}, i, end));
    }
  }
}

template <class Real, int rows>
void product_row_of_tiles(const ProductOperands<Real>& o, int64_t vectors, Real* c, int64_t c_row,
                          const ProductEnd<Real>& end) {
  if constexpr (kProductVectors >= 4) {
    if (vectors == 4) return product_tile<Real, rows, 4>(o, c, c_row, end);
    if (vectors == 3) return product_tile<Real, rows, 3>(o, c, c_row, end);
  }
  if (vectors == 2) return product_tile<Real, rows, 2>(o, c, c_row, end);
  product_tile<Real, rows, 1>(o, c, c_row, end);
}

// C (rows, vectors * W) = or += A B, with at most kProductVectors vectors.
template <class Real>
void product_panel(ProductOperands<Real> o, int64_t rows, int64_t vectors, Real* c, int64_t c_row,
                   const ProductEnd<Real>& end) {
  int64_t i = 0;
  for (; i + kProductRows <= rows; i += kProductRows, o.a += kProductRows * o.a_row) {
    product_row_of_tiles<Real, kProductRows>(o, vectors, c + i * c_row, c_row, end);
  }
  Real* rest = c + i * c_row;
  switch (rows - i) {
    case 5:
      return product_row_of_tiles<Real, 5>(o, vectors, rest, c_row, end);
    case 4:
      return product_row_of_tiles<Real, 4>(o, vectors, rest, c_row, end);
    case 3:
      return product_row_of_tiles<Real, 3>(o, vectors, rest, c_row, end);
    case 2:
      return product_row_of_tiles<Real, 2>(o, vectors, rest, c_row, end);
    case 1:
      return product_row_of_tiles<Real, 1>(o, vectors, rest, c_row, end);
    default:
      return;
  }
}

}  // namespace unrolled::UNROLLED_LEVEL
