// Cells and weights of recurrent layers as Python passes them.
#pragma once

#include <algorithm>
#include <string>
#include <tuple>

#include "bindings/arrays.h"
#include "ops/recurrent.h"

namespace unrolled {

// One direction: (weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, peephole).
template <class Real>
using Direction = std::tuple<Array<Real>, Array<Real>, MaybeArray<Real>, MaybeArray<Real>, MaybeArray<Real>,
                             MaybeArray<Real>>;

template <class Real>
const CellKernels<Real>& cell_kernels(const std::string& cell) {
  const Kernels<Real>& all = kernels<Real>();
  if (cell == "lstm") return all.lstm;
  if (cell == "gru") return all.gru;
  if (cell == "gru_reset_before") return all.gru_reset_before;
  if (cell == "tanh") return all.rnn.tanh;
  if (cell == "relu") return all.rnn.relu;
  if (cell == "sigmoid") return all.rnn.sigmoid;
  require(cell == "identity", "cell must be lstm, gru, gru_reset_before, tanh, relu, sigmoid or identity");
  return all.rnn.identity;
}

// What is looked up in place of an input of no features: ids (N, T), table (directions, tokens, G H).
template <class Real>
RecurrentTable<Real> recurrent_table(const MaybeArray<int64_t>& ids, const MaybeArray<Real>& table,
                                     const RecurrentShape& s, int64_t gates) {
  require(ids.has_value() == table.has_value(), "ids and table go together");
  if (!ids) return {};
  require(s.D == 0, "x must have no features where tokens are read");
  require_shape(*ids, {s.N, s.T}, "ids must be (N, T)");
  const int64_t tokens = table->ndim() == 3 ? table->shape(1) : 0;
  require(tokens > 0, "table must have a row");
  require_shape(*table, {s.directions, tokens, gates * s.H}, "table must be (directions, tokens, G H)");
  for (int64_t n = 0; n < s.N; ++n) {
    const int64_t* from = ids->data() + n * s.T;
    require(std::all_of(from, from + s.lengths[n], [=](int64_t i) { return i >= 0 && i < tokens; }),
            "ids must lie in 0 .. tokens - 1");
  }
  return {tokens, ids->data(), table->data()};
}

}  // namespace unrolled
