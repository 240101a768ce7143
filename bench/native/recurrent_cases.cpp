#include <numeric>

#include "case.h"
#include "dispatch.h"
#include "ops/recurrent.h"

namespace unrolled_bench {
namespace {

using unrolled::CellKernels;
using unrolled::RecurrentShape;

enum class Cell { rnn, lstm, gru };

// The table of the level that is in use then, so looked up late.
const CellKernels<float>& kernels_of(Cell cell) {
  const auto& all = unrolled::kernels<float>();
  return cell == Cell::rnn ? all.rnn.tanh : cell == Cell::lstm ? all.lstm : all.gru;
}

struct Problem {
  Cell cell;
  int64_t N, T, D, H, directions;
  bool ragged;

  int64_t gates() const { return cell == Cell::rnn ? 1 : cell == Cell::lstm ? 4 : 3; }
  std::vector<int64_t> lengths() const {
    std::vector<int64_t> all(static_cast<std::size_t>(N), T);
    for (int64_t n = 0; ragged && n < N; ++n) {  // spread over 30 % .. 100 % of the frames
      all[static_cast<std::size_t>(n)] = T * 3 / 10 + (T * 7 / 10) * n / (N - 1);
    }
    return all;
  }
  double forward_flops() const {
    const std::vector<int64_t> all = lengths();
    const int64_t rows = std::accumulate(all.begin(), all.end(), int64_t{0});
    return 2 * as_double(rows * directions * gates() * H * (D + H));
  }
  std::string name() const {
    const char* cells[] = {"rnn", "lstm", "gru"};
    return label(cells[static_cast<int>(cell)], " N", N, " T", T, " D", D, " H", H,
                 directions == 2 ? " both ways" : "", ragged ? " ragged" : "");
  }
};

struct Direction {
  explicit Direction(const Problem& p)
      : ih(random_array(p.gates() * p.H * p.D, 0.05f)),
        hh(random_array(p.gates() * p.H * p.H, 0.05f)),
        bias(random_array(p.gates() * p.H)),
        grad_ih(zeros(p.gates() * p.H * p.D)),
        grad_hh(zeros(p.gates() * p.H * p.H)),
        grad_bias(zeros(p.gates() * p.H)) {}
  unrolled::RecurrentWeights<float> weights() const {
    return {ih.data(), hh.data(), bias.data(), nullptr, nullptr, nullptr};
  }
  unrolled::RecurrentGradients<float> gradients() const {
    return {grad_ih.data(), grad_hh.data(), grad_bias.data(), nullptr, nullptr, nullptr};
  }
  Array ih, hh, bias, grad_ih, grad_hh, grad_bias;
};

class Layer {
 public:
  explicit Layer(const Problem& p)
      : p_(p),
        lengths_(p.lengths()),
        shape_{p.N, p.T, p.D, p.H, p.H, p.directions, lengths_.data()},
        x_(random_array(p.N * p.T * p.D)),
        output_(zeros(p.N * p.T * p.directions * p.H)),
        grad_x_(zeros(p.N * p.T * p.D)),
        state_(zeros(4 * p.directions * p.N * p.H)),
        tape_(0) {
    for (int64_t d = 0; d < p.directions; ++d) {
      directions_.emplace_back(p);
      weights_.push_back(directions_.back().weights());
      gradients_.push_back(directions_.back().gradients());
    }
    tape_ = zeros(unrolled::recurrent_tape_size(layer()));
    forward();
  }

  void forward() const {
    unrolled::recurrent<float>(layer(), x_.data(), {}, output_.data(), state(0), tape_.data());
  }
  void backward() const {
    unrolled::recurrent_backward<float>(layer(), x_.data(), tape_.data(), output_.data(), {}, {},
                                        grad_x_.data(), gradients_.data(), state(2));
  }

 private:
  unrolled::RecurrentLayer<float> layer() const {
    return {shape_, kernels_of(p_.cell), weights_.data(), nullptr};
  }
  // Two of the four states.
  unrolled::RecurrentState<float> state(int64_t i) const {
    const int64_t size = p_.directions * p_.N * p_.H;
    return {state_.data() + i * size, p_.cell == Cell::lstm ? state_.data() + (i + 1) * size : nullptr};
  }

  Problem p_;
  std::vector<int64_t> lengths_;
  RecurrentShape shape_;
  Array x_, output_, grad_x_, state_, tape_;
  std::vector<Direction> directions_;
  std::vector<unrolled::RecurrentWeights<float>> weights_;
  std::vector<unrolled::RecurrentGradients<float>> gradients_;
};

void add(Cases& cases, const Problem& p) {
  cases.push_back({p.name() + " forward", {.flops = p.forward_flops()}, [=] {
                     return [layer = std::make_shared<Layer>(p)] { layer->forward(); };
                   }});
  cases.push_back({p.name() + " backward", {.flops = 2 * p.forward_flops()}, [=] {
                     return [layer = std::make_shared<Layer>(p)] { layer->backward(); };
                   }});
}

}  // namespace

void add_recurrent_cases(Cases& cases) {
  for (const Cell cell : {Cell::rnn, Cell::lstm, Cell::gru}) {
    for (const Problem& p :
         {Problem{cell, 1, 100, 64, 128, 1, false}, Problem{cell, 16, 100, 80, 256, 1, false},
          Problem{cell, 32, 200, 256, 512, 1, false}, Problem{cell, 64, 50, 128, 128, 1, false}}) {
      add(cases, p);
    }
  }
  add(cases, {Cell::lstm, 16, 200, 80, 256, 2, false});
  add(cases, {Cell::lstm, 16, 200, 80, 256, 2, true});
}

}  // namespace unrolled_bench
