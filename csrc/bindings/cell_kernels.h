// The cells of recurrent layers by name.
#pragma once

#include <string>

#include "bindings/arrays.h"
#include "dispatch.h"

namespace unrolled {

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
