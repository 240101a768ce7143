#include <cmath>
#include <limits>
#include <memory>

#include "case.h"
#include "ops/decode.h"
#include "ops/softmax.h"

namespace unrolled_bench {
namespace {

struct Problem {
  int64_t T, C, width;
  bool peaky;
  double min_logp = -std::numeric_limits<double>::infinity();
  int64_t top_k = 0;

  std::string name() const {
    return label(peaky ? "peaky" : "flat", " T", T, " C", C, " beam ", width,
                 std::isinf(min_logp) ? "" : ", cut", top_k > 0 ? label(", best ", top_k) : "");
  }
};

// Scores around 0 are flat; peaky ones have the blank, or now and then a symbol, far above the others.
Array emissions(const Problem& p) {
  Array scores = random_array(p.T * p.C, 1.7f), log_probs = zeros(p.T * p.C);
  std::minstd_rand engine(3);
  for (int64_t t = 0; p.peaky && t < p.T; ++t) {
    const bool symbol = engine() % 4 == 0;
    scores.data()[t * p.C + (symbol ? static_cast<int64_t>(engine()) % p.C : 0)] += 8.0f;
  }
  unrolled::softmax<float>(true, p.T, p.C, scores.data(), log_probs.data());
  return log_probs;
}

Call decode(const Problem& p) {
  return [p, log_probs = emissions(p), idle = std::make_shared<unrolled::IdleDecodeStreams>()] {
    const unrolled::search::BeamSettings settings{
        p.C, 0, p.width, p.top_k, p.min_logp, -std::numeric_limits<double>::infinity(), false};
    const unrolled::DecodeBatch<float> batch{1, p.T, &p.T, log_probs.data(), nullptr, 0, 0};
    unrolled::Interrupt interrupt;
    unrolled::decode(settings, nullptr, batch, 1, *idle, interrupt);
  };
}

}  // namespace

void add_decode_cases(Cases& cases) {
  std::vector<Problem> problems;
  for (const bool peaky : {true, false}) {
    for (const int64_t width : {10, 50, 100, 500}) {
      problems.push_back({500, 32, width, peaky});
      if (peaky) problems.push_back({500, 32, width, peaky, -5.0});
    }
  }
  problems.push_back({500, 5000, 100, true, -5.0, 40});
  problems.push_back({500, 5000, 100, false, -std::numeric_limits<double>::infinity(), 40});
  for (const Problem& p : problems) {
    const Work pairs{.items = as_double(p.T * p.C * p.width)};
    cases.push_back({"prefix beam search, pairs " + p.name(), pairs, [=] { return decode(p); }, true});
  }
}

}  // namespace unrolled_bench
