// The steps backward of one direction of a recurrent layer, one at a time, from the last to the first.
#pragma once

#include <deque>
#include <utility>

#include "ops/recurrent_direction.h"
#include "ops/recurrent_products.h"

namespace unrolled {

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
      begin(step, grad_end);
      for (int64_t i = 0; i < active(step); ++i)
        add(grad_output + d_.frame_offset(first_ + i, step, d_.width()) + d_.index * d_.shape.P, grad(i));
      differentiate(step);
      go_back(step);
    }
    finish(grad_initial);
  }

  // The same one by one: start; begin, differentiate and go_back for each step; finish.
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
  // The gradient of the state after a step, where it is an item's last.
  void begin(int64_t step, RecurrentState<const Real> grad_end) {
    const int64_t H = d_.shape.H, P = d_.shape.P;
    for (int64_t i = active(step + 1); i < active(step); ++i) {
      copy_or_zero(P, grad_end.h ? grad_end.h + d_.state_offset(first_ + i, P) : nullptr, grad(i));
      if (d_.has_cells()) {
        copy_or_zero(H, grad_end.c ? grad_end.c + d_.state_offset(first_ + i, H) : nullptr,
                     around_ + i * row_size_);
      }
    }
  }
  // Of item first + i: the gradient of the state that leaves the layer, to which more may be added.
  Real* grad(int64_t i) const { return grad_h_ + i * row_size_; }
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
  void finish(RecurrentState<Real> grad_initial) const {
    const int64_t H = d_.shape.H, P = d_.shape.P;
    for (int64_t i = 0; i < active(0); ++i) {
      std::copy_n(grad_h_ + i * row_size_, P, grad_initial.h + d_.state_offset(first_ + i, P));
      if (grad_initial.c)
        std::copy_n(around_ + i * row_size_, H, grad_initial.c + d_.state_offset(first_ + i, H));
    }
  }

 private:
  int64_t active(int64_t step) const {
    return std::max(std::min(d_.rows.active(step), last_) - first_, int64_t{0});
  }
  int64_t row(int64_t step) const { return d_.rows.begin(step) + first_; }

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

  void multiply_group(std::size_t group, int64_t step, Real* to, bool accumulate) const {
    hidden_[group].multiply(active(step), const_panels(gradients_.by_hidden[group]), row(step), to, row_size_,
                            accumulate);
  }

  void multiply_by(const Real* mask, Real* dh) const {
    for (int64_t j = 0; j < d_.shape.P; ++j) dh[j] *= mask[j];
  }
  void add(const Real* grad, Real* dh) const {
    for (int64_t j = 0; j < d_.shape.P; ++j) dh[j] += grad[j];
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

}  // namespace unrolled
