// The products of a recurrent layer's backward pass: back through a weight, and the gradients that are one
// product over all rows each, once those of the pre-activations are known.
#pragma once

#include "ops/recurrent_direction.h"

namespace unrolled {

template <class Real>
GatePanels<const Real> const_panels(const GatePanels<Real>& g) {
  return {g.data, g.rows, g.columns, g.panel_columns};
}

// The gradients of one direction's rows, to be written step by step.
template <class Real>
class RowGradients {
 public:
  explicit RowGradients(const RecurrentDirection<Real>& d);

  GatePanels<Real> by_input;                // of the pre-activations, by the products with the input,
  std::vector<GatePanels<Real>> by_hidden;  // and with the state, per group: the same array where they agree
  Real* projected;                          // (rows, operand_row) of the state that leaves a projection

 private:
  Buffer<Real> hidden_, input_, projected_;
};

// The rows of a group of gates of a weight (G H, features), packed for products of gate gradients with them.
template <class Real>
class ProductBack {
 public:
  ProductBack(const RecurrentDirection<Real>& d, const GateGroup& group, const Real* weight,
              int64_t features);

  // C (rows, features rounded up to tiles), rows c_row apart, = or += rows of the gate gradients times
  // weight.
  void multiply(int64_t rows, GatePanels<const Real> gates, int64_t first_row, Real* c, int64_t c_row,
                bool accumulate) const {
    kernels<Real>().recurrent.multiply_panels(rows, features_, gates, first_row, packed_.data(), c, c_row,
                                              accumulate);
  }

 private:
  int64_t features_;
  Buffer<Real> packed_;
};

template <class Real>
void weight_gradients(const RecurrentDirection<Real>& d, const Real* x, RecurrentState<const Real> initial,
                      const RowGradients<Real>& by_row, const RecurrentGradients<Real>& gradients);
// Its parts: of a weight (G H, features) whose products with `a` (rows, features), rows a_row apart, the
// gates read; and of all parameters but weight_ih.
template <class Real>
void input_weight_gradient(const RecurrentDirection<Real>& d, const RowGradients<Real>& by_row, const Real* a,
                           int64_t a_row, int64_t features, Real* gradient);
template <class Real>
void state_weight_gradients(const RecurrentDirection<Real>& d, RecurrentState<const Real> initial,
                            const RowGradients<Real>& by_row, const RecurrentGradients<Real>& gradients);

// grad_x (N, T, D): the first direction writes all of it, the second adds.
template <class Real>
void input_gradient(const RecurrentDirection<Real>& d, GatePanels<const Real> by_input, Real* grad_x);

}  // namespace unrolled
