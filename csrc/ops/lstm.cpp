#include "ops/lstm.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "dispatch.h"
#include "memory.h"
#include "ops/lstm_rows.h"
#include "ops/matmul.h"
#include "parallel.h"

namespace unrolled {
namespace {

// The rows of one direction: which frames they read and write, and where its part of the tape lies.
template <class Real>
struct Direction {
  const LstmShape& shape;
  const LstmRows& rows;
  const LstmWeights<Real>& weights;
  int64_t index;
  Real *gates, *cells, *hidden;  // (rows, 4H), (rows, H), (rows, H)

  Direction(const LstmShape& s, const LstmRows& r, const LstmWeights<Real>* w, int64_t i,
            const LstmTape<Real>& tape)
      : shape(s), rows(r), weights(w[i]), index(i) {
    gates = tape.gates + i * r.count() * 4 * s.H;
    cells = tape.cells + i * r.count() * s.H;
    hidden = tape.hidden + i * r.count() * s.H;
  }

  // Offset of a row's frame in an array (N, T, width).
  int64_t frame_offset(int64_t row, int64_t width) const {
    return (rows[row].item * shape.T + rows.frame(row, index == 1)) * width;
  }
  // Offset of a row's item in an array (directions, N, H).
  int64_t state_offset(int64_t row) const { return (index * shape.N + rows[row].item) * shape.H; }
  bool last_step(int64_t row) const { return rows[row].step + 1 == rows.length(rows[row].item); }
};

template <class Real>
void copy(int64_t n, const Real* from, Real* to) {
  std::copy_n(from, n, to);
}

template <class Real>
void copy_or_zero(int64_t n, const Real* from, Real* to) {
  if (from) {
    copy(n, from, to);
  } else {
    std::fill_n(to, n, Real(0));
  }
}

constexpr int64_t kRowsPerTask = 64;

template <class Real>
void gather_frames(const Direction<Real>& d, const Real* x, Real* packed) {
  const int64_t D = d.shape.D;
  parallel_runs(d.rows.count(), kRowsPerTask, d.rows.count() * D, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) copy(D, x + d.frame_offset(row, D), packed + row * D);
  });
}

// States before each row (rows, H): of the step before, or the initial ones.
template <class Real>
void gather_previous(const Direction<Real>& d, const Real* states, const Real* initial, Real* packed) {
  const int64_t H = d.shape.H;
  for (int64_t row = 0; row < d.rows.count(); ++row) {
    const int64_t before = d.rows.previous(row);
    const Real* from = before >= 0 ? states + before * H : initial ? initial + d.state_offset(row) : nullptr;
    copy_or_zero(H, from, packed + row * H);
  }
}

// All input products at once; the recurrent ones are added step by step.
template <class Real>
void project_input(const Direction<Real>& d, const Real* x) {
  const int64_t rows = d.rows.count(), D = d.shape.D, gates = 4 * d.shape.H;
  Buffer<Real> packed(rows * D), bias(gates);
  gather_frames(d, x, packed.data());
  for (int64_t j = 0; j < gates; ++j) {
    bias[j] = (d.weights.bias_ih ? d.weights.bias_ih[j] : Real(0)) +
              (d.weights.bias_hh ? d.weights.bias_hh[j] : Real(0));
  }
  for (int64_t row = 0; row < rows; ++row) copy(gates, bias.data(), d.gates + row * gates);
  matmul(row_major(packed.data(), rows, D), row_major(d.weights.weight_ih, gates, D).transposed(), d.gates,
         gates, true);
}

template <class Real>
void run_group(const Direction<Real>& d, const LstmGroup& group, const PackedMatrix<Real>& weight_hh,
               const Real* h0, const Real* c0, Real* output, Real* h_n, Real* c_n) {
  const LstmKernels<Real>& kernel = kernels<Real>().lstm;
  const int64_t H = d.shape.H, width = d.shape.directions * H,
                size = static_cast<int64_t>(group.items.size());
  Buffer<Real> h_prev(size * H), c_prev(size * H), scratch(weight_hh.scratch_size(size));
  for (int64_t step = 0; step < group.steps(); ++step) {
    const int64_t begin = group.begin[step], active = group.active[step];
    for (int64_t i = 0; i < active; ++i) {
      const int64_t before = d.rows.previous(begin + i), at = d.state_offset(begin + i);
      copy_or_zero(H, before >= 0 ? d.hidden + before * H : h0 ? h0 + at : nullptr, h_prev.data() + i * H);
      copy_or_zero(H, before >= 0 ? d.cells + before * H : c0 ? c0 + at : nullptr, c_prev.data() + i * H);
    }
    weight_hh.multiply(row_major<Real>(h_prev.data(), active, H), scratch.data(), d.gates + begin * 4 * H,
                       4 * H, true);
    for (int64_t i = 0; i < active; ++i) {
      const int64_t row = begin + i;
      Real* h = d.hidden + row * H;
      kernel.cell_forward(H, d.gates + row * 4 * H, c_prev.data() + i * H, d.cells + row * H, h);
      copy(H, h, output + d.frame_offset(row, width) + d.index * H);
      if (!d.last_step(row)) continue;
      copy(H, h, h_n + d.state_offset(row));
      copy(H, d.cells + row * H, c_n + d.state_offset(row));
    }
  }
}

// Gradients of the pre-activations of one group, in the place of the gates (`gates` is the caller's copy of
// them).
template <class Real>
void run_group_backward(const Direction<Real>& d, const LstmGroup& group, const PackedMatrix<Real>& weight_hh,
                        const Real* c0, const Real* grad_output, const Real* grad_h_n, const Real* grad_c_n,
                        Real* gates, Real* grad_h0, Real* grad_c0) {
  const LstmKernels<Real>& kernel = kernels<Real>().lstm;
  const int64_t H = d.shape.H, width = d.shape.directions * H,
                size = static_cast<int64_t>(group.items.size());
  // Gradients that flow back in time; row i is the i-th item of the group, as in every step.
  Buffer<Real> grad_h(size * H), grad_c(size * H), zeros(H), scratch(weight_hh.scratch_size(size));
  std::fill_n(zeros.data(), H, Real(0));
  for (int64_t step = group.steps() - 1; step >= 0; --step) {
    const int64_t begin = group.begin[step], active = group.active[step];
    for (int64_t i = 0; i < active; ++i) {
      const int64_t row = begin + i, before = d.rows.previous(row);
      Real *dh = grad_h.data() + i * H, *dc = grad_c.data() + i * H;
      if (d.last_step(row)) {
        copy_or_zero(H, grad_h_n ? grad_h_n + d.state_offset(row) : nullptr, dh);
        copy_or_zero(H, grad_c_n ? grad_c_n + d.state_offset(row) : nullptr, dc);
      }
      const Real* from_above = grad_output + d.frame_offset(row, width) + d.index * H;
      for (int64_t j = 0; j < H; ++j) dh[j] += from_above[j];
      const Real* c_prev = before >= 0 ? d.cells + before * H : c0 ? c0 + d.state_offset(row) : zeros.data();
      kernel.cell_backward(H, gates + row * 4 * H, c_prev, d.cells + row * H, dh, dc);
    }
    weight_hh.multiply(row_major<Real>(gates + begin * 4 * H, active, 4 * H), scratch.data(), grad_h.data(),
                       H, false);
  }
  for (int64_t i = 0; group.steps() > 0 && i < group.active[0]; ++i) {
    copy(H, grad_h.data() + i * H, grad_h0 + d.state_offset(group.begin[0] + i));
    copy(H, grad_c.data() + i * H, grad_c0 + d.state_offset(group.begin[0] + i));
  }
}

// Sum over rows of grad_gates (rows, 4H), in double.
template <class Real>
void sum_rows(int64_t rows, int64_t columns, const Real* x, Real* sums) {
  constexpr int64_t kColumns = 64;
  parallel_runs(columns, kColumns, rows * columns, [&](int64_t begin, int64_t end) {
    double total[kColumns] = {};
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t j = begin; j < end; ++j) total[j - begin] += static_cast<double>(x[row * columns + j]);
    }
    for (int64_t j = begin; j < end; ++j) sums[j] = static_cast<Real>(total[j - begin]);
  });
}

// The gradients that are one matrix product each, once those of the pre-activations are known.
template <class Real>
void finish_direction(const Direction<Real>& d, const Real* grad_gates, const Real* x, const Real* h0,
                      Real* grad_x, const LstmGradients<Real>& grads) {
  const int64_t rows = d.rows.count(), D = d.shape.D, H = d.shape.H;
  const auto grad_gates_t = row_major(grad_gates, rows, 4 * H).transposed();
  Buffer<Real> packed(rows * std::max(D, H));
  gather_frames(d, x, packed.data());
  matmul(grad_gates_t, row_major<Real>(packed.data(), rows, D), grads.weight_ih, D, false);
  gather_previous(d, d.hidden, h0, packed.data());
  matmul(grad_gates_t, row_major<Real>(packed.data(), rows, H), grads.weight_hh, H, false);
  sum_rows(rows, 4 * H, grad_gates, grads.bias);
  matmul(row_major(grad_gates, rows, 4 * H), row_major(d.weights.weight_ih, 4 * H, D), packed.data(), D,
         false);
  parallel_runs(rows, kRowsPerTask, rows * D, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      Real* to = grad_x + d.frame_offset(row, D);
      for (int64_t j = 0; j < D; ++j) to[j] += packed[row * D + j];
    }
  });
}

// Element operations of all steps: the recurrent products and the gates.
int64_t recurrent_work(const LstmShape& s, const LstmRows& rows) {
  return s.directions * rows.count() * 4 * s.H * (s.H / kMultiplyAddsPerOperation + 1);
}

template <class Real>
std::vector<Direction<Real>> make_directions(const LstmShape& s, const LstmRows& rows,
                                             const LstmWeights<Real>* weights, const LstmTape<Real>& tape) {
  std::vector<Direction<Real>> directions;
  for (int64_t i = 0; i < s.directions; ++i) directions.emplace_back(s, rows, weights, i, tape);
  return directions;
}

}  // namespace

template <class Real>
void lstm(const LstmShape& s, const LstmWeights<Real>* weights, const Real* x, const Real* h0, const Real* c0,
          Real* output, Real* h_n, Real* c_n, LstmTape<Real> tape) {
  const LstmRows rows(s.N, s.lengths);
  const auto directions = make_directions(s, rows, weights, tape);
  std::fill_n(output, s.N * s.T * s.directions * s.H, Real(0));
  copy_or_zero(s.directions * s.N * s.H, h0, h_n);  // an item of length 0 ends where it starts
  copy_or_zero(s.directions * s.N * s.H, c0, c_n);
  std::deque<PackedMatrix<Real>> recurrent;
  for (const Direction<Real>& d : directions) {
    project_input(d, x);
    recurrent.emplace_back(row_major(d.weights.weight_hh, 4 * s.H, s.H).transposed());
  }
  const auto groups = static_cast<int64_t>(rows.groups().size());
  parallel_for(groups * s.directions, recurrent_work(s, rows), [&](int64_t task) {
    const auto d = static_cast<std::size_t>(task / groups), g = static_cast<std::size_t>(task % groups);
    run_group(directions[d], rows.groups()[g], recurrent[d], h0, c0, output, h_n, c_n);
  });
}

template <class Real>
void lstm_backward(const LstmShape& s, const LstmWeights<Real>* weights, const Real* x, const Real* h0,
                   const Real* c0, const LstmTape<Real>& tape, const Real* grad_output, const Real* grad_h_n,
                   const Real* grad_c_n, Real* grad_x, const LstmGradients<Real>* grads, Real* grad_h0,
                   Real* grad_c0) {
  const LstmRows rows(s.N, s.lengths);
  const auto directions = make_directions(s, rows, weights, tape);
  const int64_t per_direction = rows.count() * 4 * s.H, states = s.directions * s.N * s.H;
  std::fill_n(grad_x, s.N * s.T * s.D, Real(0));
  copy_or_zero(states, grad_h_n, grad_h0);
  copy_or_zero(states, grad_c_n, grad_c0);
  Buffer<Real> grad_gates(s.directions * per_direction);
  copy(s.directions * per_direction, static_cast<const Real*>(tape.gates), grad_gates.data());
  std::deque<PackedMatrix<Real>> recurrent;
  for (const Direction<Real>& d : directions)
    recurrent.emplace_back(row_major(d.weights.weight_hh, 4 * s.H, s.H));

  const auto groups = static_cast<int64_t>(rows.groups().size());
  parallel_for(groups * s.directions, recurrent_work(s, rows), [&](int64_t task) {
    const auto d = static_cast<std::size_t>(task / groups), g = static_cast<std::size_t>(task % groups);
    run_group_backward(directions[d], rows.groups()[g], recurrent[d], c0, grad_output, grad_h_n, grad_c_n,
                       grad_gates.data() + directions[d].index * per_direction, grad_h0, grad_c0);
  });
  for (const Direction<Real>& d : directions) {
    finish_direction(d, grad_gates.data() + d.index * per_direction, x, h0, grad_x, grads[d.index]);
  }
}

#define UNROLLED_INSTANTIATE(Real)                                                                       \
  template void lstm(const LstmShape&, const LstmWeights<Real>*, const Real*, const Real*, const Real*,  \
                     Real*, Real*, Real*, LstmTape<Real>);                                               \
  template void lstm_backward(const LstmShape&, const LstmWeights<Real>*, const Real*, const Real*,      \
                              const Real*, const LstmTape<Real>&, const Real*, const Real*, const Real*, \
                              Real*, const LstmGradients<Real>*, Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
