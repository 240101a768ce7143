#include "ops/recurrent_products.h"

#include "denormals.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kRowsPerTask = 96;
// Rows whose products are summed from zero, so that the sums stay accurate, and features that are packed at a
// time: both together stay in the second-level cache while the panels pass by.
constexpr int64_t kRowsPerSum = 384, kFeaturesPacked = 192;

template <class Real>
int64_t product_work(GatePanels<const Real> gates, int64_t features) {
  return gates.rows * gates.columns * features / kMultiplyAddsPerOperation;
}

// The transposed gradient of a weight for some panels, each (features in whole tiles, columns of the panel).
template <class Real>
void multiply_rows_of_panels(GatePanels<const Real> gates, int64_t first, int64_t last, const Real* a,
                             int64_t a_row, int64_t features, int64_t padded_features, Real* transposed) {
  const Kernels<Real>& kernel = kernels<Real>();
  Buffer<Real> packed(kRowsPerSum * round_up(kFeaturesPacked, kernel.matmul.tile_rows));
  for (int64_t row = 0; row == 0 || row < gates.rows; row += kRowsPerSum) {
    const int64_t rows = std::min(kRowsPerSum, gates.rows - row);
    for (int64_t feature = 0; feature < features; feature += kFeaturesPacked) {
      const int64_t count = std::min(kFeaturesPacked, features - feature);
      kernel.matmul.pack_rows(count, rows, a + row * a_row + feature, 1, a_row, packed.data());
      for (int64_t panel = first; panel < last; ++panel) {
        const int64_t width = gates.width(panel), before = (panel - first) * gates.panel_columns;
        kernel.recurrent.multiply_packed(count, width, rows, packed.data(), gates.at(panel, row), row > 0,
                                         transposed + before * padded_features + feature * width);
      }
    }
  }
}

// A group's rows of a weight's gradient (G H, features) from all rows of its gate gradients and of `a` (rows,
// features). Each thread has a run of panels, for which it packs `a`; no bit depends on the runs.
template <class Real>
void weight_gradient(const RecurrentDirection<Real>& d, const GateGroup& group, GatePanels<const Real> gates,
                     const Real* a, int64_t a_row, int64_t features, Real* gradient) {
  const Kernels<Real>& kernel = kernels<Real>();
  const int64_t padded = round_up(features, kernel.matmul.tile_rows) + kernel.matmul.tile_rows;
  const int64_t runs = std::min<int64_t>(get_num_threads(), gates.count());
  parallel_for(runs, product_work(gates, features), [&](int64_t run) {
    const FlushDenormals flush;
    const int64_t first = gates.count() * run / runs, last = gates.count() * (run + 1) / runs;
    Buffer<Real> transposed((last - first) * gates.panel_columns * padded);
    multiply_rows_of_panels(gates, first, last, a, a_row, features, padded, transposed.data());
    for (int64_t panel = first; panel < last; ++panel) {
      kernel.recurrent.unpack_gates(group.gates, d.shape.H, features, group.panel_vectors, panel,
                                    transposed.data() + (panel - first) * gates.panel_columns * padded,
                                    gradient + group.first * d.shape.H * features);
    }
  });
}

template <class Real>
void bias_gradient(const RecurrentDirection<Real>& d, GatePanels<const Real> gates, Real* bias) {
  const RecurrentKernels<Real>& kernel = kernels<Real>().recurrent;
  parallel_for(gates.count(), gates.rows * gates.columns, [&](int64_t panel) {
    Buffer<Real> sums(gates.width(panel));
    kernel.sum_rows(gates.rows, gates.width(panel), gates.at(panel, 0), sums.data());
    kernel.unpack_gates(d.cell.gates, d.shape.H, 1, d.cell.panel_vectors, panel, sums.data(), bias);
  });
}

// Both biases of gates without a lone product have one gradient.
template <class Real>
void bias_gradients(const RecurrentDirection<Real>& d, const RowGradients<Real>& by_row,
                    const RecurrentGradients<Real>& gradients) {
  Real *ih = gradients.bias_ih, *hh = gradients.bias_hh;
  if (ih) bias_gradient(d, const_panels(by_row.by_input), ih);
  if (!hh) return;
  if (ih && !d.lone_product()) {
    std::copy_n(ih, d.cell.gates * d.shape.H, hh);
  } else {
    bias_gradient(d, const_panels(d.lone_product() ? by_row.by_hidden[0] : by_row.by_input), hh);
  }
}

// Gers et al. 2002: i and f see the cells before a step, o those after it.
template <class Real>
void peephole_gradient(const RecurrentDirection<Real>& d, GatePanels<const Real> gates, const Real* c0,
                       Real* gradient) {
  const int64_t H = d.shape.H, W = kernels<Real>().recurrent.lanes;
  std::vector<double> sums(static_cast<std::size_t>(3 * H));
  const auto add = [&](int64_t peephole, int64_t gate, int64_t row, const Real* cells) {
    for (int64_t unit = 0; cells && unit < H; ++unit) {
      const Real grad = gates.at(unit / W, row)[gate * W + unit % W];
      sums[static_cast<std::size_t>(peephole * H + unit)] +=
          static_cast<double>(grad) * static_cast<double>(cells[unit]);
    }
  };
  for (int64_t step = 0, row = 0; step < d.rows.steps(); ++step) {
    for (int64_t place = 0; place < d.rows.active(step); ++place, ++row) {
      const Real* before = step > 0 ? d.memory + (d.rows.begin(step - 1) + place) * d.state_row
                           : c0     ? c0 + d.state_offset(place, H)
                                    : nullptr;
      add(0, 0, row, before);
      add(1, 1, row, before);
      add(2, 3, row, d.memory + row * d.state_row);
    }
  }
  for (int64_t j = 0; j < 3 * H; ++j) gradient[j] = static_cast<Real>(sums[static_cast<std::size_t>(j)]);
}

// The state before each row as the recurrent product read it.
template <class Real>
Buffer<Real> masked_states(const RecurrentDirection<Real>& d) {
  Buffer<Real> masked(d.rows.count() * d.operand_row);
  for (int64_t step = 0, row = 0; step < d.rows.steps(); ++step) {
    for (int64_t place = 0; place < d.rows.active(step); ++place, ++row) {
      const Real* mask = d.hidden_mask + d.rows.item(place) * d.shape.P;
      const int64_t at = row * d.operand_row;
      for (int64_t j = 0; j < d.shape.P; ++j) masked[at + j] = d.before[at + j] * mask[j];
    }
  }
  return masked;
}

template <class Real>
void hidden_gradient(const RecurrentDirection<Real>& d, const RowGradients<Real>& by_row, Real* gradient) {
  const std::vector<GateGroup> groups = d.hidden_groups();
  const auto add = [&](std::size_t group, const Real* states) {
    weight_gradient(d, groups[group], const_panels(by_row.by_hidden[group]), states, d.operand_row, d.shape.P,
                    gradient);
  };
  if (d.hidden_mask) {
    add(0, masked_states(d).data());
  } else {
    add(0, d.before);
  }
  if (d.resets_state()) add(1, d.memory);
}

}  // namespace

template <class Real>
RowGradients<Real>::RowGradients(const RecurrentDirection<Real>& d)
    : hidden_(d.gates_size()),
      input_(d.lone_product() || d.resets_state() ? d.gates_size() : 0),
      projected_(d.weights.weight_hr ? d.rows.count() * d.operand_row : 0) {
  for (const GateGroup& group : d.hidden_groups())
    by_hidden.push_back(d.panels(group, hidden_.data() + group.first * d.units * d.rows.count()));
  by_input = d.lone_product() || d.resets_state() ? d.panels(d.all_gates(), input_.data()) : by_hidden[0];
  projected = projected_.data();
}

template <class Real>
ProductBack<Real>::ProductBack(const RecurrentDirection<Real>& d, const GateGroup& group, const Real* weight,
                               int64_t features)
    : features_(features),
      packed_(group.gates * d.units * round_up(features, kernels<Real>().recurrent.tile_columns)) {
  const GatePanels<Real> gates = d.panels(group, nullptr);
  const int64_t tile = kernels<Real>().recurrent.tile_columns;
  Buffer<Real> interleaved(gates.columns * features);
  kernels<Real>().recurrent.interleave(group.gates, d.shape.H, features,
                                       weight + group.first * d.shape.H * features, interleaved.data());
  const int64_t chunk = kPanelsAtOnce * gates.panel_columns;
  const int64_t chunks = (gates.columns + chunk - 1) / chunk, tiles = (features + tile - 1) / tile;
  parallel_for(chunks * tiles, gates.columns * features, [&](int64_t task) {
    const int64_t row = task / tiles * chunk, j = task % tiles * tile;
    const int64_t depth = std::min(chunk, gates.columns - row);
    kernels<Real>().matmul.pack_columns(depth, std::min(tile, features - j),
                                        interleaved.data() + row * features + j, features, 1,
                                        packed_.data() + row * tiles * tile + j * depth);
  });
}

template <class Real>
void input_weight_gradient(const RecurrentDirection<Real>& d, const RowGradients<Real>& by_row, const Real* a,
                           int64_t a_row, int64_t features, Real* gradient) {
  weight_gradient<Real>(d, d.all_gates(), const_panels(by_row.by_input), a, a_row, features, gradient);
}

template <class Real>
void state_weight_gradients(const RecurrentDirection<Real>& d, RecurrentState<const Real> initial,
                            const RowGradients<Real>& by_row, const RecurrentGradients<Real>& gradients) {
  hidden_gradient(d, by_row, gradients.weight_hh);
  bias_gradients(d, by_row, gradients);
  if (gradients.peephole) peephole_gradient(d, const_panels(by_row.by_input), initial.c, gradients.peephole);
  if (gradients.weight_hr) {
    const int64_t rows = d.rows.count();
    const MatrixView<Real> grad = {by_row.projected, rows, d.shape.P, d.operand_row, 1};
    const MatrixView<Real> states = {d.unprojected, rows, d.shape.H, d.state_row, 1};
    matmul(grad.transposed(), states, gradients.weight_hr, d.shape.H, false);
  }
}

template <class Real>
void weight_gradients(const RecurrentDirection<Real>& d, const Real* x, RecurrentState<const Real> initial,
                      const RowGradients<Real>& by_row, const RecurrentGradients<Real>& gradients) {
  {
    const int64_t D = d.shape.D, x_row = padded_row<Real>(D), rows = d.rows.count();
    Buffer<Real> frames(rows * x_row);
    parallel_runs(rows, kRowsPerTask, rows * D, [&](int64_t begin, int64_t end) {
      gather_frames(d, x, begin, end, frames.data() + begin * x_row);
    });
    input_weight_gradient<Real>(d, by_row, frames.data(), x_row, D, gradients.weight_ih);
  }
  state_weight_gradients(d, initial, by_row, gradients);
}

template <class Real>
void input_gradient(const RecurrentDirection<Real>& d, GatePanels<const Real> by_input, Real* grad_x) {
  const int64_t D = d.shape.D, tile = kernels<Real>().recurrent.tile_columns, row_size = round_up(D, tile);
  if (d.index == 0) std::fill_n(grad_x, d.shape.N * d.shape.T * D, Real(0));
  const ProductBack<Real> weight(d, d.all_gates(), d.weights.weight_ih, D);
  parallel_runs(d.rows.count(), kRowsPerTask, product_work(by_input, D), [&](int64_t begin, int64_t end) {
    const FlushDenormals flush;
    Buffer<Real> frames((end - begin) * row_size);
    weight.multiply(end - begin, by_input, begin, frames.data(), row_size, false);
    for (int64_t row = begin, step = d.rows.step(begin); row < end; ++row) {
      if (row == d.rows.begin(step + 1)) ++step;
      Real* to = grad_x + d.frame_offset(row - d.rows.begin(step), step, D);
      const Real* from = frames.data() + (row - begin) * row_size;
      for (int64_t j = 0; j < D; ++j) to[j] += from[j];
    }
  });
}

#define UNROLLED_INSTANTIATE(Real)                                                                         \
  template class ProductBack<Real>;                                                                        \
  template class RowGradients<Real>;                                                                       \
  template void weight_gradients(const RecurrentDirection<Real>&, const Real*, RecurrentState<const Real>, \
                                 const RowGradients<Real>&, const RecurrentGradients<Real>&);              \
  template void input_weight_gradient(const RecurrentDirection<Real>&, const RowGradients<Real>&,          \
                                      const Real*, int64_t, int64_t, Real*);                               \
  template void state_weight_gradients(const RecurrentDirection<Real>&, RecurrentState<const Real>,        \
                                       const RowGradients<Real>&, const RecurrentGradients<Real>&);        \
  template void input_gradient(const RecurrentDirection<Real>&, GatePanels<const Real>, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
