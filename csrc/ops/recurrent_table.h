// Gates whose part by the input is looked up in a table: a row for each token, in place of a product.
#pragma once

#include "ops/recurrent_forward_run.h"

namespace unrolled {

// The gates of all rows before the recurrent products: bias + what the input gives them, the rows of the
// table or x (N, T, D) times weight_ih.
template <class Real>
void input_gates(const RecurrentDirection<Real>& d, const PackedWeights<Real>& packed, const Real* x);

// gradient (tokens, G H) of the table: of each of its rows, the sum over the rows that looked it up.
template <class Real>
void table_gradient(const RecurrentDirection<Real>& d, GatePanels<const Real> by_input, Real* gradient);

}  // namespace unrolled
