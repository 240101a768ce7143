// Cells and weights of recurrent layers as Python passes them.
#pragma once

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

}  // namespace unrolled
