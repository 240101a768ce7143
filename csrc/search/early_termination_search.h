// Beam search that ends as soon as the most probable hypotheses of all have ended.
#pragma once

#include <cstdint>
#include <vector>

#include "search/item_search.h"
#include "search/token_candidates.h"

namespace unrolled::search {

// Open and ended hypotheses are in one beam, exactly num_beams of them by probability, in the order of
// TokenCandidate, in which one that has ended stands for itself, at its place. Going on never makes one more
// probable, so none comes before those that lead the beam when they have ended.
class EarlyTerminationSearch final : public ItemSearch {
 public:
  EarlyTerminationSearch(const GenerationSettings& settings, const GenerationInputs& inputs, int64_t item,
                         int64_t V)
      : ItemSearch(settings, inputs, item, V) {}

 private:
  // A hypothesis of the beam; it is open where it has a row.
  struct Member {
    int32_t node, row;
  };

  void advance(const StepScores& scores) override;
  void close() override;
  std::vector<Ranked> ranked() const override;

  bool is_over() const;

  TokenCandidates candidates_;
  std::vector<Member> beam_, next_beam_;
};

}  // namespace unrolled::search
