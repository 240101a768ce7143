#include "search/early_termination_search.h"

#include <algorithm>

namespace unrolled::search {

void EarlyTerminationSearch::advance(const StepScores& scores) {
  if (beam_.empty()) beam_.push_back({rows()[0].node, 0});
  candidates_.reset(settings_.num_beams);
  for (int32_t place = 0; place < static_cast<int32_t>(beam_.size()); ++place) {
    const Member& member = beam_[index(place)];
    if (member.row < 0) {
      candidates_.offer({total(member.node), place, -1});
    } else {
      candidates_.offer_row(total(member.node), place, ruled(member.row, scores), V_);
    }
  }
  next_beam_.clear();
  int32_t open = 0;
  for (const TokenCandidate& c : candidates_.sorted()) {
    const Member& from = beam_[index(c.place)];
    if (c.token < 0) {
      next_beam_.push_back(from);
      continue;
    }
    const int32_t node = extend(from.row, c.token, scores.log_probs[from.row * V_ + c.token], c.total);
    const bool goes_on = !has_ended(node);
    if (goes_on) go_on(node, from.row);
    next_beam_.push_back({node, goes_on ? open++ : -1});
  }
  beam_.swap(next_beam_);
  if (beam_.empty()) complain_of_nothing();
  if (is_over()) drop_open();
}

bool EarlyTerminationSearch::is_over() const {
  const auto count = std::min(beam_.size(), index(settings_.num_return_sequences));
  return std::all_of(beam_.begin(), beam_.begin() + static_cast<std::ptrdiff_t>(count),
                     [](const Member& member) { return member.row < 0; });
}

void EarlyTerminationSearch::close() {
  if (beam_.empty()) beam_.push_back({rows()[0].node, 0});
}

std::vector<ItemSearch::Ranked> EarlyTerminationSearch::ranked() const {
  std::vector<Ranked> best;
  const auto count = std::min(beam_.size(), index(settings_.num_return_sequences));
  for (std::size_t k = 0; k < count; ++k) best.push_back({total(beam_[k].node), beam_[k].node});
  return best;
}

}  // namespace unrolled::search
