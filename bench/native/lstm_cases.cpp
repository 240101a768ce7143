#include <numeric>

#include "case.h"
#include "ops/lstm.h"

namespace unrolled_bench {
namespace {

using unrolled::LstmShape;

struct Problem {
  int64_t N, T, D, H, directions;
  bool ragged;

  std::vector<int64_t> lengths() const {
    std::vector<int64_t> all(static_cast<std::size_t>(N), T);
    for (int64_t n = 0; ragged && n < N; ++n) {  // spread over 30 % .. 100 % of the frames
      all[static_cast<std::size_t>(n)] = T * 3 / 10 + (T * 7 / 10) * n / (N - 1);
    }
    return all;
  }
  int64_t rows() const {
    const std::vector<int64_t> all = lengths();
    return std::accumulate(all.begin(), all.end(), int64_t{0});
  }
  double forward_flops() const { return 2 * as_double(rows() * directions * 4 * H * (D + H)); }
  std::string name() const {
    return label("N", N, " T", T, " D", D, " H", H, directions == 2 ? " both ways" : "",
                 ragged ? " ragged" : "");
  }
};

struct Direction {
  explicit Direction(const Problem& p)
      : ih(random_array(4 * p.H * p.D, 0.05f)),
        hh(random_array(4 * p.H * p.H, 0.05f)),
        bias(random_array(4 * p.H)),
        grad_ih(zeros(4 * p.H * p.D)),
        grad_hh(zeros(4 * p.H * p.H)),
        grad_bias(zeros(4 * p.H)) {}
  unrolled::LstmWeights<float> weights() const { return {ih.data(), hh.data(), bias.data(), nullptr}; }
  unrolled::LstmGradients<float> gradients() const {
    return {grad_ih.data(), grad_hh.data(), grad_bias.data()};
  }
  Array ih, hh, bias, grad_ih, grad_hh, grad_bias;
};

class Layer {
 public:
  explicit Layer(const Problem& p)
      : p_(p),
        lengths_(p.lengths()),
        x_(random_array(p.N * p.T * p.D)),
        output_(zeros(p.N * p.T * p.directions * p.H)),
        grad_x_(zeros(p.N * p.T * p.D)),
        state_(zeros(4 * p.directions * p.N * p.H)),
        gates_(zeros(p.directions * p.rows() * 4 * p.H)),
        cells_(zeros(p.directions * p.rows() * p.H)),
        hidden_(zeros(p.directions * p.rows() * p.H)) {
    for (int64_t d = 0; d < p.directions; ++d) {
      directions_.emplace_back(p);
      weights_.push_back(directions_.back().weights());
      gradients_.push_back(directions_.back().gradients());
    }
    forward();
  }

  void forward() const {
    unrolled::lstm<float>(shape(), weights_.data(), x_.data(), nullptr, nullptr, output_.data(), state(0),
                          state(1), tape());
  }
  void backward() const {
    unrolled::lstm_backward<float>(shape(), weights_.data(), x_.data(), nullptr, nullptr, tape(),
                                   output_.data(), nullptr, nullptr, grad_x_.data(), gradients_.data(),
                                   state(2), state(3));
  }

 private:
  LstmShape shape() const { return {p_.N, p_.T, p_.D, p_.H, p_.directions, lengths_.data()}; }
  float* state(int64_t i) const { return state_.data() + i * p_.directions * p_.N * p_.H; }
  unrolled::LstmTape<float> tape() const { return {gates_.data(), cells_.data(), hidden_.data()}; }

  Problem p_;
  std::vector<int64_t> lengths_;
  Array x_, output_, grad_x_, state_, gates_, cells_, hidden_;
  std::vector<Direction> directions_;
  std::vector<unrolled::LstmWeights<float>> weights_;
  std::vector<unrolled::LstmGradients<float>> gradients_;
};

}  // namespace

void add_lstm_cases(Cases& cases) {
  for (const Problem& p : {Problem{1, 100, 64, 128, 1, false}, Problem{16, 100, 80, 256, 1, false},
                           Problem{32, 200, 256, 512, 1, false}, Problem{64, 50, 128, 128, 1, false},
                           Problem{16, 200, 80, 256, 2, false}, Problem{16, 200, 80, 256, 2, true}}) {
    cases.push_back({"lstm forward " + p.name(), {.flops = p.forward_flops()}, [=] {
                       return [layer = std::make_shared<Layer>(p)] { layer->forward(); };
                     }});
    cases.push_back({"lstm backward " + p.name(), {.flops = 2 * p.forward_flops()}, [=] {
                       return [layer = std::make_shared<Layer>(p)] { layer->backward(); };
                     }});
  }
}

}  // namespace unrolled_bench
