#include "search/token_rules.h"

#include <algorithm>
#include <limits>

namespace unrolled::search {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

}  // namespace

void TokenRules::apply(int64_t place, std::span<const int32_t> history, float* scores) {
  if (settings_.repetition_penalty != 1) penalise(history, scores);
  if (settings_.no_repeat_ngram_size > 0) ban_ngrams(history, scores);
  if (inputs_.allowed) mask(place, scores);
  if (settings_.eos >= 0 && place < settings_.min_new_tokens) scores[settings_.eos] = kNever;
}

// Keskar et al. 2019, "CTRL: a conditional transformer language model for controllable generation", section
// 4.1, with negative scores multiplied so that a penalty above 1 always lowers them. Once for each token.
void TokenRules::penalise(std::span<const int32_t> history, float* scores) {
  const auto penalty = static_cast<float>(settings_.repetition_penalty);
  is_seen_.resize(static_cast<std::size_t>(V_));
  for (const int32_t token : history) {
    const auto t = static_cast<std::size_t>(token);
    if (is_seen_[t]) continue;
    is_seen_[t] = true;
    scores[t] = scores[t] < 0 ? scores[t] * penalty : scores[t] / penalty;
  }
  for (const int32_t token : history) is_seen_[static_cast<std::size_t>(token)] = false;
}

// Paulus, Xiong, Socher 2018, "A deep reinforced model for abstractive summarization", section 2.5.
void TokenRules::ban_ngrams(std::span<const int32_t> history, float* scores) const {
  const auto begins = static_cast<std::size_t>(settings_.no_repeat_ngram_size - 1);  // tokens before the last
  if (history.size() < begins + 1) return;
  const std::span<const int32_t> last = history.last(begins);
  for (std::size_t i = 0; i + begins < history.size(); ++i) {
    if (std::equal(last.begin(), last.end(), history.begin() + static_cast<std::ptrdiff_t>(i)))
      scores[history[i + begins]] = kNever;
  }
}

void TokenRules::mask(int64_t place, float* scores) const {
  const bool* allowed =
      inputs_.allowed + item_ * inputs_.allowed_item_stride + place * inputs_.allowed_place_stride;
  for (int64_t v = 0; v < V_; ++v) scores[v] = allowed[v] ? scores[v] : kNever;
}

}  // namespace unrolled::search
