// The register tile of every matrix product, over operands packed or as they lie in the cache.
#pragma once

#include "kernels/matmul.h"
#include "kernels/simd.h"
#include "kernels/simd_stream.h"

namespace unrolled::UNROLLED_LEVEL {

#if UNROLLED_VECTOR_BYTES == 64 || defined(__aarch64__)  // 32 vector registers
inline constexpr int kProductRows = 6, kProductVectors = 4;
#elif UNROLLED_VECTOR_BYTES == 32  // 16 registers and a fused multiply-add
inline constexpr int kProductRows = 6, kProductVectors = 2;
#else                              // 16 registers, one of them for the product
inline constexpr int kProductRows = 4, kProductVectors = 2;
#endif

// A (rows, depth), element (i, p) at a[i * row_stride + p * depth_stride].
template <class Real>
struct ProductRows {
  const Real* a;
  int64_t row_stride, depth_stride;
};

// What becomes of a finished sum in row `row` of C that holds `before`.
template <class Real>
UNROLLED_INLINE Vec<Real> finish_sum(Vec<Real> sum, Vec<Real> before, int64_t row,
                                     const ProductEnd<Real>& end) {
  if (end.accumulate) sum += before;
  if (end.bias) sum += end.bias[row];
  if (end.relu) sum = sum <= Real(0) ? Vec<Real>{} : sum;
  return sum;
}

// sum += A times B, whose row p lies at line(p).
// Every loop over the accumulators is unrolled: one that is not spills the whole array to memory.
template <class Real, int rows, int vectors, class Line>
UNROLLED_INLINE void add_products(int64_t depth, ProductRows<Real> a, Line line,
                                  Vec<Real> (&sum)[rows][vectors]) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t p = 0; p < depth; ++p, a.a += a.depth_stride) {
    const Real* from = line(p);
    Vec<Real> b[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) b[v] = load(from + v * W);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const Vec<Real> x = broadcast<Real>(a.a[i * a.row_stride]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[i][v] += x * b[v];
    }
  }
}

// C (rows, vectors * W) from A times B.
template <class Real, int rows, int vectors, class Line>
UNROLLED_INLINE void product_tile(int64_t depth, ProductRows<Real> a, Line line, Real* c, int64_t c_row,
                                  const ProductEnd<Real>& end) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> sum[rows][vectors] = {};
  add_products<Real, rows, vectors>(depth, a, line, sum);
  const auto finish = [&]<bool kPast>() {
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        Real* to = c + i * c_row + v * W;
        const Vec<Real> before = end.accumulate ? load(to) : Vec<Real>{};
        store_or_past<kPast>(to, finish_sum<Real>(sum[i][v], before, i, end));
      }
    }
  };
  end.past ? finish.template operator()<true>() : finish.template operator()<false>();
}

// A tile of which `inside` rows and `columns` columns lie in C: made beside it and copied.
template <class Real, int rows, int vectors, class Line>
UNROLLED_INLINE void product_edge_tile(int64_t inside, int64_t columns, int64_t depth, ProductRows<Real> a,
                                       Line line, Real* c, int64_t c_row, const ProductEnd<Real>& end) {
  constexpr int64_t W = kWidth<Real>;
  Real tile[rows * vectors * W];
  product_tile<Real, rows, vectors>(depth, a, line, tile, vectors * W, {});
  for (int64_t i = 0; i < inside; ++i) {
    for (int v = 0; v < vectors; ++v) {
      const int64_t count = columns - v * W < W ? columns - v * W : W;
      Real* to = c + i * c_row + v * W;
      const Vec<Real> before = end.accumulate ? load_or_zero(to, count) : Vec<Real>{};
      const Vec<Real> sum = finish_sum<Real>(load(tile + (i * vectors + v) * W), before, i, end);
      if (count == W) {
        store(to, sum);
      } else {
        store_partial(to, count, sum);
      }
    }
  }
}

template <int v>
struct Constant {
  static constexpr int value = v;
};

// Calls run(Constant<count>) for count in 1 .. kProductVectors.
template <class Run>
UNROLLED_INLINE void with_vectors(int64_t count, Run run) {
  if constexpr (kProductVectors >= 4) {
    if (count >= 4) return run(Constant<4>{});
    if (count == 3) return run(Constant<3>{});
  }
  if (count >= 2) return run(Constant<2>{});
  run(Constant<1>{});
}

}  // namespace unrolled::UNROLLED_LEVEL
