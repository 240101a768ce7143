// Gates whose part by the input is looked up in a table: a row for each token, in place of a product.
#pragma once

#include "ops/recurrent_direction.h"

namespace unrolled {

// The gates of all rows = bias (interleaved, a number a column) + the rows of the table.
template <class Real>
void look_up_gates(const RecurrentDirection<Real>& d, const Real* bias);

// gradient (tokens, G H) of the table: of each of its rows, the sum over the rows that looked it up.
template <class Real>
void table_gradient(const RecurrentDirection<Real>& d, GatePanels<const Real> by_input, Real* gradient);

}  // namespace unrolled
