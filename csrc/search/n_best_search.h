// Beam search that collects hypotheses that have ended beside those that are open.
#pragma once

#include <cstdint>
#include <vector>

#include "search/item_search.h"
#include "search/token_candidates.h"

namespace unrolled::search {

// Each step leads every open hypothesis on with every token and keeps the best num_beams that are open, in
// the order of TokenCandidate. A hypothesis ends where its <eos> is among the best num_beams of all
// candidates, open or not; the best num_beams of those that have ended are kept by score, of equals the one
// that ended first.
class NBestSearch final : public ItemSearch {
 public:
  NBestSearch(const GenerationSettings& settings, const GenerationInputs& inputs, int64_t item, int64_t V)
      : ItemSearch(settings, inputs, item, V) {}

 private:
  void advance(const StepScores& scores) override;
  void close() override;
  std::vector<Ranked> ranked() const override;

  void find_candidates(const StepScores& scores);
  void keep(const std::vector<TokenCandidate>& open, const StepScores& scores);
  void end(int32_t node, int64_t length);
  bool is_over(double best_total) const;

  TokenCandidates open_;
  std::vector<TokenCandidate> eos_;  // of each row that may end
  std::vector<float> eos_log_probs_;
  std::vector<Ranked> ended_;
};

}  // namespace unrolled::search
