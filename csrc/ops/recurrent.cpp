#include "ops/recurrent.h"

#include <deque>

#include "denormals.h"
#include "ops/recurrent_direction.h"
#include "ops/recurrent_runs.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kRowsPerTask = 96;

// What one direction multiplies with: weights packed for its tiles.
template <class Real>
struct PackedWeights {
  Buffer<Real> input, hidden;
  Buffer<Real> bias, hidden_bias;  // per column; per unit, of the gate whose recurrent product stands alone
  Buffer<Real> peephole;           // (3, units)
  std::deque<PackedMatrix<Real>> projection;  // none or one

  explicit PackedWeights(const RecurrentDirection<Real>& d)
      : input(d.gates.columns * d.shape.D),
        hidden(d.gates.columns * d.shape.P),
        bias(d.gates.columns),
        hidden_bias(d.units),
        peephole(3 * d.units) {
    if (d.weights.weight_hr)
      projection.emplace_back(row_major(d.weights.weight_hr, d.shape.P, d.shape.H).transposed());
    pack_biases(d);
    for (int64_t i = 0; d.weights.peephole && i < 3; ++i)
      pad(d, d.weights.peephole + i * d.shape.H, peephole.data() + i * d.units);
  }

 private:
  static void pad(const RecurrentDirection<Real>& d, const Real* from, Real* to) {
    copy_or_zero(d.shape.H, from, to);
    std::fill(to + d.shape.H, to + d.units, Real(0));
  }

  void pack_biases(const RecurrentDirection<Real>& d) {
    const int64_t H = d.shape.H, G = d.cell.gates;
    const Real *ih = d.weights.bias_ih, *hh = d.weights.bias_hh;
    Buffer<Real> sums(G * H);
    for (int64_t j = 0; j < G * H; ++j) {
      const bool alone = d.lone_product() && j >= (G - 1) * H;
      sums[j] = (ih ? ih[j] : Real(0)) + (hh && !alone ? hh[j] : Real(0));
    }
    kernels<Real>().recurrent.interleave(G, H, 1, sums.data(), bias.data());
    pad(d, d.lone_product() && hh ? hh + (G - 1) * H : nullptr, hidden_bias.data());
  }
};

template <class Real>
std::deque<PackedWeights<Real>> pack_weights(const std::vector<RecurrentDirection<Real>>& directions) {
  std::deque<PackedWeights<Real>> packed;
  for (const auto& d : directions) packed.emplace_back(d);
  const RecurrentShape& s = directions[0].shape;
  const int64_t panels = directions[0].gates.count(), G = directions[0].cell.gates;
  parallel_for(s.directions * panels, s.directions * G * s.H * (s.D + s.P), [&](int64_t task) {
    const auto i = static_cast<std::size_t>(task / panels);
    const int64_t panel = task % panels, vectors = directions[i].cell.panel_vectors;
    const auto pack = kernels<Real>().recurrent.pack_gates;
    pack(G, s.H, s.D, vectors, directions[i].weights.weight_ih, panel, panel + 1, packed[i].input.data());
    for (const GateGroup& g : directions[i].hidden_groups()) {
      const int64_t end = std::min(panel + 1, directions[i].panels(g, nullptr).count());
      pack(g.gates, s.H, s.P, g.panel_vectors, directions[i].weights.weight_hh + g.first * s.H * s.P, panel,
           end, packed[i].hidden.data() + g.first * directions[i].units * s.P);
    }
  });
  return packed;
}

// All products with the input at once; the recurrent ones are added step by step.
template <class Real>
void project_input(const RecurrentDirection<Real>& d, const PackedWeights<Real>& packed, const Real* x) {
  const int64_t row_size = padded_row<Real>(d.shape.D), rows = d.rows.count();
  const int64_t work = rows * d.gates.columns * d.shape.D / kMultiplyAddsPerOperation;
  parallel_runs(rows, kRowsPerTask, work, [&](int64_t begin, int64_t end) {
    const FlushDenormals flush;
    Buffer<Real> frames((end - begin) * row_size);
    gather_frames(d, x, begin, end, frames.data());
    kernels<Real>().recurrent.project(end - begin, d.shape.D, frames.data(), row_size, packed.input.data(),
                                      packed.bias.data(), d.gates, begin);
  });
}

// The items at places first .. last of one direction, step by step.
template <class Real>
class ForwardRun {
 public:
  ForwardRun(const RecurrentDirection<Real>& d, const PackedWeights<Real>& packed, int64_t first,
             int64_t last)
      : d_(d),
        packed_(packed),
        first_(first),
        last_(last),
        h_end_((last - first) * d.operand_row),
        c_start_((last - first) * d.state_row),
        operand_(d.hidden_mask ? (last - first) * d.operand_row : 0),
        projected_(d.weights.weight_hr ? (last - first) * d.shape.P : 0),
        scratch_(packed.projection.empty() ? 0 : packed.projection[0].scratch_size(last - first)),
        h_(static_cast<std::size_t>(last - first)),
        to_(static_cast<std::size_t>(last - first)) {
    std::fill_n(operand_.data(), d.hidden_mask ? (last - first) * d.operand_row : 0, Real(0));
  }

  void run(RecurrentState<const Real> initial, Real* output, RecurrentState<Real> end) {
    start(initial);
    for (int64_t step = 0; active(step) > 0; ++step) {
      aim(step);
      multiply(step);
      if (!packed_.projection.empty()) project(step);
      for (int64_t i = 0; i < active(step); ++i) {
        const Real* h = h_[static_cast<std::size_t>(i)];
        std::copy_n(h, d_.shape.P,
                    output + d_.frame_offset(first_ + i, step, d_.width()) + d_.index * d_.shape.P);
      }
      finish(step, end);
    }
  }

 private:
  int64_t active(int64_t step) const {
    return std::max(std::min(d_.rows.active(step), last_) - first_, int64_t{0});
  }
  int64_t row(int64_t step) const { return d_.rows.begin(step) + first_; }

  void start(RecurrentState<const Real> initial) {
    const int64_t H = d_.shape.H, P = d_.shape.P;
    for (int64_t i = 0; i < active(0); ++i) {
      Real *h = d_.before + (row(0) + i) * d_.operand_row, *c = c_start_.data() + i * d_.state_row;
      copy_or_zero(P, initial.h ? initial.h + d_.state_offset(first_ + i, P) : nullptr, h);
      copy_or_zero(H, initial.c ? initial.c + d_.state_offset(first_ + i, H) : nullptr, c);
      std::fill(h + P, h + d_.operand_row, Real(0));
      std::fill(c + H, c + d_.state_row, Real(0));
    }
  }

  // Where the states of this step go: before the next one, or to the end.
  void aim(int64_t step) {
    for (int64_t i = 0; i < active(step); ++i) {
      const auto at = static_cast<std::size_t>(i);
      h_[at] = i < active(step + 1) ? d_.before + (row(step + 1) + i) * d_.operand_row
                                    : h_end_.data() + i * d_.operand_row;
      to_[at] = d_.weights.weight_hr ? d_.unprojected + (row(step) + i) * d_.state_row : h_[at];
    }
  }

  const Real* operand(int64_t step) {
    const Real* before = d_.before + row(step) * d_.operand_row;
    if (!d_.hidden_mask) return before;
    for (int64_t i = 0; i < active(step); ++i) {
      const Real* mask = d_.hidden_mask + d_.rows.item(first_ + i) * d_.shape.P;
      const int64_t at = i * d_.operand_row;
      for (int64_t j = 0; j < d_.shape.P; ++j) operand_[at + j] = before[at + j] * mask[j];
    }
    return operand_.data();
  }

  void multiply(int64_t step) {
    const Real* states = !d_.has_cells() ? d_.before + row(step) * d_.operand_row
                         : step == 0     ? c_start_.data()
                                         : d_.memory + row(step - 1) * d_.state_row;
    const RecurrentStep<Real> s = {.rows = active(step),
                                   .depth = d_.shape.P,
                                   .units = d_.units,
                                   .operand = operand(step),
                                   .operand_row = d_.operand_row,
                                   .weights = packed_.hidden.data(),
                                   .gates = d_.gates,
                                   .first_row = row(step),
                                   .hidden_bias = packed_.hidden_bias.data(),
                                   .peephole = d_.weights.peephole ? packed_.peephole.data() : nullptr,
                                   .before = states,
                                   .memory = d_.memory + row(step) * d_.state_row,
                                   .state_row = d_.state_row,
                                   .h = to_.data()};
    if (d_.resets_state()) d_.cell.reset(s);
    d_.cell.step(s);
  }

  // Sak, Senior and Beaufays 2014: the state that leaves the layer is a projection of the cell's.
  void project(int64_t step) {
    const int64_t P = d_.shape.P;
    const MatrixView<Real> from = {d_.unprojected + row(step) * d_.state_row, active(step), d_.shape.H,
                                   d_.state_row, 1};
    packed_.projection[0].multiply(from, scratch_.data(), projected_.data(), P, false);
    for (int64_t i = 0; i < active(step); ++i)
      std::copy_n(projected_.data() + i * P, P, h_[static_cast<std::size_t>(i)]);
  }

  void finish(int64_t step, RecurrentState<Real> end) const {
    const int64_t H = d_.shape.H, P = d_.shape.P;
    for (int64_t i = active(step + 1); i < active(step); ++i) {
      std::copy_n(h_[static_cast<std::size_t>(i)], P, end.h + d_.state_offset(first_ + i, P));
      if (end.c)
        std::copy_n(d_.memory + (row(step) + i) * d_.state_row, H, end.c + d_.state_offset(first_ + i, H));
    }
  }

  const RecurrentDirection<Real>& d_;
  const PackedWeights<Real>& packed_;
  int64_t first_, last_;
  Buffer<Real> h_end_, c_start_, operand_, projected_, scratch_;
  std::vector<Real*> h_, to_;  // per item: its state, and what the cell writes
};

}  // namespace

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
  for (const auto& d : directions) project_input(d, packed[static_cast<std::size_t>(d.index)], x);
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
