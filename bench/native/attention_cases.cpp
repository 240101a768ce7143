#include "case.h"
#include "dispatch.h"
#include "ops/attention_decoder.h"

namespace unrolled_bench {
namespace {

using unrolled::AttentionFeeding;
using unrolled::AttentionScore;

struct Problem {
  AttentionScore score;
  int64_t N, T, S, H;  // as many features in the memory, the keys and the inputs

  std::string name(const char* what) const {
    const char* scores[] = {"dot", "general", "additive"};
    return label(what, " ", scores[static_cast<int>(score)], " N", N, " T", T, " S", S, " H", H);
  }
  // Of the scores and the sums of the memory; a tanh counts as nothing.
  double attention_flops() const { return 4 * as_double(N * T * S * H) + projection_flops(); }
  double projection_flops() const {
    const int64_t rows =
        (score == AttentionScore::dot ? 0 : N * S) + (score == AttentionScore::additive ? N * T : 0);
    return 2 * as_double(rows * H * H);
  }
  // With a GRU that reads [x; context or output], and the output's layer.
  double decoder_flops() const { return attention_flops() + 2 * as_double(N * T * (9 + 2) * H * H); }
};

// Weights, memory and inputs of one problem.
struct Data {
  explicit Data(const Problem& p)
      : p(p),
        lengths(static_cast<std::size_t>(p.N), p.T),
        memory_lengths(static_cast<std::size_t>(p.N), p.S),
        x(random_array(p.N * p.T * p.H)),
        memory(random_array(p.N * p.S * p.H)),
        weights(random_array(2 * p.H * p.H, 0.05f)),
        v(random_array(p.H)),
        attended(zeros(p.N * p.T * p.S)),
        output(zeros(p.N * p.T * p.H)),
        grad_x(zeros(p.N * p.T * p.H)),
        grad_memory(zeros(p.N * p.S * p.H)),
        grad_weights(zeros(2 * p.H * p.H)),
        grad_v(zeros(p.H)) {}

  unrolled::AttentionShape shape() const { return {p.N, p.T, p.S, lengths.data(), memory_lengths.data()}; }
  unrolled::AttentionWeights<float> attention() const {
    const bool additive = p.score == AttentionScore::additive;
    return {p.score,
            p.H,
            p.H,
            p.H,
            additive ? weights.data() : nullptr,
            p.score == AttentionScore::dot ? nullptr : weights.data() + p.H * p.H,
            additive ? v.data() : nullptr};
  }
  unrolled::AttentionGradients<float> gradients() const {
    return {grad_weights.data(), grad_weights.data() + p.H * p.H, grad_v.data()};
  }

  Problem p;
  std::vector<int64_t> lengths, memory_lengths;
  Array x, memory, weights, v, attended, output, grad_x, grad_memory, grad_weights, grad_v;
};

class Attending {
 public:
  explicit Attending(const Problem& p)
      : d_(p), tape_(zeros(unrolled::attention_tape_size(d_.shape(), d_.attention()))) {
    forward();
  }
  void forward() const {
    unrolled::attention<float>(d_.shape(), d_.attention(), d_.x.data(), d_.memory.data(), d_.output.data(),
                               d_.attended.data(), tape_.data());
  }
  void backward() const {
    unrolled::attention_backward<float>(d_.shape(), d_.attention(), d_.x.data(), d_.memory.data(),
                                        d_.attended.data(), tape_.data(), d_.output.data(), nullptr,
                                        d_.grad_x.data(), d_.grad_memory.data(), d_.gradients());
  }

 private:
  Data d_;
  Array tape_;
};

// One layer of a GRU.
class Decoding {
 public:
  Decoding(const Problem& p, AttentionFeeding feeding)
      : d_(p),
        feeding_(feeding),
        ih_(random_array(6 * p.H * p.H, 0.05f)),
        hh_(random_array(3 * p.H * p.H, 0.05f)),
        bias_(random_array(3 * p.H)),
        joined_(random_array(2 * p.H * p.H, 0.05f)),
        grads_(zeros(11 * p.H * p.H + 4 * p.H)),
        states_(zeros(4 * p.N * p.H)),
        layer_{ih_.data(), hh_.data(), bias_.data(), nullptr, nullptr, nullptr},
        tape_(zeros(unrolled::attention_decoder_tape_size(decoder()))) {
    forward();
  }
  void forward() const {
    unrolled::attention_decoder<float>(decoder(), d_.x.data(), d_.memory.data(), {}, d_.output.data(),
                                       d_.attended.data(), state(0), tape_.data());
  }
  void backward() const {
    float* grads = grads_.data();
    const int64_t H = d_.p.H;
    const unrolled::RecurrentGradients<float> layer = {grads,   grads + 6 * H * H, grads + 11 * H * H,
                                                       nullptr, nullptr,           nullptr};
    unrolled::attention_decoder_backward<float>(
        decoder(), {d_.x.data(), d_.memory.data(), d_.output.data(), d_.attended.data(), tape_.data(), {}},
        d_.output.data(), nullptr, {}, d_.grad_x.data(), d_.grad_memory.data(),
        {&layer, d_.gradients(), grads + 9 * H * H, grads + 11 * H * H + 3 * H}, state(2));
  }

 private:
  unrolled::AttentionDecoder<float> decoder() const {
    const Problem& p = d_.p;
    return {p.N,
            p.T,
            p.H,
            p.H,
            p.S,
            1,
            feeding_,
            d_.lengths.data(),
            d_.memory_lengths.data(),
            unrolled::kernels<float>().gru,
            &layer_,
            d_.attention(),
            joined_.data(),
            bias_.data(),
            nullptr};
  }
  // Two of the four states: h, and the output before where it is fed.
  unrolled::AttentionDecoderState<float> state(int64_t i) const {
    const int64_t size = d_.p.N * d_.p.H;
    const bool fed = feeding_ == AttentionFeeding::input;
    return {states_.data() + i * size, nullptr, fed ? states_.data() + (i + 1) * size : nullptr};
  }

  Data d_;
  AttentionFeeding feeding_;
  Array ih_, hh_, bias_, joined_, grads_, states_;
  unrolled::RecurrentWeights<float> layer_;
  Array tape_;
};

template <class Make>
void add(Cases& cases, const std::string& name, double flops, const Make& make) {
  cases.push_back(
      {name + " forward", {.flops = flops}, [=] { return [made = make()] { made->forward(); }; }});
  cases.push_back(
      {name + " backward", {.flops = 2 * flops}, [=] { return [made = make()] { made->backward(); }; }});
}

}  // namespace

void add_attention_cases(Cases& cases) {
  for (const AttentionScore score :
       {AttentionScore::dot, AttentionScore::general, AttentionScore::additive}) {
    for (const Problem& p : {Problem{score, 64, 20, 20, 256}, Problem{score, 8, 100, 200, 256}}) {
      add(cases, p.name("attention"), p.attention_flops(), [=] { return std::make_shared<Attending>(p); });
    }
    const Problem p = {score, 64, 20, 20, 256};
    add(cases, p.name("attention decoder, input,"), p.decoder_flops(),
        [=] { return std::make_shared<Decoding>(p, AttentionFeeding::input); });
    add(cases, p.name("attention decoder, context,"), p.decoder_flops(),
        [=] { return std::make_shared<Decoding>(p, AttentionFeeding::context); });
  }
}

}  // namespace unrolled_bench
