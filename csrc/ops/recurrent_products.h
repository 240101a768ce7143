// The products of a recurrent layer's backward pass: back through a weight, and the gradients that are one
// product over all rows each, once those of the pre-activations are known.
#pragma once

#include "ops/recurrent_direction.h"

namespace unrolled {

template <class Real>
GatePanels<const Real> const_panels(const GatePanels<Real>& g) {
  return {g.data, g.rows, g.columns, g.panel_columns};
}

// A weight (G H, features) packed for products of gate gradients with it.
template <class Real>
class ProductBack {
 public:
  ProductBack(const RecurrentDirection<Real>& d, const Real* weight, int64_t features);

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

// by_input and by_hidden: the gradients of the pre-activations by the two products; projected: (rows,
// operand_row), the gradient of the state that leaves a projection, or null.
template <class Real>
void weight_gradients(const RecurrentDirection<Real>& d, const Real* x, RecurrentState<const Real> initial,
                      GatePanels<const Real> by_input, GatePanels<const Real> by_hidden,
                      const Real* projected, const RecurrentGradients<Real>& gradients);

// grad_x (N, T, D): the first direction writes all of it, the second adds.
template <class Real>
void input_gradient(const RecurrentDirection<Real>& d, GatePanels<const Real> by_input, Real* grad_x);

}  // namespace unrolled
