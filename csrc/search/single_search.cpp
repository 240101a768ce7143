#include "search/single_search.h"

#include <cmath>

#include "search/philox.h"
#include "search/token_candidates.h"

namespace unrolled::search {

void SingleSearch::advance(const StepScores& scores) {
  still_open_.clear();
  if (ends_.empty()) {
    begin(scores);
  } else {
    for (int64_t r = 0; r < static_cast<int64_t>(rows().size()); ++r) {
      apply_rules(r, scores.logits + r * V_);
      write(r, open_[index(r)], scores.logits + r * V_, scores.log_probs + r * V_);
    }
  }
  open_.swap(still_open_);
}

// All sequences come from one row; a draw uses its scores up.
void SingleSearch::begin(const StepScores& scores) {
  const int64_t count = settings_.num_return_sequences;
  ends_.assign(index(count), 0);
  apply_rules(0, scores.logits);
  if (count > 1) logits_.assign(scores.logits, scores.logits + V_);
  for (int64_t s = 0; s < count; ++s) {
    if (s > 0) std::copy(logits_.begin(), logits_.end(), scores.logits);
    write(0, s, scores.logits, scores.log_probs);
  }
}

void SingleSearch::write(int64_t row, int64_t sequence, float* logits, const float* log_probs) {
  int32_t token;
  if (settings_.do_sample) {
    const PhiloxCounter counter{static_cast<uint64_t>(place_), static_cast<uint64_t>(sequence),
                                static_cast<uint64_t>(inputs_.first_item + item_), 0};
    token = draw_.draw(logits, V_, philox_uniform(counter, {settings_.seed, 0}));
  } else {
    token = best_token(logits, V_);
  }
  if (token < 0) complain_of_nothing();
  const double before = total(rows()[index(row)].node);
  const int32_t node = extend(row, token, log_probs[token], before + static_cast<double>(log_probs[token]));
  ends_[index(sequence)] = node;
  if (has_ended(node)) return;
  go_on(node, static_cast<int32_t>(row));
  still_open_.push_back(sequence);
}

void SingleSearch::close() {
  if (ends_.empty()) ends_.assign(index(settings_.num_return_sequences), rows()[0].node);
}

std::vector<ItemSearch::Ranked> SingleSearch::ranked() const {
  std::vector<Ranked> sequences;
  for (const int32_t node : ends_) sequences.push_back({score(total(node), depth(node)), node});
  return sequences;
}

}  // namespace unrolled::search
