// Hochreiter and Schmidhuber 1997, "Long short-term memory"; forget gate: Gers, Schmidhuber and Cummins 2000;
// peepholes: Gers, Schraudolph and Schmidhuber 2002. Gates in the order i, f, g, o; a panel is one block of
// units, so that panel p is about units p * lanes and on.
#include "kernels/math.h"
#include "kernels/recurrent_tile.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// The peepholes of one block of units; zeros where there are none, which adds nothing.
template <class Real>
struct Peepholes {
  Vec<Real> i = {}, f = {}, o = {};

  UNROLLED_INLINE Peepholes(const Real* all, int64_t units, int64_t unit) {
    if (!all) return;
    i = load(all + unit);
    f = load(all + units + unit);
    o = load(all + 2 * units + unit);
  }
};

// One block of units, gate by gate over the rows: what follows for one row waits long for each result, and
// rows do not wait for each other.
template <class Real>
void finish_rows(const RecurrentStep<Real>& s, int64_t panel, int64_t first, int64_t rows, const Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t unit = panel * W;
  const Peepholes<Real> peep(s.peephole, s.units, unit);
  Real* gates = s.gates.at(panel, s.first_row + first);
  Real* cells = s.memory + first * s.state_row + unit;
  const Real* before = s.before + first * s.state_row + unit;
  for (int64_t i = 0; i < rows; ++i) {
    Real* row = gates + i * 4 * W;
    const Real* sum = sums + i * 4 * W;
    const Vec<Real> c = load(before + i * s.state_row);
    store(row, sigmoid<Real>(load(row) + load(sum) + peep.i * c));
    store(row + W, sigmoid<Real>(load(row + W) + load(sum + W) + peep.f * c));
    store(row + 2 * W, tanh<Real>(load(row + 2 * W) + load(sum + 2 * W)));
  }
  for (int64_t i = 0; i < rows; ++i) {
    Real* row = gates + i * 4 * W;
    const Vec<Real> c = load(row + W) * load(before + i * s.state_row) + load(row) * load(row + 2 * W);
    store(cells + i * s.state_row, c);
    store(row + 3 * W, sigmoid<Real>(load(row + 3 * W) + load(sums + (i * 4 + 3) * W) + peep.o * c));
  }
  for (int64_t i = 0; i < rows; ++i)
    store(s.h[first + i] + unit, load(gates + (i * 4 + 3) * W) * tanh<Real>(load(cells + i * s.state_row)));
}

template <class Real>
void step(const RecurrentStep<Real>& s) {
  product_panels<Real, 4, 4>(s, [&](int64_t panel, int64_t row, int64_t rows, const Real* sums) {
    finish_rows(s, panel, row, rows, sums);
  });
}

template <class Real>
UNROLLED_INLINE void units_backward(const RecurrentStepBackward<Real>& s, int64_t panel, int64_t row) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t unit = panel * W, at = row * s.state_row + unit;
  const Real* gates = s.gates.at(panel, s.first_row + row);
  Real* grad = s.grad_hidden.at(panel, s.first_row + row);
  Real* grad_cell = s.grad_around + row * s.grad_row + unit;
  const Peepholes<Real> peep(s.peephole, s.units, unit);
  const Vec<Real> i = load(gates), f = load(gates + W), g = load(gates + 2 * W), o = load(gates + 3 * W);
  const Vec<Real> before = load(s.before + at), tanh_c = tanh<Real>(load(s.memory + at));
  const Vec<Real> dh = load(s.grad_h + row * s.grad_row + unit);
  const Vec<Real> d_o = dh * tanh_c * o * (Real(1) - o);
  const Vec<Real> dc = load(grad_cell) + dh * o * (Real(1) - tanh_c * tanh_c) + d_o * peep.o;
  const Vec<Real> d_i = dc * g * i * (Real(1) - i), d_f = dc * before * f * (Real(1) - f);
  store(grad, d_i);
  store(grad + W, d_f);
  store(grad + 2 * W, dc * i * (Real(1) - g * g));
  store(grad + 3 * W, d_o);
  store(grad_cell, dc * f + d_i * peep.i + d_f * peep.f);
}

template <class Real>
void step_backward(const RecurrentStepBackward<Real>& s) {
  for_each_panel_row(s, [&](int64_t panel, int64_t row) { units_backward(s, panel, row); });
}

}  // namespace

template <class Real>
CellKernels<Real> lstm_kernels() {
  return {4, 4, CellMemory::cells, step<Real>, step_backward<Real>};
}
template CellKernels<float> lstm_kernels();
template CellKernels<double> lstm_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
