#include "ops/matmul.h"

#include <algorithm>

#include "parallel.h"

namespace unrolled {
namespace {

// Blocks in elements; multiples of every register tile. A chunk of A (kRowBlock x kMatmulDepth) stays in the
// second-level cache while the panels of B pass by.
constexpr int64_t kRowBlock = 96, kColumnBlock = 1024;
constexpr int64_t kRowsAtOnce = 32 * kRowBlock, kColumnsAtOnce = 4 * kColumnBlock;
constexpr int64_t kTasks =
    16;  // cut finer than this and packing shows; coarser, and threads wait for each other

// Packing B does not pay where few rows meet it, or where a panel stays in the first-level cache anyway.
constexpr int64_t kFewRows = 48, kPanelBytes = 16 << 10;

// The columns of B, of the first ones, that are multiplied as they lie in memory.
template <class Real>
int64_t unpacked_columns(const MatmulKernels<Real>& kernel, MatrixView<Real> a, MatrixView<Real> b) {
  const int64_t NR = kernel.tile_columns, panel = b.rows * NR * static_cast<int64_t>(sizeof(Real));
  const bool pays = b.column_stride == 1 && (a.rows <= kFewRows || panel <= kPanelBytes);
  return pays ? b.columns / NR * NR : 0;
}

// Width of one task's part of C, from the shape alone.
int64_t column_block(int64_t rows, int64_t columns, int64_t tile_columns) {
  const int64_t row_tasks = (rows + kRowBlock - 1) / kRowBlock;
  int64_t width = kColumnBlock;
  while (width > tile_columns && row_tasks * ((columns + width - 1) / width) < kTasks) width /= 2;
  return std::max(width, tile_columns);
}

// One block of C over one chunk of depth: what is to be packed is packed side by side, then multiplied tile
// by tile.
template <class Real>
void multiply_chunk(const MatmulKernels<Real>& kernel, MatrixView<Real> a, MatrixView<Real> b, Real* c,
                    int64_t ldc, bool accumulate, Real* a_packed, Real* b_packed) {
  const int64_t depth = a.columns, NR = kernel.tile_columns;
  const int64_t row_tasks = (a.rows + kRowBlock - 1) / kRowBlock;
  const int64_t width = column_block(a.rows, b.columns, NR);
  const int64_t column_tasks = (b.columns + width - 1) / width;
  const int64_t plain = unpacked_columns(kernel, a, b), done = plain / width;  // tasks without packing

  parallel_for(row_tasks + column_tasks - done, depth * (a.rows + b.columns - plain), [&](int64_t task) {
    if (task < row_tasks) {
      const int64_t i = task * kRowBlock;
      kernel.pack_rows(std::min(kRowBlock, a.rows - i), depth, a.at(i, 0), a.row_stride, a.column_stride,
                       a_packed + i * depth);
    } else {
      const int64_t first = (task - row_tasks + done) * width, j = std::max(first, plain);
      kernel.pack_columns(depth, std::min(first + width, b.columns) - j, b.at(0, j), b.row_stride,
                          b.column_stride, b_packed + j * depth);
    }
  });
  const int64_t work = a.rows * b.columns * depth / kMultiplyAddsPerOperation;
  parallel_for(row_tasks * column_tasks, work, [&](int64_t task) {
    const int64_t i = task / column_tasks * kRowBlock, j = task % column_tasks * width;
    const int64_t rows = std::min(kRowBlock, a.rows - i), columns = std::min(width, b.columns - j);
    const int64_t direct = std::clamp<int64_t>(plain - j, 0, columns);
    const Real* left = a_packed + i * depth;
    Real* to = c + i * ldc + j;
    const ProductEnd<Real> end = {.accumulate = accumulate};
    if (direct > 0)
      kernel.multiply_columns(rows, direct, depth, left, b.at(0, j), b.row_stride, to, ldc, end);
    if (direct == columns) return;
    kernel.multiply(rows, columns - direct, depth, left, b_packed + (j + direct) * depth, to + direct, ldc,
                    end);
  });
}

// Whether rows may be read as they lie: a multiple of 4 KiB apart they would share their places in the
// first-level cache.
template <class Real>
bool spread_rows(int64_t row_stride) {
  return row_stride * static_cast<int64_t>(sizeof(Real)) % 4096 != 0;
}

// Few rows of A and B transposed in memory: C transposed is B transposed, whose rows are read as they lie,
// times A transposed, which is packed. Each sum has the same terms in the same order.
template <class Real>
bool transposed_pays(MatrixView<Real> a, MatrixView<Real> b) {
  return a.rows <= kFewRows && b.row_stride == 1 && b.columns > kFewRows &&
         spread_rows<Real>(b.column_stride);
}

template <class Real>
void transpose(int64_t rows, int64_t columns, const Real* from, int64_t from_stride, Real* to,
               int64_t to_stride) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
}

template <class Real>
void multiply_transposed(const MatmulKernels<Real>& kernel, MatrixView<Real> a, MatrixView<Real> b, Real* c,
                         int64_t ldc, bool accumulate) {
  const int64_t m = a.rows, n = b.columns, k = a.columns, width = round_up(m, kernel.tile_columns);
  const int64_t chunks = (k + kMatmulDepth - 1) / kMatmulDepth;
  Buffer<Real> packed(k * width), turned(n * m);
  if (accumulate) transpose(m, n, c, ldc, turned.data(), m);
  parallel_for(chunks, k * m, [&](int64_t chunk) {
    const int64_t p = chunk * kMatmulDepth;
    kernel.pack_columns(std::min(kMatmulDepth, k - p), m, a.at(0, p), a.column_stride, a.row_stride,
                        packed.data() + p * width);
  });
  const int64_t grain = round_up((n + kTasks - 1) / kTasks, kernel.tile_rows);
  parallel_runs(n, grain, m * n * k / kMultiplyAddsPerOperation, [&](int64_t begin, int64_t end) {
    for (int64_t p = 0; p < k; p += kMatmulDepth) {
      kernel.multiply_rows(end - begin, m, std::min(kMatmulDepth, k - p), b.at(p, begin), b.column_stride,
                           packed.data() + p * width, turned.data() + begin * m, m,
                           {.accumulate = accumulate || p > 0});
    }
  });
  transpose(n, m, turned.data(), m, c, ldc);
}

template <class Real>
void clear(int64_t rows, int64_t columns, Real* c, int64_t ldc) {
  for (int64_t i = 0; i < rows; ++i) std::fill_n(c + i * ldc, columns, Real(0));
}

template <class Real>
MatrixView<Real> block(MatrixView<Real> m, int64_t i, int64_t rows, int64_t j, int64_t columns) {
  return {m.at(i, j), std::min(rows, m.rows - i), std::min(columns, m.columns - j), m.row_stride,
          m.column_stride};
}

}  // namespace

template <class Real>
void matmul(MatrixView<Real> a, MatrixView<Real> b, Real* c, int64_t ldc, bool accumulate) {
  const int64_t m = a.rows, n = b.columns, k = a.columns;
  if (m == 0 || n == 0) return;
  if (k == 0 && !accumulate) return clear(m, n, c, ldc);
  const MatmulKernels<Real>& kernel = kernels<Real>().matmul;
  if (transposed_pays(a, b)) return multiply_transposed(kernel, a, b, c, ldc, accumulate);
  const int64_t depth = std::min(k, kMatmulDepth);
  Buffer<Real> a_packed(round_up(std::min(m, kRowsAtOnce), kernel.tile_rows) * depth);
  Buffer<Real> b_packed(round_up(std::min(n, kColumnsAtOnce), kernel.tile_columns) * depth);
  for (int64_t i = 0; i < m; i += kRowsAtOnce) {
    for (int64_t j = 0; j < n; j += kColumnsAtOnce) {
      for (int64_t p = 0; p < k; p += kMatmulDepth) {
        multiply_chunk(kernel, block(a, i, kRowsAtOnce, p, kMatmulDepth),
                       block(b, p, kMatmulDepth, j, kColumnsAtOnce), c + i * ldc + j, ldc,
                       accumulate || p > 0, a_packed.data(), b_packed.data());
      }
    }
  }
}

template <class Real>
PackedMatrix<Real>::PackedMatrix(MatrixView<Real> b)
    : kernels_(kernels<Real>().matmul),
      rows_(b.rows),
      columns_(b.columns),
      padded_columns_(round_up(b.columns, kernels_.tile_columns)),
      packed_(b.rows * padded_columns_) {
  const int64_t panels = padded_columns_ / kernels_.tile_columns;
  for (int64_t p = 0; p < rows_; p += kMatmulDepth) {
    const int64_t depth = std::min(kMatmulDepth, rows_ - p);
    parallel_for(panels, depth * columns_, [&](int64_t panel) {
      const int64_t j = panel * kernels_.tile_columns;
      kernels_.pack_columns(depth, std::min(kernels_.tile_columns, columns_ - j), b.at(p, j), b.row_stride,
                            b.column_stride, packed_.data() + p * padded_columns_ + j * depth);
    });
  }
}

template <class Real>
int64_t PackedMatrix<Real>::scratch_size(int64_t a_rows) const {
  return round_up(a_rows, kernels_.tile_rows) * std::min(rows_, kMatmulDepth);
}

template <class Real>
void PackedMatrix<Real>::multiply(MatrixView<Real> a, Real* scratch, Real* c, int64_t ldc,
                                  bool accumulate) const {
  if (rows_ == 0 && !accumulate) return clear(a.rows, columns_, c, ldc);
  const bool as_it_lies = a.column_stride == 1 && spread_rows<Real>(a.row_stride);
  for (int64_t p = 0; p < rows_; p += kMatmulDepth) {
    const int64_t depth = std::min(kMatmulDepth, rows_ - p);
    const Real* b = packed_.data() + p * padded_columns_;
    const ProductEnd<Real> end = {.accumulate = accumulate || p > 0};
    if (as_it_lies) {
      kernels_.multiply_rows(a.rows, columns_, depth, a.at(0, p), a.row_stride, b, c, ldc, end);
      continue;
    }
    kernels_.pack_rows(a.rows, depth, a.at(0, p), a.row_stride, a.column_stride, scratch);
    kernels_.multiply(a.rows, columns_, depth, scratch, b, c, ldc, end);
  }
}

template void matmul(MatrixView<float>, MatrixView<float>, float*, int64_t, bool);
template void matmul(MatrixView<double>, MatrixView<double>, double*, int64_t, bool);
template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace unrolled
