// The layered scheme of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008): a
// register tile over packed panels; blocking over k, m and n is the driver's (csrc/ops/matmul.cpp).
#include "kernels/matmul.h"

#include "kernels/product_tile.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

constexpr int kRows = kProductRows;

constexpr int64_t kAhead = 256;  // bytes between what is packed and what is fetched for later

template <class Real>
constexpr int64_t kColumns = kProductVectors * kWidth<Real>;

// One panel of kRows rows that lie side by side in memory, each column in one copy; what it brings too much
// is covered by the next one, of which the last column has none.
template <class Real>
void pack_neighbouring_rows(int64_t k, const Real* a, int64_t column_stride, Real* packed) {
  constexpr int64_t kCopied = 8;
  static_assert(kRows <= kCopied && kCopied <= 2 * kRows);
  for (int64_t p = 0; p + 1 < k; ++p)
    std::memcpy(packed + p * kRows, a + p * column_stride, kCopied * sizeof(Real));
  std::memcpy(packed + (k - 1) * kRows, a + (k - 1) * column_stride, kRows * sizeof(Real));
}

// Whole panels are written front to back: six streams are read, one is written.
template <class Real>
void pack_rows(int64_t m, int64_t k, const Real* a, int64_t row_stride, int64_t column_stride, Real* packed) {
  const bool neighbours = row_stride == 1 && column_stride >= kRows && k > 0;
  for (int64_t i0 = 0; i0 < m; i0 += kRows, packed += k * kRows) {
    const Real* block = a + i0 * row_stride;
    if (m - i0 >= kRows && neighbours) {
      pack_neighbouring_rows(k, block, column_stride, packed);
      continue;
    }
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
  for (int64_t j = 0; j < whole_columns; j += W) {
    for (int64_t p = 0; p < whole_rows; p += W) {
      const Real* block = b + j * column_stride + p;
      // Too many streams for the processor to foresee them; beyond the end of B this does nothing.
      const auto row = [=](int i) {
        prefetch(reinterpret_cast<uintptr_t>(block + i * column_stride) + kAhead);
        return load(block + i * column_stride);
      };
      transpose_block<Real>(row, packed + p * NR + j, NR);
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
          for (int v = 0; v < kProductVectors; ++v)
            store(to + v * kWidth<Real>, load(from + v * kWidth<Real>));
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

// One panel of `vectors` vectors of columns, of which the last may stick out; its rows lie b_stride apart. A
// is packed: rows beyond m are there, and zero.
template <class Real, int vectors>
void multiply_panel(int64_t m, int64_t columns, int64_t k, const Real* a, const Real* b, int64_t b_stride,
                    Real* c, int64_t ldc, const ProductEnd<Real>& whole) {
  const auto line = [b, b_stride](int64_t p) { return b + p * b_stride; };
  ProductEnd<Real> end = whole;
  for (int64_t i = 0; i < m; i += kRows, a += k * kRows, c += kRows * ldc) {
    end.bias = whole.bias ? whole.bias + i : nullptr;
    const ProductRows<Real> rows = {a, 1, kRows};
    if (m - i >= kRows && columns == vectors * kWidth<Real>) {
      product_tile<Real, kRows, vectors>(k, rows, line, c, ldc, end);
    } else if (m - i > kRows / 2) {
      const int64_t inside = m - i < kRows ? m - i : kRows;
      product_edge_tile<Real, kRows, vectors>(inside, columns, k, rows, line, c, ldc, end);
    } else {
      product_edge_tile<Real, kRows / 2, vectors>(m - i, columns, k, rows, line, c, ldc, end);
    }
  }
}

// The same with A as it lies in memory.
template <class Real, int vectors>
void multiply_panel_of_rows(int64_t m, int64_t columns, int64_t k, const Real* a, int64_t row_stride,
                            const Real* b, Real* c, int64_t ldc, const ProductEnd<Real>& whole) {
  const auto line = [b](int64_t p) { return b + p * kColumns<Real>; };
  ProductEnd<Real> end = whole;
  int64_t i = 0;
  for (; i + kRows <= m; i += kRows, c += kRows * ldc) {
    end.bias = whole.bias ? whole.bias + i : nullptr;
    const ProductRows<Real> rows = {a + i * row_stride, row_stride, 1};
    if (columns == vectors * kWidth<Real>) {
      product_tile<Real, kRows, vectors>(k, rows, line, c, ldc, end);
    } else {
      product_edge_tile<Real, kRows, vectors>(kRows, columns, k, rows, line, c, ldc, end);
    }
  }
  for (; i < m; ++i, c += ldc) {
    end.bias = whole.bias ? whole.bias + i : nullptr;
    const ProductRows<Real> rows = {a + i * row_stride, row_stride, 1};
    product_edge_tile<Real, 1, vectors>(1, columns, k, rows, line, c, ldc, end);
  }
}

// Calls run(first column, columns, vectors of them as a constant) for each panel.
template <class Real, class Run>
UNROLLED_INLINE void for_each_panel(int64_t n, Run run) {
  constexpr int64_t NR = kColumns<Real>, W = kWidth<Real>;
  for (int64_t j = 0; j < n; j += NR) {
    const int64_t columns = n - j < NR ? n - j : NR;
    with_vectors((columns + W - 1) / W, [&](auto vectors) { run(j, columns, vectors); });
  }
}

template <class Real>
void multiply(int64_t m, int64_t n, int64_t k, const Real* a_packed, const Real* b_packed, Real* c,
              int64_t ldc, const ProductEnd<Real>& end) {
  for_each_panel<Real>(n, [&](int64_t j, int64_t columns, auto vectors) {
    multiply_panel<Real, vectors.value>(m, columns, k, a_packed, b_packed + j * k, kColumns<Real>, c + j, ldc,
                                        end);
  });
  if (end.past) stream_fence();
}

template <class Real>
void multiply_columns(int64_t m, int64_t n, int64_t k, const Real* a_packed, const Real* b,
                      int64_t row_stride, Real* c, int64_t ldc, const ProductEnd<Real>& end) {
  constexpr int64_t NR = kColumns<Real>, kLine = 64 / static_cast<int64_t>(sizeof(Real));
  for (int64_t j = 0; j < n; j += NR) {
    // The panel after this one: its rows lie too far apart for the processor to foresee it.
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t i = NR; i < 2 * NR; i += kLine) __builtin_prefetch(b + j + p * row_stride + i, 0, 2);
    }
    multiply_panel<Real, kProductVectors>(m, NR, k, a_packed, b + j, row_stride, c + j, ldc, end);
  }
}

template <class Real>
void multiply_rows(int64_t m, int64_t n, int64_t k, const Real* a, int64_t row_stride, const Real* b_packed,
                   Real* c, int64_t ldc, const ProductEnd<Real>& end) {
  for_each_panel<Real>(n, [&](int64_t j, int64_t columns, auto vectors) {
    multiply_panel_of_rows<Real, vectors.value>(m, columns, k, a, row_stride, b_packed + j * k, c + j, ldc,
                                                end);
  });
}

}  // namespace

template <class Real>
MatmulKernels<Real> matmul_kernels() {
  return {kRows,          kColumns<Real>,         pack_rows<Real>,    pack_columns<Real>,
          multiply<Real>, multiply_columns<Real>, multiply_rows<Real>};
}
template MatmulKernels<float> matmul_kernels();
template MatmulKernels<double> matmul_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
