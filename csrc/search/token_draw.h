// Drawing a token by its probability.
#pragma once

#include <cstdint>
#include <vector>

#include "search/generation.h"
#include "search/token_candidates.h"

namespace unrolled::search {

class TokenDraw {
 public:
  explicit TokenDraw(const GenerationSettings& settings) : settings_(settings) {}

  // A token by scores (V), logits, which are overwritten and behind which there is room for a vector: of the
  // temperature, then of the best top_k, then of the fewest of these that have top_p of the probability;
  // uniform in [0, 1) picks among them, by probability falling where some were left out, else by id. -1 where
  // all scores are -inf.
  int32_t draw(float* scores, int64_t V, double uniform);

 private:
  void keep_best(const float* scores, int64_t V, int64_t count);
  void keep_nucleus(const float* probabilities, int64_t V);
  static int64_t pick(const float* probabilities, int64_t n, double uniform);

  const GenerationSettings& settings_;
  TokenCandidates candidates_;
  std::vector<int32_t> ids_;  // those that are kept, best first
  std::vector<float> kept_;   // their scores, or probabilities
};

}  // namespace unrolled::search
