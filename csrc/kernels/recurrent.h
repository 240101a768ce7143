// The parts of a recurrent layer over whole sequences.
//
// Units stand in blocks of one vector, and the gates of a block follow each other: column
// (block * gates + gate) * lanes + lane. One register tile then holds all gates of its units, and the
// non-linearities follow while they are in the cache. Columns are cut into panels, of which the last may be
// narrower, so that a panel is a contiguous operand of the products over all steps.
#pragma once

#include <cstdint>

namespace unrolled {

// (panels, rows, columns of the panel); `Real` may be const.
template <class Real>
struct GatePanels {
  Real* data;
  int64_t rows, columns;  // of all panels together
  int64_t panel_columns;  // of all panels but the last

  int64_t count() const { return (columns + panel_columns - 1) / panel_columns; }
  int64_t width(int64_t panel) const {
    const int64_t left = columns - panel * panel_columns;
    return left < panel_columns ? left : panel_columns;
  }
  Real* at(int64_t panel, int64_t row) const {
    return data + panel * panel_columns * rows + row * width(panel);
  }
};

// One step forward of the items that run; rows of states lie `state_row` apart, whole vectors each.
template <class Real>
struct RecurrentStep {
  int64_t rows, depth;  // items; features of the state that enters the product
  int64_t units;        // rounded up to whole vectors
  const Real* operand;  // (rows, depth), rows operand_row apart: the state that enters the product
  int64_t operand_row;
  const Real* weights;     // as pack_gates leaves them, group after group
  GatePanels<Real> gates;  // from first_row on: products with the input in, activated gates out
  int64_t first_row;
  const Real* hidden_bias;  // (units) of the gate whose recurrent product stands alone (GRU's n), or null
  const Real* peephole;     // (3, units) of the LSTM's i, f, o, or null
  const Real* before;       // (rows, units): LSTM the cells, GRU the states of the step before
  Real* memory;             // (rows, units): see CellMemory
  int64_t state_row;
  Real* const* h;  // per row: where the new state goes, `units` of it
};

// The same step backward, element by element; the products are the driver's.
template <class Real>
struct RecurrentStepBackward {
  int64_t rows, units;
  GatePanels<const Real> gates;
  GatePanels<Real> grad_input, grad_hidden;  // by the products with the input and with the state: one array,
                                             // but for the GRU
  GatePanels<Real> grad_candidate;           // of the group of n, where it has one of its own
  int64_t first_row;
  const Real* peephole;
  const Real* before;
  const Real* memory;
  int64_t state_row;
  const Real* grad_h;  // (rows, units), whole; rows grad_row apart
  Real* grad_reset;    // (rows, units), of reset_backward
  Real* grad_around;   // (rows, units): LSTM the gradient of the cells, of the step after in and of the step
                       // before out; GRU what reaches the state before without the product, out
  int64_t grad_row;
};

// What a cell keeps for each row beside its gates: nothing; the LSTM's cells; the recurrent product of the
// GRU's n, which has a bias of its own; or, where the reset acts before that product, the state it reads.
enum class CellMemory { none, cells, product, reset_state };

template <class Real>
struct CellKernels {
  int64_t gates;          // of a unit
  int64_t panel_vectors;  // vectors of a panel
  CellMemory memory;
  void (*step)(const RecurrentStep<Real>&);
  void (*step_backward)(const RecurrentStepBackward<Real>&);
  // Of a reset state, null for other cells. Before step: the gates but the last, and the state that the last
  // one's product reads. After step_backward, with the gradient of that state in grad_reset: the rest of the
  // gates, and in its place what reaches the state before through the reset.
  void (*reset)(const RecurrentStep<Real>&) = nullptr;
  void (*reset_backward)(const RecurrentStepBackward<Real>&) = nullptr;
};

template <class Real>
struct RnnKernels {
  CellKernels<Real> tanh, relu, sigmoid, identity;
};

// A weight (rows, depth), what each of its rows is multiplied with, and a bias (rows) or null; of depth 0 and
// without a bias it adds nothing.
template <class Real>
struct DotOperand {
  const Real* weight = nullptr;
  const Real* x = nullptr;
  int64_t depth = 0;
  const Real* bias = nullptr;

  DotOperand from(int64_t row) const { return {weight + row * depth, x, depth, bias ? bias + row : nullptr}; }
};

// y (rows) = a.weight a.x + a.bias + b.weight b.x + b.bias.
template <class Real>
using DotRows = void(int64_t rows, DotOperand<Real> a, DotOperand<Real> b, Real* y);

template <class Real>
struct RecurrentKernels {
  int64_t lanes;         // units of a block
  int64_t tile_columns;  // of multiply_panels' right operand and of its result

  // weight (gates * units, depth) into packed panels (depth, columns of the panel); `units` here and in
  // unpack_gates are the true ones, and columns of a last block beyond them are zero. Panels begin .. end.
  void (*pack_gates)(int64_t gates, int64_t units, int64_t depth, int64_t panel_vectors, const Real* weight,
                     int64_t begin, int64_t end, Real* packed);

  // Its rows in the interleaved order: (columns, depth), for the products back through the weight.
  void (*interleave)(int64_t gates, int64_t units, int64_t depth, const Real* weight, Real* interleaved);

  // grad (gates * units, depth) from one panel of its transpose, (depth, columns of the panel).
  void (*unpack_gates)(int64_t gates, int64_t units, int64_t depth, int64_t panel_vectors, int64_t panel,
                       const Real* packed, Real* grad);

  // Rows first_row .. first_row + rows of `gates` = bias (columns) + x (rows, depth) times packed weights;
  // without a bias the products are added to what stands there.
  void (*project)(int64_t rows, int64_t depth, const Real* x, int64_t x_row, const Real* packed,
                  const Real* bias, GatePanels<Real> gates, int64_t first_row);

  // C (rows, columns of b rounded up to tiles), rows c_row apart, = or += rows of `a` times b, packed in
  // chunks of kPanelsAtOnce panels of rows.
  void (*multiply_panels)(int64_t rows, int64_t columns, GatePanels<const Real> a, int64_t first_row,
                          const Real* b, Real* c, int64_t c_row, bool accumulate);

  // C (m in whole tiles, n) = or += A B: a (m, k) as MatmulKernels.pack_rows leaves it; b (k, n) and C
  // contiguous; n at most a panel's columns.
  void (*multiply_packed)(int64_t m, int64_t n, int64_t k, const Real* a_packed, const Real* b,
                          bool accumulate, Real* c);

  // sums (width) over the rows of x (rows, width), in double over short runs of rows; whole vectors.
  void (*sum_rows)(int64_t rows, int64_t width, const Real* x, Real* sums);
};

// Vectors of a panel of the candidate n where its recurrent product waits for the reset.
inline constexpr int64_t kCandidateVectors = 4;

// Panels of a left operand whose products are summed in registers before they reach C.
inline constexpr int64_t kPanelsAtOnce = 8;

}  // namespace unrolled
