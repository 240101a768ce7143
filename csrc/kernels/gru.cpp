// Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", with the reset gate after the
// recurrent product, as cuDNN and PyTorch have it. Gates in the order r, z, n; a panel is one block of units.
#include "kernels/math.h"
#include "kernels/recurrent_tile.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// One block of units, gate by gate over the rows: what follows for one row waits long for each result, and
// rows do not wait for each other.
template <class Real>
void finish_rows(const RecurrentStep<Real>& s, int64_t panel, int64_t first, int64_t rows, const Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t unit = panel * W;
  Real* gates = s.gates.at(panel, s.first_row + first);
  Real* memory = s.memory + first * s.state_row + unit;
  for (int64_t i = 0; i < rows; ++i) {
    Real* row = gates + i * 3 * W;
    const Real* sum = sums + i * 3 * W;
    store(row, sigmoid<Real>(load(row) + load(sum)));
    store(row + W, sigmoid<Real>(load(row + W) + load(sum + W)));
    store(memory + i * s.state_row, load(sum + 2 * W) + load(s.hidden_bias + unit));
  }
  for (int64_t i = 0; i < rows; ++i) {
    Real* row = gates + i * 3 * W;
    const Vec<Real> z = load(row + W);
    const Vec<Real> n = tanh<Real>(load(row + 2 * W) + load(row) * load(memory + i * s.state_row));
    store(row + 2 * W, n);
    const Vec<Real> before = load(s.before + (first + i) * s.state_row + unit);
    store(s.h[first + i] + unit, (Real(1) - z) * n + z * before);
  }
}

template <class Real>
void step(const RecurrentStep<Real>& s) {
  product_panels<Real, 3, 3>(s, [&](int64_t panel, int64_t row, int64_t rows, const Real* sums) {
    finish_rows(s, panel, row, rows, sums);
  });
}

template <class Real>
UNROLLED_INLINE void units_backward(const RecurrentStepBackward<Real>& s, int64_t panel, int64_t row) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t unit = panel * W, at = row * s.state_row + unit, grad_at = row * s.grad_row + unit;
  const Real* gates = s.gates.at(panel, s.first_row + row);
  Real* by_input = s.grad_input.at(panel, s.first_row + row);
  Real* by_hidden = s.grad_hidden.at(panel, s.first_row + row);
  const Vec<Real> r = load(gates), z = load(gates + W), n = load(gates + 2 * W);
  const Vec<Real> dh = load(s.grad_h + grad_at);
  const Vec<Real> dn = dh * (Real(1) - z) * (Real(1) - n * n);
  const Vec<Real> dr = dn * load(s.memory + at) * r * (Real(1) - r);
  const Vec<Real> dz = dh * (load(s.before + at) - n) * z * (Real(1) - z);
  store(by_input, dr);
  store(by_input + W, dz);
  store(by_input + 2 * W, dn);
  store(by_hidden, dr);
  store(by_hidden + W, dz);
  store(by_hidden + 2 * W, dn * r);
  store(s.grad_around + grad_at, dh * z);
}

template <class Real>
void step_backward(const RecurrentStepBackward<Real>& s) {
  for_each_panel_row(s, [&](int64_t panel, int64_t row) { units_backward(s, panel, row); });
}

}  // namespace

template <class Real>
CellKernels<Real> gru_kernels() {
  return {3, 3, CellMemory::product, step<Real>, step_backward<Real>};
}
template CellKernels<float> gru_kernels();
template CellKernels<double> gru_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
