#include "ops/recurrent.h"

#include "denormals.h"
#include "ops/recurrent_direction.h"
#include "ops/recurrent_forward_run.h"
#include "ops/recurrent_runs.h"
#include "ops/recurrent_table.h"
#include "parallel.h"

namespace unrolled {

template <class Real>
int64_t recurrent_tape_size(const RecurrentLayer<Real>& layer) {
  const RecurrentRows rows(layer.shape.N, layer.shape.lengths);
  return layer.shape.directions * RecurrentDirection<Real>(layer, rows, 0, nullptr).tape_size();
}

template <class Real>
void recurrent(const RecurrentLayer<Real>& layer, const Real* x, RecurrentState<const Real> initial,
               Real* output, RecurrentState<Real> end, Real* tape) {
  const RecurrentShape& s = layer.shape;
  const RecurrentRows rows(s.N, s.lengths);
  const auto directions = recurrent_directions<Real>(layer, rows, tape);
  std::fill_n(output, s.N * s.T * s.directions * s.P, Real(0));
  copy_or_zero(s.directions * s.N * s.P, initial.h, end.h);  // an item of length 0 ends where it starts
  if (end.c) copy_or_zero(s.directions * s.N * s.H, initial.c, end.c);
  const auto packed = pack_weights(directions);
  for (const auto& d : directions) input_gates(d, packed[static_cast<std::size_t>(d.index)], x);
  for_each_run(directions, [&](const RecurrentDirection<Real>& d, int64_t first, int64_t last) {
    const FlushDenormals flush;
    ForwardRun<Real>(d, packed[static_cast<std::size_t>(d.index)], first, last).run(initial, output, end);
  });
}

template <class Real>
void recurrent_states(const RecurrentLayer<Real>& layer, const Real* tape, Real* gates, Real* cells) {
  const RecurrentShape& s = layer.shape;
  const RecurrentRows rows(s.N, s.lengths);
  const int64_t G = layer.cell.gates, W = kernels<Real>().recurrent.lanes, frames = s.directions * s.N * s.T;
  std::fill_n(gates, frames * G * s.H, Real(0));
  if (cells) std::fill_n(cells, frames * s.H, Real(0));
  for (const auto& d : recurrent_directions<Real>(layer, rows, tape)) {
    for (int64_t step = 0, row = 0; step < rows.steps(); ++step) {
      for (int64_t place = 0; place < rows.active(step); ++place, ++row) {
        const int64_t frame = d.index * s.N * s.T + d.frame_offset(place, step, 1);
        for (int64_t j = 0; j < s.H * G; ++j) {
          const int64_t gate = j / s.H, unit = j % s.H, column = (unit / W * G + gate) * W + unit % W;
          const int64_t panel = column / d.gates.panel_columns;
          gates[frame * G * s.H + j] = d.gates.at(panel, row)[column % d.gates.panel_columns];
        }
        if (cells) std::copy_n(d.memory + row * d.state_row, s.H, cells + frame * s.H);
      }
    }
  }
}

#define UNROLLED_INSTANTIATE(Real)                                                                     \
  template int64_t recurrent_tape_size(const RecurrentLayer<Real>&);                                   \
  template void recurrent(const RecurrentLayer<Real>&, const Real*, RecurrentState<const Real>, Real*, \
                          RecurrentState<Real>, Real*);                                                \
  template void recurrent_states(const RecurrentLayer<Real>&, const Real*, Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
