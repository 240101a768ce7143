// Dot products with the rows of a weight as it lies: a step that reads each weight once is as fast as memory,
// and has nothing to gain from packing.
#include "kernels/recurrent.h"
#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

constexpr int kRowsAtOnce = 4;    // streams of memory that are read side by side
constexpr int64_t kAhead = 4096;  // bytes

// sums[i] += row i of w (rows, depth) times x, lane by lane.
template <class Real, int rows>
UNROLLED_INLINE void add_rows(int64_t depth, const Real* w, const Real* x, Vec<Real>* sums) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> even[rows], odd[rows] = {};
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) even[i] = sums[i];
  int64_t k = 0;
  for (; k + 2 * W <= depth; k += 2 * W) {
    const Vec<Real> x_even = load(x + k), x_odd = load(x + k + W);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const Real* row = w + i * depth + k;
      prefetch(reinterpret_cast<uintptr_t>(row) + kAhead);
      even[i] += load(row) * x_even;
      odd[i] += load(row + W) * x_odd;
    }
  }
  for (; k < depth; k += W) {
    const int64_t count = depth - k < W ? depth - k : W;
    const Vec<Real> x_rest = load_or_zero(x + k, count);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) even[i] += load_or_zero(w + i * depth + k, count) * x_rest;
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) sums[i] = even[i] + odd[i];
}

template <class Real>
void dot_rows(int64_t rows, int64_t depth, const Real* w, const Real* x, bool accumulate, Real* y) {
  int64_t row = 0;
  for (; row + kRowsAtOnce <= rows; row += kRowsAtOnce) {
    Vec<Real> sums[kRowsAtOnce] = {};
    add_rows<Real, kRowsAtOnce>(depth, w + row * depth, x, sums);
    for (int i = 0; i < kRowsAtOnce; ++i)
      y[row + i] = sum_lanes<Real>(sums[i]) + (accumulate ? y[row + i] : Real(0));
  }
  for (; row < rows; ++row) {
    Vec<Real> sum[1] = {};
    add_rows<Real, 1>(depth, w + row * depth, x, sum);
    y[row] = sum_lanes<Real>(sum[0]) + (accumulate ? y[row] : Real(0));
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
