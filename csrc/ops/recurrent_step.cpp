#include <algorithm>

#include "denormals.h"
#include "memory.h"
#include "ops/matmul.h"
#include "ops/recurrent.h"
#include "parallel.h"

namespace unrolled {
namespace {

// One step of all items. Rows of states hold whole vectors.
template <class Real>
class StreamingStep {
 public:
  StreamingStep(const RecurrentLayer<Real>& layer, const Real* x, RecurrentState<const Real> before)
      : shape_(layer.shape),
        cell_(layer.cell),
        weights_(layer.weights[0]),
        lanes_(kernels<Real>().recurrent.lanes),
        units_(round_up(shape_.H, lanes_)),
        columns_(units_ * cell_.gates),
        x_(x),
        h_before_(padded(before.h, shape_.P, round_up(shape_.P, lanes_))),
        c_before_(padded(before.c, shape_.H, units_)),
        peephole_(padded_rows(weights_.peephole, 3, shape_.H, units_)),
        gates_(shape_.N * columns_),
        lone_(shape_.N * units_),
        memory_(shape_.N * units_),
        h_(shape_.N * units_) {
    std::fill_n(gates_.data(), shape_.N * columns_, Real(0));
    std::fill_n(lone_.data(), shape_.N * units_, Real(0));
  }

  void run(RecurrentState<Real> after) {
    const int64_t last = cell_.gates - 1, P = shape_.P;
    for_each_block(cell_.gates * (shape_.D + P), [&](int64_t block) {
      for (int64_t gate = 0; gate < last; ++gate) multiply(block, gate, h_before_.data());
      multiply(block, last, candidate_alone() ? nullptr : h_before_.data());
    });
    if (resets_state()) {
      for (int64_t n = 0; n < shape_.N; ++n) cell_.reset(item(n, nullptr));
    }
    if (candidate_alone()) {
      const Real* states = resets_state() ? memory_.data() : h_before_.data();
      for_each_block(P, [&](int64_t block) { multiply_candidate(block, states); });
    }
    for (int64_t n = 0; n < shape_.N; ++n) finish(n, after);
  }

 private:
  bool lone_product() const { return cell_.memory == CellMemory::product; }
  bool resets_state() const { return cell_.memory == CellMemory::reset_state; }
  // Whether the last gate's product with the state is taken by itself.
  bool candidate_alone() const { return lone_product() || resets_state(); }

  // weights: that each unit reads.
  template <class Task>
  void for_each_block(int64_t weights, const Task& task) const {
    parallel_for(units_ / lanes_, shape_.N * shape_.H * weights / 2, task);
  }

  Buffer<Real> padded(const Real* states, int64_t features, int64_t row) const {
    return padded_rows(states, shape_.N, features, row);
  }
  static Buffer<Real> padded_rows(const Real* from, int64_t rows, int64_t features, int64_t row) {
    Buffer<Real> to(rows * row);
    std::fill_n(to.data(), rows * row, Real(0));
    for (int64_t i = 0; from && i < rows; ++i)
      std::copy_n(from + i * features, features, to.data() + i * row);
    return to;
  }

  // The pre-activations of a gate for one block of units, whose rows of the weights are read once. Without
  // states only the input counts.
  void multiply(int64_t block, int64_t gate, const Real* states) {
    const int64_t row = gate * shape_.H + block * lanes_;
    for (int64_t n = 0; n < shape_.N; ++n) {
      const DotOperand<Real> input = {weights_.weight_ih, x_ + n * shape_.D, shape_.D, weights_.bias_ih};
      kernels<Real>().dot_rows(present(block), input.from(row), recurrent_rows(row, n, states),
                               pre_activation(n, block, gate));
    }
  }
  // The last gate's recurrent product: added to its input's, or left for the cell.
  void multiply_candidate(int64_t block, const Real* states) {
    const int64_t gate = cell_.gates - 1, row = gate * shape_.H + block * lanes_;
    for (int64_t n = 0; n < shape_.N; ++n) {
      Real *product = lone_.data() + n * units_ + block * lanes_, *sum = pre_activation(n, block, gate);
      kernels<Real>().dot_rows(present(block), recurrent_rows(row, n, states), {}, product);
      for (int64_t i = 0; resets_state() && i < present(block); ++i) sum[i] += product[i];
    }
  }
  DotOperand<Real> recurrent_rows(int64_t row, int64_t n, const Real* states) const {
    if (!states) return {};
    const int64_t P = shape_.P;
    return DotOperand<Real>{weights_.weight_hh, states + n * round_up(P, lanes_), P, weights_.bias_hh}.from(
        row);
  }
  Real* pre_activation(int64_t n, int64_t block, int64_t gate) {
    return gates_.data() + n * columns_ + (block * cell_.gates + gate) * lanes_;
  }

  int64_t present(int64_t block) const { return std::min(lanes_, shape_.H - block * lanes_); }

  // For the cell, which adds nothing of its own to what stands there: its product has no depth.
  RecurrentStep<Real> item(int64_t n, Real* const* h) {
    const Real *h_before = h_before_.data() + n * round_up(shape_.P, lanes_),
               *c_before = c_before_.data() + n * units_;
    return {.rows = 1,
            .depth = 0,
            .units = units_,
            .operand = h_before,
            .operand_row = 0,
            .weights = nullptr,
            .gates = {gates_.data() + n * columns_, 1, columns_, cell_.panel_vectors * lanes_},
            .first_row = 0,
            .hidden_bias = lone_.data() + n * units_,
            .peephole = weights_.peephole ? peephole_.data() : nullptr,
            .before = cell_.memory == CellMemory::cells ? c_before : h_before,
            .memory = memory_.data() + n * units_,
            .state_row = units_,
            .h = h};
  }

  void finish(int64_t n, RecurrentState<Real> after) {
    const int64_t H = shape_.H, P = shape_.P;
    Real* h = h_.data() + n * units_;
    cell_.step(item(n, &h));
    if (after.c) std::copy_n(memory_.data() + n * units_, H, after.c + n * H);
    if (weights_.weight_hr) {
      kernels<Real>().dot_rows(P, {weights_.weight_hr, h, H}, {}, after.h + n * P);
    } else {
      std::copy_n(h, H, after.h + n * H);
    }
  }

  const RecurrentShape& shape_;
  const CellKernels<Real>& cell_;
  const RecurrentWeights<Real>& weights_;
  int64_t lanes_, units_, columns_;
  const Real* x_;
  Buffer<Real> h_before_, c_before_, peephole_;
  Buffer<Real> gates_, lone_, memory_, h_;
};

}  // namespace

template <class Real>
void recurrent_step(const RecurrentLayer<Real>& layer, const Real* x, RecurrentState<const Real> before,
                    RecurrentState<Real> after) {
  const FlushDenormals flush;
  StreamingStep<Real>(layer, x, before).run(after);
}

template void recurrent_step(const RecurrentLayer<float>&, const float*, RecurrentState<const float>,
                             RecurrentState<float>);
template void recurrent_step(const RecurrentLayer<double>&, const double*, RecurrentState<const double>,
                             RecurrentState<double>);

}  // namespace unrolled
