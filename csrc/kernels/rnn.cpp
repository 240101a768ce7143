// Elman 1990, "Finding structure in time": one gate, whose activated value is the state. A panel is up to
// four blocks of units.
#include "kernels/math.h"
#include "kernels/recurrent_tile.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

constexpr int kBlocks = 4;

// An activation, and its slope in terms of its value.
struct Tanh {
  template <class Real>
  UNROLLED_INLINE static Vec<Real> value(Vec<Real> x) {
    return tanh<Real>(x);
  }
  template <class Real>
  UNROLLED_INLINE static Vec<Real> slope(Vec<Real> y) {
    return Real(1) - y * y;
  }
};
struct Relu {
  template <class Real>
  UNROLLED_INLINE static Vec<Real> value(Vec<Real> x) {
    return x <= Real(0) ? Vec<Real>{} : x;
  }
  template <class Real>
  UNROLLED_INLINE static Vec<Real> slope(Vec<Real> y) {
    return y > Real(0) ? broadcast<Real>(1) : Vec<Real>{};
  }
};
struct Sigmoid {
  template <class Real>
  UNROLLED_INLINE static Vec<Real> value(Vec<Real> x) {
    return sigmoid<Real>(x);
  }
  template <class Real>
  UNROLLED_INLINE static Vec<Real> slope(Vec<Real> y) {
    return y * (Real(1) - y);
  }
};
struct Identity {
  template <class Real>
  UNROLLED_INLINE static Vec<Real> value(Vec<Real> x) {
    return x;
  }
  template <class Real>
  UNROLLED_INLINE static Vec<Real> slope(Vec<Real>) {
    return broadcast<Real>(1);
  }
};

// Sums of one row into the gates and the state, `width` of them.
template <class Real>
using EndRow = void(int64_t width, const Real* sums, Real* gates, Real* h);

template <class Activation, class Real>
void end_row(int64_t width, const Real* sums, Real* gates, Real* h) {
  for (int64_t j = 0; j < width; j += kWidth<Real>) {
    const Vec<Real> value = Activation::template value<Real>(load(gates + j) + load(sums + j));
    store(gates + j, value);
    store(h + j, value);
  }
}

// One copy of the tiles for all activations.
template <class Real>
void step_with(const RecurrentStep<Real>& s, EndRow<Real>* end) {
  product_panels<Real, 1, kBlocks>(s, [&](int64_t panel, int64_t row, int64_t rows, const Real* sums) {
    const int64_t width = s.gates.width(panel);
    for (int64_t i = 0; i < rows; ++i) {
      end(width, sums + i * width, s.gates.at(panel, s.first_row + row + i),
          s.h[row + i] + panel * s.gates.panel_columns);
    }
  });
}

template <class Activation, class Real>
void step(const RecurrentStep<Real>& s) {
  step_with<Real>(s, end_row<Activation, Real>);
}

template <class Activation, class Real>
void step_backward(const RecurrentStepBackward<Real>& s) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t panel = 0; panel < s.gates.count(); ++panel) {
    const int64_t unit = panel * s.gates.panel_columns;
    for (int64_t row = 0; row < s.rows; ++row) {
      const Real *gates = s.gates.at(panel, s.first_row + row), *dh = s.grad_h + row * s.grad_row + unit;
      Real* grad = s.grad_hidden.at(panel, s.first_row + row);
      for (int64_t j = 0; j < s.gates.width(panel); j += W)
        store(grad + j, load(dh + j) * Activation::template slope<Real>(load(gates + j)));
    }
  }
}

template <class Activation, class Real>
constexpr CellKernels<Real> kernels_of() {
  return {1, kBlocks, CellMemory::none, step<Activation, Real>, step_backward<Activation, Real>};
}

}  // namespace

template <class Real>
RnnKernels<Real> rnn_kernels() {
  return {.tanh = kernels_of<Tanh, Real>(),
          .relu = kernels_of<Relu, Real>(),
          .sigmoid = kernels_of<Sigmoid, Real>(),
          .identity = kernels_of<Identity, Real>()};
}
template RnnKernels<float> rnn_kernels();
template RnnKernels<double> rnn_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
