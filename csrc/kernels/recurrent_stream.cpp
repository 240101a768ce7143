// Dot products with the rows of weights as they lie: a step that reads each weight once is as fast as memory,
// and has nothing to gain from packing.
#include "kernels/recurrent.h"
#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

constexpr int kRowsAtOnce = 4;  // read side by side

// Sums of the products of rows, lane by lane, in two chains each.
template <class Real, int rows>
struct RowSums {
  Vec<Real> even[rows] = {}, odd[rows] = {};

  UNROLLED_INLINE void add(DotOperand<Real> a) {
    constexpr int64_t W = kWidth<Real>;
    int64_t k = 0;
    for (; k + 2 * W <= a.depth; k += 2 * W) {
      const Vec<Real> x_even = load(a.x + k), x_odd = load(a.x + k + W);
#pragma GCC unroll 8
      for (int i = 0; i < rows; ++i) {
        const Real* row = a.weight + i * a.depth + k;
        even[i] += load(row) * x_even;
        odd[i] += load(row + W) * x_odd;
      }
    }
    for (; k < a.depth; k += W) {
      const int64_t count = a.depth - k < W ? a.depth - k : W;
      const Vec<Real> x_rest = load_or_zero(a.x + k, count);
#pragma GCC unroll 8
      for (int i = 0; i < rows; ++i) even[i] += load_or_zero(a.weight + i * a.depth + k, count) * x_rest;
    }
  }
};

template <class Real, int rows>
UNROLLED_INLINE void add_rows(DotOperand<Real> a, DotOperand<Real> b, Vec<Real>* sums) {
  RowSums<Real, rows> sum;
  sum.add(a);
  sum.add(b);
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) sums[i] = sum.even[i] + sum.odd[i];
}

// Lane i is the sum of the lanes of rows[i]: each round joins a row with the one half of the rows further on,
// and leaves half as many, with the lanes of both in turn.
template <class Real>
UNROLLED_INLINE Vec<Real> sum_each(Vec<Real>* rows) {
#pragma GCC unroll 8
  for (int half = static_cast<int>(kWidth<Real>) / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i)
      rows[i] = zip_low<Real>(rows[i], rows[i + half]) + zip_high<Real>(rows[i], rows[i + half]);
  }
  return rows[0];
}

template <class Real>
UNROLLED_INLINE Vec<Real> bias_of(DotOperand<Real> a, int64_t row, int64_t count) {
  return a.bias ? load_or_zero(a.bias + row, count) : Vec<Real>{};
}

template <class Real>
void dot_rows(int64_t rows, DotOperand<Real> a, DotOperand<Real> b, Real* y) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t first = 0; first < rows; first += W) {
    const int64_t count = rows - first < W ? rows - first : W;
    Vec<Real> sums[W];
    int64_t i = 0;
    for (; i + kRowsAtOnce <= count; i += kRowsAtOnce)
      add_rows<Real, kRowsAtOnce>(a.from(first + i), b.from(first + i), sums + i);
    for (; i < count; ++i) add_rows<Real, 1>(a.from(first + i), b.from(first + i), sums + i);
    for (; i < W; ++i) sums[i] = Vec<Real>{};
    const Vec<Real> bias = bias_of(a, first, count) + bias_of(b, first, count);
    store_some(y + first, count, sum_each<Real>(sums) + bias);
  }
}

}  // namespace

template <class Real>
DotRows<Real>* dot_rows_kernel() {
  return dot_rows<Real>;
}
template DotRows<float>* dot_rows_kernel();
template DotRows<double>* dot_rows_kernel();

}  // namespace unrolled::UNROLLED_LEVEL
