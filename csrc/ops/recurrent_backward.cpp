// Backpropagation through time (Werbos 1990): the steps backward give the gradients of the pre-activations,
// and the products over all rows at the end give those of the weights and of the input.
#include <deque>

#include "denormals.h"
#include "ops/recurrent_backward_run.h"
#include "ops/recurrent_runs.h"
#include "ops/recurrent_table.h"

namespace unrolled {
template <class Real>
void recurrent_backward(const RecurrentLayer<Real>& layer, const Real* x, const Real* tape,
                        const Real* grad_output, RecurrentState<const Real> grad_end,
                        RecurrentState<const Real> initial, Real* grad_x,
                        const RecurrentGradients<Real>* gradients, RecurrentState<Real> grad_initial,
                        Real* grad_table) {
  const RecurrentShape& s = layer.shape;
  const RecurrentRows rows(s.N, s.lengths);
  const auto directions = recurrent_directions(layer, rows, tape);
  copy_or_zero(s.directions * s.N * s.P, grad_end.h, grad_initial.h);
  if (grad_initial.c) copy_or_zero(s.directions * s.N * s.H, grad_end.c, grad_initial.c);

  std::deque<std::deque<ProductBack<Real>>> hidden;
  std::deque<PackedMatrix<Real>> projection;
  std::deque<RowGradients<Real>> by_row;
  for (const auto& d : directions) {
    by_row.emplace_back(d);
    auto& products = hidden.emplace_back();
    for (const GateGroup& group : d.hidden_groups())
      products.emplace_back(d, group, d.weights.weight_hh, s.P);
    if (d.weights.weight_hr) projection.emplace_back(row_major(d.weights.weight_hr, s.P, s.H));
  }
  for_each_run(directions, [&](const RecurrentDirection<Real>& d, int64_t first, int64_t last) {
    const FlushDenormals flush;
    const auto i = static_cast<std::size_t>(d.index);
    BackwardRun<Real>(d, hidden[i], projection.empty() ? nullptr : &projection[i], by_row[i], first, last)
        .run(initial, grad_output, grad_end, grad_initial);
  });
  for (const auto& d : directions) {
    const auto& g = by_row[static_cast<std::size_t>(d.index)];
    weight_gradients(d, x, initial, g, gradients[d.index]);
    if (grad_x) input_gradient(d, const_panels(g.by_input), grad_x);
    if (grad_table)
      table_gradient(d, const_panels(g.by_input), grad_table + d.index * d.table.tokens * d.cell.gates * s.H);
  }
}

#define UNROLLED_INSTANTIATE(Real)                                                                     \
  template void recurrent_backward(const RecurrentLayer<Real>&, const Real*, const Real*, const Real*, \
                                   RecurrentState<const Real>, RecurrentState<const Real>, Real*,      \
                                   const RecurrentGradients<Real>*, RecurrentState<Real>, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
