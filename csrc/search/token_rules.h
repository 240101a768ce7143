// What may come next, and what is less welcome: rules that change a row of scores before a token is picked.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/generation.h"

namespace unrolled::search {

// The rules of one item. Scores are logits, or logarithms of probabilities.
class TokenRules {
 public:
  TokenRules(const GenerationSettings& settings, const GenerationInputs& inputs, int64_t item, int64_t V)
      : settings_(settings), inputs_(inputs), item_(item), V_(V) {}

  // Scores (V) of the token at `place`, counted from the first that is written; history: all before it, the
  // prompt included, read only where the settings say so. In this order: repetition, n-grams, the mask, the
  // least length.
  void apply(int64_t place, std::span<const int32_t> history, float* scores);

 private:
  void penalise(std::span<const int32_t> history, float* scores);
  void ban_ngrams(std::span<const int32_t> history, float* scores) const;
  void mask(int64_t place, float* scores) const;

  const GenerationSettings& settings_;
  const GenerationInputs& inputs_;
  int64_t item_, V_;
  std::vector<bool> is_seen_;
};

}  // namespace unrolled::search
