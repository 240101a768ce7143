// One direction of a recurrent layer: where its rows, its states and its part of the tape lie.
#pragma once

#include <algorithm>
#include <vector>

#include "memory.h"
#include "ops/matmul.h"
#include "ops/recurrent.h"
#include "ops/recurrent_rows.h"

namespace unrolled {

// Rows of whole vectors. Rows a multiple of 256 bytes apart would share few places of the first-level cache.
template <class Real>
int64_t padded_row(int64_t features) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(Real));
  const int64_t whole = round_up(features, kLine);
  return whole % (4 * kLine) == 0 ? whole + kLine : whole;
}

// Gates of a cell whose recurrent product is made at once, in panels of their own.
struct GateGroup {
  int64_t first, gates, panel_vectors;
};

template <class Real>
struct RecurrentDirection {
  const RecurrentShape& shape;
  const CellKernels<Real>& cell;
  const RecurrentRows& rows;
  const RecurrentWeights<Real>& weights;
  const Real* hidden_mask;  // (N, P) or null
  RecurrentTable<Real> table;
  int64_t index;
  int64_t units;                   // H in whole vectors
  int64_t state_row, operand_row;  // distance between rows of H and of P features
  GatePanels<Real> gates;          // activated
  Real* before;                    // (rows, operand_row): the state before each row
  Real* memory;                    // (rows, state_row): see RecurrentStep
  Real* unprojected;               // (rows, state_row): what the projection reads, or null

  RecurrentDirection(const RecurrentLayer<Real>& layer, const RecurrentRows& all_rows, int64_t direction,
                     Real* tape);
  int64_t tape_size() const { return gates_size() + before_size() + memory_size() + unprojected_size(); }

  bool reverse() const { return index == 1; }
  // Whether the last gate's recurrent product stands alone and has a bias of its own.
  bool lone_product() const { return cell.memory == CellMemory::product; }
  // Whether the last gate's recurrent product waits for a gate before it, which resets the state it reads.
  bool resets_state() const { return cell.memory == CellMemory::reset_state; }
  bool has_cells() const { return cell.memory == CellMemory::cells; }
  int64_t width() const { return shape.directions * shape.P; }
  // Offset of an item's frame in an array (N, T, features).
  int64_t frame_offset(int64_t place, int64_t step, int64_t features) const {
    return (rows.item(place) * shape.T + rows.frame(place, step, reverse())) * features;
  }
  // Offset of an item's state in an array (directions, N, features).
  int64_t state_offset(int64_t place, int64_t features) const {
    return (index * shape.N + rows.item(place)) * features;
  }
  GateGroup all_gates() const { return {0, cell.gates, cell.panel_vectors}; }
  // In the order of their products within a step.
  std::vector<GateGroup> hidden_groups() const {
    const int64_t last = cell.gates - 1;
    if (resets_state()) return {{0, last, last}, {last, 1, kCandidateVectors}};
    return {all_gates()};
  }
  // Panels of a group's gates for all rows.
  GatePanels<Real> panels(const GateGroup& group, Real* data) const {
    return {data, rows.count(), units * group.gates, group.panel_vectors * kernels<Real>().recurrent.lanes};
  }
  int64_t gates_size() const { return gates.rows * gates.columns; }

 private:
  int64_t before_size() const { return rows.count() * operand_row; }
  int64_t memory_size() const { return cell.memory == CellMemory::none ? 0 : rows.count() * state_row; }
  int64_t unprojected_size() const { return weights.weight_hr ? rows.count() * state_row : 0; }
};

template <class Real>
RecurrentDirection<Real>::RecurrentDirection(const RecurrentLayer<Real>& layer, const RecurrentRows& all_rows,
                                             int64_t direction, Real* tape)
    : shape(layer.shape),
      cell(layer.cell),
      rows(all_rows),
      weights(layer.weights[direction]),
      hidden_mask(layer.hidden_mask ? layer.hidden_mask + direction * shape.N * shape.P : nullptr),
      table(layer.table),
      index(direction),
      units(round_up(shape.H, kernels<Real>().recurrent.lanes)),
      state_row(padded_row<Real>(shape.H)),
      operand_row(padded_row<Real>(shape.P)) {
  if (table.tokens > 0) table.rows += direction * table.tokens * cell.gates * shape.H;
  gates = panels(all_gates(), nullptr);
  if (!tape) return;
  gates.data = tape + direction * tape_size();
  before = gates.data + gates_size();
  memory = before + before_size();
  unprojected = memory + memory_size();
}

// The backward pass only reads its tape.
template <class Real>
std::vector<RecurrentDirection<Real>> recurrent_directions(const RecurrentLayer<Real>& layer,
                                                           const RecurrentRows& rows, const Real* tape) {
  std::vector<RecurrentDirection<Real>> directions;
  for (int64_t d = 0; d < layer.shape.directions; ++d)
    directions.emplace_back(layer, rows, d, const_cast<Real*>(tape));
  return directions;
}

// States, or zeros where they are not given.
template <class Real>
void copy_or_zero(int64_t n, const Real* from, Real* to) {
  if (from) {
    std::copy_n(from, n, to);
  } else {
    std::fill_n(to, n, Real(0));
  }
}

// Frames of rows begin .. end, side by side in rows of padded_row(D).
template <class Real>
void gather_frames(const RecurrentDirection<Real>& d, const Real* x, int64_t begin, int64_t end,
                   Real* packed) {
  const int64_t D = d.shape.D, row_size = padded_row<Real>(D);
  for (int64_t row = begin, step = d.rows.step(begin); row < end; ++row, packed += row_size) {
    if (row == d.rows.begin(step + 1)) ++step;
    std::copy_n(x + d.frame_offset(row - d.rows.begin(step), step, D), D, packed);
  }
}

}  // namespace unrolled
