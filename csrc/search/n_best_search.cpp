#include "search/n_best_search.h"

#include <algorithm>
#include <limits>

namespace unrolled::search {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

}  // namespace

void NBestSearch::advance(const StepScores& scores) {
  find_candidates(scores);
  const std::vector<TokenCandidate>& open = open_.sorted();
  keep(open, scores);
  if (open.empty() && ended_.empty()) complain_of_nothing();
  // At the last place those that are open are cut off, and compete.
  const bool is_last = place_ + 1 == settings_.max_new_tokens;
  if (!open.empty() && !is_last && is_over(open.front().total)) drop_open();
}

void NBestSearch::find_candidates(const StepScores& scores) {
  const int32_t eos = settings_.eos;
  open_.reset(settings_.num_beams);
  eos_.clear();
  for (int32_t r = 0; r < static_cast<int32_t>(rows().size()); ++r) {
    float* row = ruled(r, scores);
    const double before = total(rows()[index(r)].node);
    if (eos >= 0) {
      if (row[eos] > kNever) eos_.push_back({before + static_cast<double>(row[eos]), r, eos});
      eos_log_probs_.resize(std::max(eos_log_probs_.size(), index(r) + 1));
      eos_log_probs_[index(r)] = scores.log_probs[r * V_ + eos];
      row[eos] = kNever;  // not among the open ones
    }
    open_.offer_row(before, r, row, V_);
  }
  std::sort(eos_.begin(), eos_.end());
}

// Goes through all candidates in order; those that are open go on whatever their rank.
void NBestSearch::keep(const std::vector<TokenCandidate>& open, const StepScores& scores) {
  std::size_t ends = 0;
  const auto is_next = [&](const TokenCandidate& candidate) {
    return ends < eos_.size() && eos_[ends] < candidate;
  };
  const auto width = index(settings_.num_beams);
  const auto end_next = [&] {
    const TokenCandidate& c = eos_[ends++];
    end(extend(c.place, c.token, eos_log_probs_[index(c.place)], c.total), place_ + 1);
  };
  for (std::size_t k = 0; k < open.size(); ++k) {
    while (k + ends < width && is_next(open[k])) end_next();
    const TokenCandidate& c = open[k];
    go_on(extend(c.place, c.token, scores.log_probs[c.place * V_ + c.token], c.total), c.place);
  }
  while (open.size() + ends < width && ends < eos_.size()) end_next();
}

void NBestSearch::end(int32_t node, int64_t length) {
  const Ranked ranked{score(total(node), length), node};
  const auto behind = [](double s, const Ranked& other) { return s > other.score; };
  ended_.insert(std::upper_bound(ended_.begin(), ended_.end(), ranked.score, behind), ranked);
  if (ended_.size() > index(settings_.num_beams)) ended_.pop_back();
}

// Totals only fall: a sequence that goes on from the best open one cannot have a higher one. What its score
// can be at most depends on the length, at which it is divided by the largest number, since it is negative.
bool NBestSearch::is_over(double best_total) const {
  const bool never = settings_.early_stopping == EarlyStopping::kNever;
  const auto needed = index(never ? settings_.num_return_sequences : settings_.num_beams);
  if (ended_.size() < needed) return false;
  if (settings_.early_stopping == EarlyStopping::kFirst) return true;
  const int64_t written = place_ + 1;
  int64_t length = written;  // as if it ended now
  if (never) {
    const int64_t least = std::max(written + 1, settings_.min_new_tokens + 1);
    length =
        settings_.length_penalty > 0 ? settings_.max_new_tokens : std::min(least, settings_.max_new_tokens);
  }
  return ended_[needed - 1].score >= score(best_total, length);
}

void NBestSearch::close() {
  for (const OpenRow& row : rows()) end(row.node, place_);
}

std::vector<ItemSearch::Ranked> NBestSearch::ranked() const {
  const std::size_t count = std::min(ended_.size(), index(settings_.num_return_sequences));
  return {ended_.begin(), ended_.begin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace unrolled::search
