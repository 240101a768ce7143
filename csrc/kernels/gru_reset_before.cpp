// Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", with the reset gate before
// the recurrent product, as the paper has it. Gates in the order r, z, n. The product of n waits for r, so
// its weights follow those of r and z in panels of their own, of up to kCandidateVectors blocks of units.
#include "kernels/math.h"
#include "kernels/recurrent_tile.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// r, z, and the state that r leaves of the operand.
template <class Real>
UNROLLED_INLINE void finish_gates(const RecurrentStep<Real>& s, int64_t panel, int64_t row,
                                  const Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t unit = panel * W;
  Real* gates = s.gates.at(panel, s.first_row + row);
  const Vec<Real> r = sigmoid<Real>(load(gates) + load(sums));
  store(gates, r);
  store(gates + W, sigmoid<Real>(load(gates + W) + load(sums + W)));
  store(s.memory + row * s.state_row + unit, r * load(s.operand + row * s.operand_row + unit));
}

// n and the new state of one block of units.
template <class Real>
UNROLLED_INLINE void finish_units(const RecurrentStep<Real>& s, int64_t panel, int64_t row,
                                  const Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t unit = panel * W;
  Real* gates = s.gates.at(panel, s.first_row + row);
  const Vec<Real> z = load(gates + W), n = tanh<Real>(load(gates + 2 * W) + load(sums));
  store(gates + 2 * W, n);
  store(s.h[row] + unit, (Real(1) - z) * n + z * load(s.before + row * s.state_row + unit));
}

template <class Real>
void reset(const RecurrentStep<Real>& s) {
  const Real* weights = s.weights;
  for (int64_t panel = 0; panel < s.gates.count(); ++panel, weights += s.depth * kPanelColumns<Real, 2>) {
    const auto end_rows = [&](int64_t row, int64_t rows, const Real* sums) {
      for (int64_t i = 0; i < rows; ++i) finish_gates(s, panel, row + i, sums + i * kPanelColumns<Real, 2>);
    };
    product_panel<Real, 2>(s.rows, s.depth, s.operand, s.operand_row, weights, end_rows);
  }
}

template <class Real>
void step(const RecurrentStep<Real>& s) {
  const int64_t blocks = s.gates.count();
  const Real* weights = s.weights + s.depth * 2 * s.units;
  for (int64_t first = 0; first < blocks; first += kCandidateVectors) {
    const int64_t left = blocks - first;
    with_constant<kCandidateVectors>(left < kCandidateVectors ? left : kCandidateVectors, [&](auto count) {
      const auto end_rows = [&](int64_t row, int64_t rows, const Real* sums) {
        for (int64_t i = 0; i < rows * count.value; ++i)
          finish_units(s, first + i % count.value, row + i / count.value, sums + i * kWidth<Real>);
      };
      product_panel<Real, count.value>(s.rows, s.depth, s.memory, s.state_row, weights, end_rows);
    });
    weights += s.depth * kPanelColumns<Real, kCandidateVectors>;
  }
}

// n and z, which need only the gradient of the state.
template <class Real>
UNROLLED_INLINE void units_backward(const RecurrentStepBackward<Real>& s, int64_t panel, int64_t row) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t unit = panel * W, at = row * s.state_row + unit, grad_at = row * s.grad_row + unit;
  const int64_t columns = s.grad_candidate.panel_columns;
  const Real* gates = s.gates.at(panel, s.first_row + row);
  Real* by_input = s.grad_input.at(panel, s.first_row + row);
  const Vec<Real> z = load(gates + W), n = load(gates + 2 * W), dh = load(s.grad_h + grad_at);
  const Vec<Real> dn = dh * (Real(1) - z) * (Real(1) - n * n);
  const Vec<Real> dz = dh * (load(s.before + at) - n) * z * (Real(1) - z);
  store(by_input + W, dz);
  store(by_input + 2 * W, dn);
  store(s.grad_hidden.at(panel, s.first_row + row) + W, dz);
  store(s.grad_candidate.at(unit / columns, s.first_row + row) + unit % columns, dn);
  store(s.grad_around + grad_at, dh * z);
}

template <class Real>
void step_backward(const RecurrentStepBackward<Real>& s) {
  for_each_panel_row(s, [&](int64_t panel, int64_t row) { units_backward(s, panel, row); });
}

// r, whose slope times the state is (1 - r) times the reset state.
template <class Real>
UNROLLED_INLINE void gate_backward(const RecurrentStepBackward<Real>& s, int64_t panel, int64_t row) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t unit = panel * W;
  Real* grad_reset = s.grad_reset + row * s.grad_row + unit;
  const Vec<Real> r = load(s.gates.at(panel, s.first_row + row)), grad = load(grad_reset);
  const Vec<Real> dr = grad * load(s.memory + row * s.state_row + unit) * (Real(1) - r);
  store(s.grad_input.at(panel, s.first_row + row), dr);
  store(s.grad_hidden.at(panel, s.first_row + row), dr);
  store(grad_reset, grad * r);
}

template <class Real>
void reset_backward(const RecurrentStepBackward<Real>& s) {
  for_each_panel_row(s, [&](int64_t panel, int64_t row) { gate_backward(s, panel, row); });
}

}  // namespace

template <class Real>
CellKernels<Real> gru_reset_before_kernels() {
  return {3, 3, CellMemory::reset_state, step<Real>, step_backward<Real>, reset<Real>, reset_backward<Real>};
}
template CellKernels<float> gru_reset_before_kernels();
template CellKernels<double> gru_reset_before_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
