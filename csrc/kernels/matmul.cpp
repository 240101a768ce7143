// The layered scheme of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): a
// register tile over packed panels; blocking over k, m and n is the driver's (csrc/ops/matmul.cpp).
#include "kernels/matmul.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

#if UNROLLED_VECTOR_BYTES == 64 || defined(__aarch64__)  // 32 vector registers
constexpr int kRows = 6, kVectors = 4;
#elif UNROLLED_VECTOR_BYTES == 32  // 16 registers and a fused multiply-add
constexpr int kRows = 6, kVectors = 2;
#else                              // 16 registers, one of them for the product
constexpr int kRows = 4, kVectors = 2;
#endif

template <class Real>
constexpr int64_t kColumns = kVectors * kWidth<Real>;

// Whole panels are written front to back: six streams are read, one is written.
template <class Real>
void pack_rows(int64_t m, int64_t k, const Real* a, int64_t row_stride, int64_t column_stride, Real* packed) {
  for (int64_t i0 = 0; i0 < m; i0 += kRows, packed += k * kRows) {
    const Real* block = a + i0 * row_stride;
    if (m - i0 >= kRows) {
      for (int64_t p = 0; p < k; ++p) {
#pragma GCC unroll 8
        for (int64_t i = 0; i < kRows; ++i) packed[p * kRows + i] = block[i * row_stride + p * column_stride];
      }
      continue;
    }
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t i = 0; i < kRows; ++i) {
        packed[p * kRows + i] = i < m - i0 ? block[i * row_stride + p * column_stride] : Real(0);
      }
    }
  }
}

// B transposed in memory: whole blocks are transposed in registers.
template <class Real>
void pack_transposed_panel(int64_t k, int64_t columns, const Real* b, int64_t column_stride, Real* packed) {
  constexpr int64_t NR = kColumns<Real>, W = kWidth<Real>;
  const int64_t whole_columns = columns - columns % W, whole_rows = k - k % W;
  for (int64_t p = 0; p < whole_rows; p += W) {
    for (int64_t j = 0; j < whole_columns; j += W) {
      const Real* block = b + j * column_stride + p;
      transpose_block<Real>([=](int i) { return load(block + i * column_stride); }, packed + p * NR + j, NR);
    }
  }
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t p = j < whole_columns ? whole_rows : 0; p < k; ++p)
      packed[p * NR + j] = b[j * column_stride + p];
  }
}

// B in rows: a few panels side by side, so that each row is read in longer runs.
template <class Real>
void pack_row_major(int64_t k, int64_t n, const Real* b, int64_t row_stride, Real* packed) {
  constexpr int64_t NR = kColumns<Real>, kPanels = 4;
  for (int64_t j0 = 0; j0 < n; j0 += kPanels * NR) {
    const int64_t end = j0 + kPanels * NR < n ? j0 + kPanels * NR : n;
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t j = j0; j < end; j += NR) {
        Real* to = packed + j * k + p * NR;
        const Real* from = b + p * row_stride + j;
        if (n - j >= NR) {
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) store(to + v * kWidth<Real>, load(from + v * kWidth<Real>));
        } else {
          for (int64_t i = 0; i < NR; ++i) to[i] = i < n - j ? from[i] : Real(0);
        }
      }
    }
  }
}

template <class Real>
void pack_columns(int64_t k, int64_t n, const Real* b, int64_t row_stride, int64_t column_stride,
                  Real* packed) {
  constexpr int64_t NR = kColumns<Real>;
  if (column_stride == 1) return pack_row_major(k, n, b, row_stride, packed);
  for (int64_t j0 = 0; j0 < n; j0 += NR, packed += k * NR) {
    const int64_t columns = n - j0 < NR ? n - j0 : NR;
    if (columns < NR) std::memset(packed, 0, static_cast<size_t>(k * NR) * sizeof(Real));
    const Real* block = b + j0 * column_stride;
    if (row_stride == 1) {
      pack_transposed_panel(k, columns, block, column_stride, packed);
      continue;
    }
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t j = 0; j < columns; ++j) packed[p * NR + j] = block[p * row_stride + j * column_stride];
    }
  }
}

// Every loop over the accumulators is unrolled: one that is not spills the whole array to memory.
template <class Real>
UNROLLED_INLINE void multiply_tile(int64_t k, const Real* __restrict a, const Real* __restrict b, Real* c,
                                   int64_t ldc, bool accumulate) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> sum[kRows][kVectors] = {};
  for (int64_t p = 0; p < k; ++p, a += kRows, b += kColumns<Real>) {
    Vec<Real> row[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) row[v] = load(b + v * W);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const Vec<Real> x = broadcast<Real>(a[i]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[i][v] += x * row[v];
    }
  }
  if (accumulate) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sum[i][v] += load(c + i * ldc + v * W);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(c + i * ldc + v * W, sum[i][v]);
  }
}

// A tile that sticks out of C is made beside it, and its part inside is copied.
template <class Real>
void multiply_edge_tile(int64_t rows, int64_t columns, int64_t k, const Real* a, const Real* b, Real* c,
                        int64_t ldc, bool accumulate) {
  Real tile[kRows * kColumns<Real>];
  multiply_tile<Real>(k, a, b, tile, kColumns<Real>, false);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const Real x = tile[i * kColumns<Real> + j];
      c[i * ldc + j] = accumulate ? x + c[i * ldc + j] : x;
    }
  }
}

template <class Real>
void multiply(int64_t m, int64_t n, int64_t k, const Real* a_packed, const Real* b_packed, Real* c,
              int64_t ldc, bool accumulate) {
  constexpr int64_t NR = kColumns<Real>;
  for (int64_t j = 0; j < n; j += NR, b_packed += k * NR) {
    const Real* a = a_packed;
    for (int64_t i = 0; i < m; i += kRows, a += k * kRows) {
      Real* tile = c + i * ldc + j;
      if (m - i >= kRows && n - j >= NR) {
        multiply_tile<Real>(k, a, b_packed, tile, ldc, accumulate);
      } else {
        const int64_t rows = m - i < kRows ? m - i : kRows, columns = n - j < NR ? n - j : NR;
        multiply_edge_tile<Real>(rows, columns, k, a, b_packed, tile, ldc, accumulate);
      }
    }
  }
}

}  // namespace

template <class Real>
MatmulKernels<Real> matmul_kernels() {
  return {kRows, kColumns<Real>, pack_rows<Real>, pack_columns<Real>, multiply<Real>};
}
template MatmulKernels<float> matmul_kernels();
template MatmulKernels<double> matmul_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
