// One recurrent layer, step by step: its weights packed once, for one row or many.
#pragma once

#include <optional>

#include "search/step_product.h"

namespace unrolled::search {

// In PyTorch's layout, G gates: weight_ih (G H, inputs), weight_hh (G H, P), biases (G H) or null, weight_hr
// (P, H) of a projection or null, peephole (3, H) of an LSTM or null.
struct StepWeights {
  int64_t inputs, H, P;
  const float *weight_ih, *weight_hh, *bias_ih, *bias_hh, *weight_hr, *peephole;
};

// States of a block of rows in whole vectors, and what one step makes of them.
class StepScratch {
 public:
  StepScratch(int64_t rows, int64_t features);

  int64_t row() const { return row_; }
  float *h, *c;             // before
  float *memory, *h_after;  // see RecurrentStep
  float** h_rows;           // the rows of h_after

 private:
  int64_t row_;
  Buffer<float> data_;
  Buffer<float*> rows_;
};

class StepLayer {
 public:
  // The input's first `first_inputs` features come by project(), the others by add_rest().
  StepLayer(const CellKernels<float>& cell, const StepWeights& weights, int64_t first_inputs);

  int64_t state_size() const { return P_ + (has_cells() ? H_ : 0); }
  int64_t outputs() const { return P_; }
  int64_t features() const { return H_ > P_ ? H_ : P_; }
  int64_t gate_columns() const { return cell_.gates * units_; }

  // The pre-activations of the gates for `rows` rows, in `data`, gate_columns() a row.
  GatePanels<float> panels(int64_t rows, float* data) const;

  // gates = the biases and what the input x (rows, first_inputs) gives them.
  void project(int64_t rows, const float* x, int64_t x_row, GatePanels<float> gates) const;
  // gates += what the rest of the input, x (rows, inputs - first_inputs), gives them; sums as `gates`.
  void add_rest(int64_t rows, const float* x, int64_t x_row, GatePanels<float> gates, float* sums) const;
  // One row of `from` (gate_columns()) as project() would have written it, and back.
  void to_row(GatePanels<float> gates, int64_t row, float* to) const;
  void from_row(const float* from, GatePanels<float> gates, int64_t row) const;

  // States h (P), and an LSTM's c (H) behind it, rows state_row apart. The gates are used up.
  void step(int64_t rows, GatePanels<float> gates, const float* before, float* after, int64_t state_row,
            StepScratch& scratch) const;

 private:
  bool has_cells() const { return cell_.memory == CellMemory::cells; }
  bool lone_product() const { return cell_.memory == CellMemory::product; }
  bool resets_state() const { return cell_.memory == CellMemory::reset_state; }
  void pack_input(const StepWeights& weights, int64_t begin, int64_t end, float* packed) const;
  void pack_hidden(const StepWeights& weights);
  void pack_biases(const StepWeights& weights);
  void read_states(int64_t rows, const float* before, int64_t state_row, StepScratch& scratch) const;
  void write_states(int64_t rows, float* after, int64_t state_row, const StepScratch& scratch) const;

  const Kernels<float>& kernels_;
  const CellKernels<float>& cell_;
  int64_t first_inputs_, rest_, H_, P_, units_;
  Buffer<float> input_, rest_input_, hidden_;   // packed weights
  Buffer<float> bias_, no_bias_, hidden_bias_;  // (gate_columns()), zeros; (units) see RecurrentStep
  Buffer<float> peephole_;                      // (3, units)
  bool has_peephole_;
  std::optional<StepProduct> projection_;
};

}  // namespace unrolled::search
