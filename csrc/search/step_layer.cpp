#include "search/step_layer.h"

#include <algorithm>

namespace unrolled::search {
namespace {

constexpr int64_t kLine = 16;  // floats of a cache line, and the widest vector

// Rows a multiple of 256 bytes apart would share few places of the first-level cache.
int64_t padded_row(int64_t features) {
  const int64_t whole = (features + kLine - 1) / kLine * kLine;
  return whole % (4 * kLine) == 0 ? whole + kLine : whole;
}

Buffer<float> zeros(int64_t n) {
  Buffer<float> buffer(n);
  std::fill_n(buffer.data(), n, 0.0f);
  return buffer;
}

}  // namespace

StepScratch::StepScratch(int64_t rows, int64_t features)
    : row_(padded_row(features)), data_(zeros(4 * rows * row_)), rows_(rows) {
  h = data_.data();
  c = h + rows * row_;
  memory = c + rows * row_;
  h_after = memory + rows * row_;
  h_rows = rows_.data();
  for (int64_t i = 0; i < rows; ++i) h_rows[i] = h_after + i * row_;
}

StepLayer::StepLayer(const CellKernels<float>& cell, const StepWeights& w, int64_t first_inputs)
    : kernels_(kernels<float>()),
      cell_(cell),
      first_inputs_(first_inputs),
      rest_(w.inputs - first_inputs),
      H_(w.H),
      P_(w.P),
      units_((w.H + kernels_.recurrent.lanes - 1) / kernels_.recurrent.lanes * kernels_.recurrent.lanes),
      input_(gate_columns() * first_inputs_),
      rest_input_(gate_columns() * rest_),
      hidden_(gate_columns() * P_),
      bias_(gate_columns()),
      no_bias_(zeros(gate_columns())),
      hidden_bias_(zeros(units_)),
      peephole_(zeros(3 * units_)),
      has_peephole_(w.peephole != nullptr) {
  pack_input(w, 0, first_inputs_, input_.data());
  pack_input(w, first_inputs_, w.inputs, rest_input_.data());
  pack_hidden(w);
  pack_biases(w);
  for (int64_t i = 0; has_peephole_ && i < 3; ++i)
    std::copy_n(w.peephole + i * H_, H_, peephole_.data() + i * units_);
  if (w.weight_hr) projection_.emplace(P_, H_, w.weight_hr, H_, nullptr);
}

GatePanels<float> StepLayer::panels(int64_t rows, float* data) const {
  return {data, rows, gate_columns(), cell_.panel_vectors * kernels_.recurrent.lanes};
}

void StepLayer::pack_input(const StepWeights& w, int64_t begin, int64_t end, float* packed) const {
  const int64_t depth = end - begin, rows = cell_.gates * H_;
  Buffer<float> columns(rows * depth);
  for (int64_t i = 0; i < rows; ++i)
    std::copy_n(w.weight_ih + i * w.inputs + begin, depth, columns.data() + i * depth);
  kernels_.recurrent.pack_gates(cell_.gates, H_, depth, cell_.panel_vectors, columns.data(), 0,
                                panels(0, nullptr).count(), packed);
}

void StepLayer::pack_hidden(const StepWeights& w) {
  const auto pack = [&](int64_t first, int64_t gates, int64_t vectors) {
    const int64_t lanes = kernels_.recurrent.lanes, count = (units_ / lanes * gates + vectors - 1) / vectors;
    kernels_.recurrent.pack_gates(gates, H_, P_, vectors, w.weight_hh + first * H_ * P_, 0, count,
                                  hidden_.data() + first * units_ * P_);
  };
  const int64_t last = cell_.gates - 1;
  if (!resets_state()) return pack(0, cell_.gates, cell_.panel_vectors);
  pack(0, last, last);
  pack(last, 1, kCandidateVectors);
}

void StepLayer::pack_biases(const StepWeights& w) {
  const int64_t G = cell_.gates;
  Buffer<float> sums(G * H_);
  for (int64_t j = 0; j < G * H_; ++j) {
    const bool alone = lone_product() && j >= (G - 1) * H_;
    sums[j] = (w.bias_ih ? w.bias_ih[j] : 0.0f) + (w.bias_hh && !alone ? w.bias_hh[j] : 0.0f);
  }
  kernels_.recurrent.interleave(G, H_, 1, sums.data(), bias_.data());
  if (lone_product() && w.bias_hh) std::copy_n(w.bias_hh + (G - 1) * H_, H_, hidden_bias_.data());
}

void StepLayer::project(int64_t rows, const float* x, int64_t x_row, GatePanels<float> gates) const {
  kernels_.recurrent.project(rows, first_inputs_, x, x_row, input_.data(), bias_.data(), gates, 0);
}

void StepLayer::add_rest(int64_t rows, const float* x, int64_t x_row, GatePanels<float> gates,
                         float* sums) const {
  kernels_.recurrent.project(rows, rest_, x, x_row, rest_input_.data(), no_bias_.data(), panels(rows, sums),
                             0);
  for (int64_t i = 0; i < rows * gate_columns(); ++i) gates.data[i] += sums[i];
}

void StepLayer::to_row(GatePanels<float> gates, int64_t row, float* to) const {
  for (int64_t panel = 0; panel < gates.count(); ++panel)
    to = std::copy_n(gates.at(panel, row), gates.width(panel), to);
}

void StepLayer::from_row(const float* from, GatePanels<float> gates, int64_t row) const {
  for (int64_t panel = 0; panel < gates.count(); ++panel) {
    std::copy_n(from, gates.width(panel), gates.at(panel, row));
    from += gates.width(panel);
  }
}

void StepLayer::read_states(int64_t rows, const float* before, int64_t state_row,
                            StepScratch& scratch) const {
  for (int64_t i = 0; i < rows; ++i, before += state_row) {
    float *h = scratch.h + i * scratch.row(), *c = scratch.c + i * scratch.row();
    std::fill(std::copy_n(before, P_, h), h + scratch.row(), 0.0f);
    if (has_cells()) std::fill(std::copy_n(before + P_, H_, c), c + scratch.row(), 0.0f);
  }
}

void StepLayer::write_states(int64_t rows, float* after, int64_t state_row,
                             const StepScratch& scratch) const {
  for (int64_t i = 0; i < rows; ++i) {
    float* to = after + i * state_row;
    if (!projection_) std::copy_n(scratch.h_after + i * scratch.row(), H_, to);
    if (has_cells()) std::copy_n(scratch.memory + i * scratch.row(), H_, to + P_);
  }
  if (projection_) projection_->run(rows, scratch.h_after, scratch.row(), after, state_row);
}

void StepLayer::step(int64_t rows, GatePanels<float> gates, const float* before, float* after,
                     int64_t state_row, StepScratch& scratch) const {
  read_states(rows, before, state_row, scratch);
  const RecurrentStep<float> s = {.rows = rows,
                                  .depth = P_,
                                  .units = units_,
                                  .operand = scratch.h,
                                  .operand_row = scratch.row(),
                                  .weights = hidden_.data(),
                                  .gates = gates,
                                  .first_row = 0,
                                  .hidden_bias = hidden_bias_.data(),
                                  .peephole = has_peephole_ ? peephole_.data() : nullptr,
                                  .before = has_cells() ? scratch.c : scratch.h,
                                  .memory = scratch.memory,
                                  .state_row = scratch.row(),
                                  .h = scratch.h_rows};
  if (resets_state()) cell_.reset(s);
  cell_.step(s);
  write_states(rows, after, state_row, scratch);
}

}  // namespace unrolled::search
