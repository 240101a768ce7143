// Without a beam: the likeliest token each time, or drawn ones.
#pragma once

#include <cstdint>
#include <vector>

#include "search/item_search.h"
#include "search/token_draw.h"

namespace unrolled::search {

class SingleSearch final : public ItemSearch {
 public:
  SingleSearch(const GenerationSettings& settings, const GenerationInputs& inputs, int64_t item, int64_t V)
      : ItemSearch(settings, inputs, item, V), draw_(settings) {}

 private:
  void advance(const StepScores& scores) override;
  void close() override;
  std::vector<Ranked> ranked() const override;

  void begin(const StepScores& scores);
  void write(int64_t row, int64_t sequence, float* logits, const float* log_probs);

  TokenDraw draw_;
  std::vector<int32_t> ends_;  // the last node of each sequence; none before they part
  std::vector<int64_t> open_;  // the sequence of each row
  std::vector<int64_t> still_open_;
  std::vector<float> logits_;
};

}  // namespace unrolled::search
