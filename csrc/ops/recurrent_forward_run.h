// The steps forward of one direction of a recurrent layer, one at a time: whatever comes between them, such
// as attention, may change the products with the input of steps still to come.
#pragma once

#include <deque>
#include <vector>

#include "denormals.h"
#include "ops/recurrent_direction.h"
#include "parallel.h"

namespace unrolled {

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

inline constexpr int64_t kRowsProjected = 96;

// All products with the input at once; the recurrent ones are added step by step.
template <class Real>
void project_input(const RecurrentDirection<Real>& d, const PackedWeights<Real>& packed, const Real* x) {
  const int64_t row_size = padded_row<Real>(d.shape.D), rows = d.rows.count();
  const int64_t work = rows * d.gates.columns * d.shape.D / kMultiplyAddsPerOperation;
  parallel_runs(rows, kRowsProjected, work, [&](int64_t begin, int64_t end) {
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
      take(step);
      for (int64_t i = 0; i < active(step); ++i) {
        std::copy_n(state(i), d_.shape.P,
                    output + d_.frame_offset(first_ + i, step, d_.width()) + d_.index * d_.shape.P);
      }
      finish(step, end);
    }
  }

  // The same one by one: start, then take and finish for each step.
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
  void take(int64_t step) {
    aim(step);
    multiply(step);
    if (!packed_.projection.empty()) project(step);
  }
  // Of item first + i, after the step that was taken last.
  const Real* state(int64_t i) const { return h_[static_cast<std::size_t>(i)]; }
  void finish(int64_t step, RecurrentState<Real> end) const {
    const int64_t H = d_.shape.H, P = d_.shape.P;
    for (int64_t i = active(step + 1); i < active(step); ++i) {
      std::copy_n(h_[static_cast<std::size_t>(i)], P, end.h + d_.state_offset(first_ + i, P));
      if (end.c)
        std::copy_n(d_.memory + (row(step) + i) * d_.state_row, H, end.c + d_.state_offset(first_ + i, H));
    }
  }

 private:
  int64_t active(int64_t step) const {
    return std::max(std::min(d_.rows.active(step), last_) - first_, int64_t{0});
  }
  int64_t row(int64_t step) const { return d_.rows.begin(step) + first_; }

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

  const RecurrentDirection<Real>& d_;
  const PackedWeights<Real>& packed_;
  int64_t first_, last_;
  Buffer<Real> h_end_, c_start_, operand_, projected_, scratch_;
  std::vector<Real*> h_, to_;  // per item: its state, and what the cell writes
};

}  // namespace unrolled
