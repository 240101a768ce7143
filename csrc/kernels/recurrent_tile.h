// The register tile of recurrent layers: all gates of some units, for some rows.
#pragma once

#include "kernels/product_tile.h"
#include "kernels/recurrent.h"

namespace unrolled::UNROLLED_LEVEL {

// Rows of a tile of so many vectors: as many sums as leave registers for a row of weights.
template <int vectors>
inline constexpr int kTileRows =
#if UNROLLED_VECTOR_BYTES == 64 || defined(__aarch64__)
    vectors == 3 ? 8 : 6;
#elif UNROLLED_VECTOR_BYTES == 32
    vectors == 3 ? 4 : 3;
#else
    vectors == 3 ? 3 : 2;
#endif

template <class Real, int vectors>
inline constexpr int64_t kPanelColumns = vectors * kWidth<Real>;

// Calls run(Constant<count>) for count in least .. most.
template <int most, int least = 1, class Run>
UNROLLED_INLINE void with_constant(int64_t count, Run run) {
  if constexpr (most > least) {
    if (count < most) return with_constant<most - 1, least>(count, run);
  }
  run(Constant<most>{});
}

// Cuts `rows` into as few tiles of at most `most` rows as there must be, of about one size:
// run(first row, Constant<rows>).
template <int most, class Run>
UNROLLED_INLINE void for_each_tile(int64_t rows, Run run) {
  for (int64_t left = (rows + most - 1) / most, row = 0; left > 0; --left) {
    const int64_t height = (rows - row + left - 1) / left;
    with_constant<most>(height, [&](auto count) { run(row, count); });
    row += height;
  }
}

// Rows of gates lie far from those of the next panel, which no hardware foresees.
template <class Real>
UNROLLED_INLINE void fetch_row(const GatePanels<Real>& gates, int64_t panel, int64_t row) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(Real));
  for (int64_t j = 0; j < gates.width(panel); j += kLine)
    prefetch(reinterpret_cast<uintptr_t>(gates.at(panel, row) + j));
}

// A (rows, depth) times one panel of packed weights: finish(first row, rows, sums) for each tile of them.
template <class Real, int vectors, class Finish>
UNROLLED_INLINE void product_panel(int64_t rows, int64_t depth, const Real* a, int64_t a_row,
                                   const Real* weights, Finish finish) {
  for_each_tile<kTileRows<vectors>>(rows, [&](int64_t row, auto count) {
    Real tile[count.value * kPanelColumns<Real, vectors>];
    const auto line = [weights](int64_t p) { return weights + p * kPanelColumns<Real, vectors>; };
    const ProductRows<Real> from = {a + row * a_row, a_row, 1};
    product_tile<Real, count.value, vectors>(depth, from, line, tile, kPanelColumns<Real, vectors>, {});
    finish(row, static_cast<int64_t>(count.value), tile);
  });
}

// All panels of a cell that has `least` to `vectors` vectors in a panel: finish(panel, first row, rows,
// sums). Rows inside of a panel, so that its weights come from afar once.
template <class Real, int least, int vectors, class Finish>
UNROLLED_INLINE void product_panels(const RecurrentStep<Real>& s, Finish finish) {
  const Real* weights = s.weights;
  for (int64_t panel = 0; panel < s.gates.count(); ++panel) {
    const int64_t width = s.gates.width(panel);
    const auto end_rows = [&](int64_t row, int64_t rows, const Real* sums) {
      finish(panel, row, rows, sums);
    };
    for (int64_t row = 0; row < s.rows; ++row) fetch_row(s.gates, panel, s.first_row + row);
    with_constant<vectors, least>(width / kWidth<Real>, [&](auto count) {
      product_panel<Real, count.value>(s.rows, s.depth, s.operand, s.operand_row, weights, end_rows);
    });
    weights += s.depth * width;
  }
}

// Calls run(panel, row) for all panels of the rows of a step backward.
template <class Real, class Run>
UNROLLED_INLINE void for_each_panel_row(const RecurrentStepBackward<Real>& s, Run run) {
  for (int64_t panel = 0; panel < s.gates.count(); ++panel) {
    for (int64_t row = 0; row < s.rows; ++row) {
      if (panel + 1 < s.gates.count()) {
        fetch_row(s.gates, panel + 1, s.first_row + row);
        fetch_row(s.grad_hidden, panel + 1, s.first_row + row);
      }
      run(panel, row);
    }
  }
}

}  // namespace unrolled::UNROLLED_LEVEL
