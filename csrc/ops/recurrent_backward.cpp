// Backpropagation through time (Werbos 1990): the steps backward give the gradients of the pre-activations,
// and the products over all rows at the end give those of the weights and of the input.
#include <deque>
#include <utility>

#include "denormals.h"
#include "ops/recurrent_direction.h"
#include "ops/recurrent_products.h"
#include "ops/recurrent_runs.h"

namespace unrolled {
namespace {

// The items at places first .. last of one direction, from the last step to the first. Row i of every array
// is item first + i, as in each step.
template <class Real>
class BackwardRun {
 public:
  BackwardRun(const RecurrentDirection<Real>& d, const std::deque<ProductBack<Real>>& hidden,
              const PackedMatrix<Real>* projection, const RowGradients<Real>& gradients, int64_t first,
              int64_t last)
      : d_(d),
        hidden_(hidden),
        projection_(projection),
        gradients_(gradients),
        first_(first),
        last_(last),
        row_size_(round_up(std::max(d.units, d.shape.P), kernels<Real>().recurrent.tile_columns)),
        grads_(2 * (last - first) * row_size_),
        grad_h_(grads_.data()),
        around_(grad_h_ + (last - first) * row_size_),
        product_((last - first) * row_size_),
        c_start_((last - first) * d.state_row),
        peephole_(3 * d.units),
        scratch_(projection ? projection->scratch_size(last - first) : 0) {
    std::fill_n(grads_.data(), 2 * (last - first) * row_size_, Real(0));
    std::fill_n(product_.data(), (last - first) * row_size_, Real(0));
  }

  void run(RecurrentState<const Real> initial, const Real* grad_output, RecurrentState<const Real> grad_end,
           RecurrentState<Real> grad_initial) {
    start(initial);
    int64_t step = 0;
    while (active(step) > 0) ++step;
    for (--step; step >= 0; --step) {
      add_gradients(step, grad_output, grad_end);
      differentiate(step);
      go_back(step);
    }
    finish(grad_initial);
  }

 private:
  int64_t active(int64_t step) const {
    return std::max(std::min(d_.rows.active(step), last_) - first_, int64_t{0});
  }
  int64_t row(int64_t step) const { return d_.rows.begin(step) + first_; }

  void start(RecurrentState<const Real> initial) {
    const int64_t H = d_.shape.H;
    for (int64_t i = 0; i < last_ - first_; ++i) {
      Real* c = c_start_.data() + i * d_.state_row;
      copy_or_zero(H, initial.c ? initial.c + d_.state_offset(first_ + i, H) : nullptr, c);
      std::fill(c + H, c + d_.state_row, Real(0));
    }
    for (int64_t i = 0; d_.weights.peephole && i < 3; ++i) {
      Real* to = peephole_.data() + i * d_.units;
      std::copy_n(d_.weights.peephole + i * H, H, to);
      std::fill(to + H, to + d_.units, Real(0));
    }
  }

  // The gradient of the state: from the step after, from the end, from the output.
  void add_gradients(int64_t step, const Real* grad_output, RecurrentState<const Real> grad_end) {
    const int64_t H = d_.shape.H, P = d_.shape.P;
    for (int64_t i = 0; i < active(step); ++i) {
      Real *dh = grad_h_ + i * row_size_, *dc = around_ + i * row_size_;
      if (i >= active(step + 1)) {
        copy_or_zero(P, grad_end.h ? grad_end.h + d_.state_offset(first_ + i, P) : nullptr, dh);
        if (d_.has_cells())
          copy_or_zero(H, grad_end.c ? grad_end.c + d_.state_offset(first_ + i, H) : nullptr, dc);
      }
      const Real* from = grad_output + d_.frame_offset(first_ + i, step, d_.width()) + d_.index * P;
      add(from, dh);
    }
  }

  // Of the cell's own output: through the projection if there is one.
  const Real* unprojected(int64_t step) {
    if (!projection_) return grad_h_;
    const int64_t P = d_.shape.P;
    for (int64_t i = 0; i < active(step); ++i)
      std::copy_n(grad_h_ + i * row_size_, P, gradients_.projected + (row(step) + i) * d_.operand_row);
    projection_->multiply({grad_h_, active(step), P, row_size_, 1}, scratch_.data(), product_.data(),
                          row_size_, false);
    return product_.data();
  }

  void differentiate(int64_t step) {
    const Real* states = !d_.has_cells() ? d_.before + row(step) * d_.operand_row
                         : step == 0     ? c_start_.data()
                                         : d_.memory + row(step - 1) * d_.state_row;
    const RecurrentStepBackward<Real> s = {.rows = active(step),
                                           .units = d_.units,
                                           .gates = const_panels(d_.gates),
                                           .grad_input = gradients_.by_input,
                                           .grad_hidden = gradients_.by_hidden.front(),
                                           .grad_candidate = gradients_.by_hidden.back(),
                                           .first_row = row(step),
                                           .peephole = d_.weights.peephole ? peephole_.data() : nullptr,
                                           .before = states,
                                           .memory = d_.memory + row(step) * d_.state_row,
                                           .state_row = d_.state_row,
                                           .grad_h = unprojected(step),
                                           .grad_reset = grad_h_,
                                           .grad_around = around_,
                                           .grad_row = row_size_};
    d_.cell.step_backward(s);
    if (!d_.resets_state()) return;
    multiply_group(1, step, grad_h_, false);  // grad_h has been read
    d_.cell.reset_backward(s);
  }

  void multiply_group(std::size_t group, int64_t step, Real* to, bool accumulate) const {
    hidden_[group].multiply(active(step), const_panels(gradients_.by_hidden[group]), row(step), to, row_size_,
                            accumulate);
  }

  // Through the recurrent product to the state before.
  void go_back(int64_t step) {
    const bool around = d_.lone_product() || d_.resets_state();
    if (!d_.hidden_mask && d_.lone_product()) {
      multiply_group(0, step, around_, true);
      return std::swap(grad_h_, around_);
    }
    multiply_group(0, step, grad_h_, d_.resets_state());
    for (int64_t i = 0; i < active(step); ++i) {
      Real* dh = grad_h_ + i * row_size_;
      if (d_.hidden_mask) multiply_by(d_.hidden_mask + d_.rows.item(first_ + i) * d_.shape.P, dh);
      if (around) add(around_ + i * row_size_, dh);
    }
  }

  void multiply_by(const Real* mask, Real* dh) const {
    for (int64_t j = 0; j < d_.shape.P; ++j) dh[j] *= mask[j];
  }
  void add(const Real* grad, Real* dh) const {
    for (int64_t j = 0; j < d_.shape.P; ++j) dh[j] += grad[j];
  }

  void finish(RecurrentState<Real> grad_initial) const {
    const int64_t H = d_.shape.H, P = d_.shape.P;
    for (int64_t i = 0; i < active(0); ++i) {
      std::copy_n(grad_h_ + i * row_size_, P, grad_initial.h + d_.state_offset(first_ + i, P));
      if (grad_initial.c)
        std::copy_n(around_ + i * row_size_, H, grad_initial.c + d_.state_offset(first_ + i, H));
    }
  }

  const RecurrentDirection<Real>& d_;
  const std::deque<ProductBack<Real>>& hidden_;  // per group of gates
  const PackedMatrix<Real>* projection_;
  const RowGradients<Real>& gradients_;
  int64_t first_, last_, row_size_;
  Buffer<Real> grads_;
  Real *grad_h_, *around_;  // see RecurrentStepBackward
  Buffer<Real> product_, c_start_, peephole_, scratch_;
};

}  // namespace

template <class Real>
void recurrent_backward(const RecurrentLayer<Real>& layer, const Real* x, const Real* tape,
                        const Real* grad_output, RecurrentState<const Real> grad_end,
                        RecurrentState<const Real> initial, Real* grad_x,
                        const RecurrentGradients<Real>* gradients, RecurrentState<Real> grad_initial) {
  const RecurrentShape& s = layer.shape;
  const RecurrentRows rows(s.N, s.lengths);
  const auto directions = recurrent_directions(layer, rows, tape);
  copy_or_zero(s.directions * s.N * s.P, grad_end.h, grad_initial.h);
  if (grad_initial.c) copy_or_zero(s.directions * s.N * s.H, grad_end.c, grad_initial.c);

  std::deque<std::deque<ProductBack<Real>>> hidden;
  std::deque<PackedMatrix<Real>> projection;
  std::deque<RowGradients<Real>> by_row;
  for (const auto& d : directions) {
    by_row.emplace_back(d);
    auto& products = hidden.emplace_back();
    for (const GateGroup& group : d.hidden_groups())
      products.emplace_back(d, group, d.weights.weight_hh, s.P);
    if (d.weights.weight_hr) projection.emplace_back(row_major(d.weights.weight_hr, s.P, s.H));
  }
  for_each_run(directions, [&](const RecurrentDirection<Real>& d, int64_t first, int64_t last) {
    const FlushDenormals flush;
    const auto i = static_cast<std::size_t>(d.index);
    BackwardRun<Real>(d, hidden[i], projection.empty() ? nullptr : &projection[i], by_row[i], first, last)
        .run(initial, grad_output, grad_end, grad_initial);
  });
  for (const auto& d : directions) {
    const auto& g = by_row[static_cast<std::size_t>(d.index)];
    weight_gradients(d, x, initial, g, gradients[d.index]);
    if (grad_x) input_gradient(d, const_panels(g.by_input), grad_x);
  }
}

#define UNROLLED_INSTANTIATE(Real)                                                                     \
  template void recurrent_backward(const RecurrentLayer<Real>&, const Real*, const Real*, const Real*, \
                                   RecurrentState<const Real>, RecurrentState<const Real>, Real*,      \
                                   const RecurrentGradients<Real>*, RecurrentState<Real>);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
