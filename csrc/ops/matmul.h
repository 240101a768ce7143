// Matrix products over threads, and matrices packed once for many products.
#pragma once

#include <cstdint>

#include "dispatch.h"
#include "memory.h"

namespace unrolled {

// Rows of the common dimension that are packed at a time. Its cuts decide the order of summation, so they
// depend on k alone.
inline constexpr int64_t kMatmulDepth = 512;

inline int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

template <class Real>
struct MatrixView {
  const Real* data;
  int64_t rows, columns;
  int64_t row_stride, column_stride;

  const Real* at(int64_t i, int64_t j) const { return data + i * row_stride + j * column_stride; }
  MatrixView transposed() const { return {data, columns, rows, column_stride, row_stride}; }
};

template <class Real>
MatrixView<Real> row_major(const Real* data, int64_t rows, int64_t columns) {
  return {data, rows, columns, columns, 1};
}

// C (a.rows, b.columns), row stride ldc, = or += A B.
template <class Real>
void matmul(MatrixView<Real> a, MatrixView<Real> b, Real* c, int64_t ldc, bool accumulate);

// The right operand of many small products, packed once; multiply() runs on the calling thread.
template <class Real>
class PackedMatrix {
 public:
  explicit PackedMatrix(MatrixView<Real> b);

  // C (a.rows, columns), row stride ldc, = or += A B. scratch: scratch_size(a.rows) elements.
  void multiply(MatrixView<Real> a, Real* scratch, Real* c, int64_t ldc, bool accumulate) const;
  int64_t scratch_size(int64_t a_rows) const;

 private:
  const MatmulKernels<Real>& kernels_;
  int64_t rows_, columns_, padded_columns_;
  Buffer<Real> packed_;
};

}  // namespace unrolled
