#include "ops/recurrent_table.h"

#include "denormals.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kRowsPerTask = 96;

// Calls run(row, token) for rows begin .. end.
template <class Real, class Run>
void for_each_token(const RecurrentDirection<Real>& d, int64_t begin, int64_t end, Run run) {
  for (int64_t row = begin, step = d.rows.step(begin); row < end; ++row) {
    if (row == d.rows.begin(step + 1)) ++step;
    run(row, d.table.ids[d.frame_offset(row - d.rows.begin(step), step, 1)]);
  }
}

// The rows that look up each token, in order, one token after the other: those of token i in [begin[i],
// begin[i + 1]).
struct RowsOfTokens {
  Buffer<int64_t> begin, rows;

  template <class Real>
  explicit RowsOfTokens(const RecurrentDirection<Real>& d) : begin(d.table.tokens + 2), rows(d.rows.count()) {
    const int64_t V = d.table.tokens, count = d.rows.count();
    std::fill_n(begin.data(), V + 2, int64_t{0});
    for_each_token(d, 0, count, [&](int64_t, int64_t token) { ++begin[token + 2]; });
    for (int64_t i = 0; i < V; ++i) begin[i + 2] += begin[i + 1];
    for_each_token(d, 0, count, [&](int64_t row, int64_t token) { rows[begin[token + 1]++] = row; });
  }
};

// The gates of all rows = bias (interleaved, a number a column) + the rows of the table.
template <class Real>
void look_up_gates(const RecurrentDirection<Real>& d, const Real* bias) {
  const int64_t V = d.table.tokens, H = d.shape.H, G = d.cell.gates, columns = d.gates.columns;
  Buffer<Real> table(V * columns);
  parallel_runs(V, kRowsPerTask, V * columns, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Real* row = table.data() + i * columns;
      kernels<Real>().recurrent.interleave(G, H, 1, d.table.rows + i * G * H, row);
      for (int64_t j = 0; j < columns; ++j) row[j] += bias[j];
    }
  });
  const int64_t count = d.rows.count();
  parallel_runs(count, kRowsPerTask, count * columns, [&](int64_t begin, int64_t end) {
    for (int64_t panel = 0; panel < d.gates.count(); ++panel) {
      const Real* from = table.data() + panel * d.gates.panel_columns;
      const int64_t width = d.gates.width(panel);
      for_each_token(d, begin, end, [&](int64_t row, int64_t token) {
        std::copy_n(from + token * columns, width, d.gates.at(panel, row));
      });
    }
  });
}

}  // namespace

template <class Real>
void input_gates(const RecurrentDirection<Real>& d, const PackedWeights<Real>& packed, const Real* x) {
  if (d.table.tokens > 0) return look_up_gates(d, packed.bias.data());
  project_input(d, packed, x);
}

template <class Real>
void table_gradient(const RecurrentDirection<Real>& d, GatePanels<const Real> by_input, Real* gradient) {
  const RowsOfTokens places(d);
  const int64_t V = d.table.tokens, H = d.shape.H, G = d.cell.gates;
  parallel_for(by_input.count(), by_input.rows * by_input.columns, [&](int64_t panel) {
    const FlushDenormals flush;
    const int64_t width = by_input.width(panel);
    Buffer<Real> sums(width);
    for (int64_t i = 0; i < V; ++i) {
      const int64_t* rows = places.rows.data() + places.begin[i];
      kernels<Real>().embedding.sum_rows(places.begin[i + 1] - places.begin[i], rows, width,
                                         by_input.at(panel, 0), sums.data());
      kernels<Real>().recurrent.unpack_gates(G, H, 1, d.cell.panel_vectors, panel, sums.data(),
                                             gradient + i * G * H);
    }
  });
}

#define UNROLLED_INSTANTIATE(Real)                                                                     \
  template void input_gates(const RecurrentDirection<Real>&, const PackedWeights<Real>&, const Real*); \
  template void table_gradient(const RecurrentDirection<Real>&, GatePanels<const Real>, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
