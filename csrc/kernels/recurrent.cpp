#include "kernels/recurrent.h"

#include "kernels/recurrent_tile.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

constexpr int kMostVectors = 4;  // of a panel

template <class Real>
constexpr int64_t kTileColumns = kPanelColumns<Real, kProductVectors>;

// Calls run(block of units, gate, first column in the panel) for the blocks of `panel`.
template <class Real, class Run>
UNROLLED_INLINE void for_each_block(int64_t gates, int64_t units, int64_t panel_vectors, int64_t panel,
                                    Run run) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t vectors = (units + W - 1) / W * gates, first = panel * panel_vectors;
  const int64_t end = first + panel_vectors < vectors ? first + panel_vectors : vectors;
  for (int64_t v = first; v < end; ++v) run(v / gates, v % gates, (v - first) * W);
}

template <class Real>
UNROLLED_INLINE int64_t panel_width(int64_t gates, int64_t units, int64_t panel_vectors, int64_t panel) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t left = (units + W - 1) / W * gates - panel * panel_vectors;
  return (left < panel_vectors ? left : panel_vectors) * W;
}

// `present` rows of `from` (depth values each) become columns of `to`, whose rows are `width` apart; the
// columns of absent rows are zero.
template <class Real>
void pack_block(int64_t present, int64_t depth, const Real* from, int64_t width, Real* to) {
  constexpr int64_t W = kWidth<Real>;
  int64_t k = 0;
  if (present == W) {
    for (; k + W <= depth; k += W) {
      transpose_block<Real>([=](int i) { return load(from + i * depth + k); }, to + k * width, width);
    }
  }
  for (; k < depth; ++k) {
    for (int64_t i = 0; i < W; ++i) to[k * width + i] = i < present ? from[i * depth + k] : Real(0);
  }
}

template <class Real>
UNROLLED_INLINE int64_t units_in_block(int64_t units, int64_t block) {
  constexpr int64_t W = kWidth<Real>;
  return units - block * W < W ? units - block * W : W;
}

template <class Real>
void pack_gates(int64_t gates, int64_t units, int64_t depth, int64_t panel_vectors, const Real* weight,
                int64_t begin, int64_t end, Real* packed) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t panel = begin; panel < end; ++panel) {
    const int64_t width = panel_width<Real>(gates, units, panel_vectors, panel);
    Real* to = packed + panel * panel_vectors * W * depth;
    for_each_block<Real>(gates, units, panel_vectors, panel,
                         [&](int64_t block, int64_t gate, int64_t column) {
                           pack_block(units_in_block<Real>(units, block), depth,
                                      weight + (gate * units + block * W) * depth, width, to + column);
                         });
  }
}

template <class Real>
void interleave(int64_t gates, int64_t units, int64_t depth, const Real* weight, Real* interleaved) {
  constexpr int64_t W = kWidth<Real>;
  const size_t row = static_cast<size_t>(depth) * sizeof(Real);
  for (int64_t block = 0; block * W < units; ++block) {
    const int64_t present = units_in_block<Real>(units, block);
    for (int64_t gate = 0; gate < gates; ++gate) {
      const Real* from = weight + (gate * units + block * W) * depth;
      std::memcpy(interleaved, from, static_cast<size_t>(present) * row);
      std::memset(interleaved + present * depth, 0, static_cast<size_t>(W - present) * row);
      interleaved += W * depth;
    }
  }
}

// Columns of `from`, whose rows are `width` apart, become `present` rows of `to`.
template <class Real>
void unpack_block(int64_t present, int64_t depth, const Real* from, int64_t width, Real* to) {
  constexpr int64_t W = kWidth<Real>;
  int64_t k = 0;
  if (present == W) {
    for (; k + W <= depth; k += W) {
      transpose_block<Real>([=](int i) { return load(from + (k + i) * width); }, to + k, depth);
    }
  }
  for (; k < depth; ++k) {
    for (int64_t i = 0; i < present; ++i) to[i * depth + k] = from[k * width + i];
  }
}

template <class Real>
void unpack_gates(int64_t gates, int64_t units, int64_t depth, int64_t panel_vectors, int64_t panel,
                  const Real* packed, Real* grad) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t width = panel_width<Real>(gates, units, panel_vectors, panel);
  for_each_block<Real>(gates, units, panel_vectors, panel, [&](int64_t block, int64_t gate, int64_t column) {
    unpack_block(units_in_block<Real>(units, block), depth, packed + column, width,
                 grad + (gate * units + block * W) * depth);
  });
}

template <class Real>
void project(int64_t rows, int64_t depth, const Real* x, int64_t x_row, const Real* packed, const Real* bias,
             GatePanels<Real> gates, int64_t first_row) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t panel = 0; panel < gates.count(); ++panel) {
    const int64_t width = gates.width(panel);
    Real* to = gates.at(panel, first_row);
    with_constant<kMostVectors>(width / W, [&](auto vectors) {
      const auto end_rows = [&](int64_t row, int64_t count, const Real* sums) {
        for (int64_t i = 0; i < count; ++i) {
          Real* at = to + (row + i) * width;
          const Real* start = bias ? bias : at;
          for (int64_t j = 0; j < width; j += W) store(at + j, load(start + j) + load(sums + i * width + j));
        }
      };
      product_panel<Real, vectors.value>(rows, depth, x, x_row, packed, end_rows);
    });
    packed += depth * width;
    if (bias) bias += width;
  }
}

// One tile of C from kPanelsAtOnce panels of A or fewer.
template <class Real, int rows>
UNROLLED_INLINE void multiply_panels_tile(GatePanels<const Real> a, int64_t first_row, int64_t begin,
                                          int64_t end, const Real* b, Real* c, int64_t c_row,
                                          bool accumulate) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> sum[rows][kProductVectors] = {};
  for (int64_t panel = begin; panel < end; ++panel) {
    const int64_t width = a.width(panel);
    const ProductRows<Real> from = {a.at(panel, first_row), width, 1};
    add_products<Real, rows, kProductVectors>(
        width, from, [b](int64_t p) { return b + p * kTileColumns<Real>; }, sum);
    b += width * kTileColumns<Real>;
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kProductVectors; ++v) {
      Real* to = c + i * c_row + v * W;
      store(to, accumulate ? load(to) + sum[i][v] : sum[i][v]);
    }
  }
}

template <class Real>
void multiply_panels(int64_t rows, int64_t columns, GatePanels<const Real> a, int64_t first_row,
                     const Real* b, Real* c, int64_t c_row, bool accumulate) {
  for (int64_t panel = 0; panel < a.count(); panel += kPanelsAtOnce) {
    const int64_t end = panel + kPanelsAtOnce < a.count() ? panel + kPanelsAtOnce : a.count();
    const int64_t depth = (end - 1 - panel) * a.panel_columns + a.width(end - 1);
    for (int64_t j = 0; j < columns; j += kTileColumns<Real>, b += depth * kTileColumns<Real>) {
      for_each_tile<kProductRows>(rows, [&](int64_t row, auto count) {
        multiply_panels_tile<Real, count.value>(a, first_row + row, panel, end, b, c + row * c_row + j, c_row,
                                                accumulate || panel > 0);
      });
    }
  }
}

template <class Real>
void multiply_packed(int64_t m, int64_t n, int64_t k, const Real* a_packed, const Real* b, bool accumulate,
                     Real* c) {
  constexpr int64_t W = kWidth<Real>;
  const auto line = [n](const Real* first) { return [first, n](int64_t p) { return first + p * n; }; };
  for (int64_t row = 0; row < m; row += kProductRows) {
    const ProductRows<Real> a = {a_packed + row * k, 1, kProductRows};
    for (int64_t j = 0; j < n; j += kProductVectors * W) {
      with_vectors((n - j) / W, [&](auto vectors) {
        product_tile<Real, kProductRows, vectors.value>(k, a, line(b + j), c + row * n + j, n,
                                                        {.accumulate = accumulate});
      });
    }
  }
}

template <class Real, int vectors>
void sum_rows_of(int64_t rows, const Real* x, Real* sums) {
  constexpr int64_t W = kWidth<Real>, kRun = 64;
  double total[vectors * W] = {};
  for (int64_t begin = 0; begin < rows; begin += kRun) {
    const int64_t end = begin + kRun < rows ? begin + kRun : rows;
    Vec<Real> run[vectors] = {};
    for (int64_t row = begin; row < end; ++row) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) run[v] += load(x + (row * vectors + v) * W);
    }
    for (int64_t i = 0; i < vectors * W; ++i) total[i] += static_cast<double>(run[i / W][i % W]);
  }
  for (int64_t i = 0; i < vectors * W; ++i) sums[i] = static_cast<Real>(total[i]);
}

template <class Real>
void sum_rows(int64_t rows, int64_t width, const Real* x, Real* sums) {
  with_constant<kMostVectors>(width / kWidth<Real>,
                              [&](auto vectors) { sum_rows_of<Real, vectors.value>(rows, x, sums); });
}

}  // namespace

template <class Real>
RecurrentKernels<Real> recurrent_kernels() {
  return {.lanes = kWidth<Real>,
          .tile_columns = kTileColumns<Real>,
          .pack_gates = pack_gates<Real>,
          .interleave = interleave<Real>,
          .unpack_gates = unpack_gates<Real>,
          .project = project<Real>,
          .multiply_panels = multiply_panels<Real>,
          .multiply_packed = multiply_packed<Real>,
          .sum_rows = sum_rows<Real>};
}
template RecurrentKernels<float> recurrent_kernels();
template RecurrentKernels<double> recurrent_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
