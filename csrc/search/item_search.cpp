#include "search/item_search.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "dispatch.h"
#include "search/early_termination_search.h"
#include "search/n_best_search.h"
#include "search/single_search.h"

namespace unrolled::search {

ItemSearch::ItemSearch(const GenerationSettings& settings, const GenerationInputs& inputs, int64_t item,
                       int64_t V)
    : settings_(settings),
      inputs_(inputs),
      item_(item),
      V_(V),
      rules_(settings, inputs, item, V),
      reading_(inputs.prompt_offsets[item] + inputs.read[item]) {
  nodes_.push_back({-1, -1, -1, 0, 0});
  rows_.push_back({0, inputs.prompts[reading_], -1});
}

void ItemSearch::take(const StepScores& scores) {
  if (read_on()) return;
  look(scores);
  const int64_t prefix = inputs_.prefix_offsets[item_];
  if (prefix + place_ < inputs_.prefix_offsets[item_ + 1]) {
    force(inputs_.prefixes[prefix + place_], scores);
  } else {
    advance(scores);
  }
  looks_ += static_cast<int64_t>(rows_.size());
  rows_.swap(next_);
  next_.clear();
  if (++place_ < settings_.max_new_tokens) return;
  close();
  rows_.clear();
}

// Whether there was another token of the prompt to read.
bool ItemSearch::read_on() {
  const int64_t end = inputs_.prompt_offsets[item_ + 1];
  if (reading_ < end) ++reading_;
  if (reading_ == end) return false;
  rows_.assign(1, {0, inputs_.prompts[reading_], 0});
  return true;
}

void ItemSearch::look(const StepScores& scores) {
  const auto rows = static_cast<int64_t>(rows_.size());
  const auto log_softmax = kernels<float>().softmax.log_softmax_forward;
  for (int64_t r = 0; r < rows; ++r) {
    log_softmax(V_, scores.logits + r * V_, scores.log_probs + r * V_);
    if (std::isnan(scores.log_probs[r * V_])) {  // as all are if one is
      complain("the model's scores are NaN or infinite, or all -inf");
    }
  }
  if (scores.attention) {
    attention_.insert(attention_.end(), scores.attention, scores.attention + rows * scores.S);
  }
}

void ItemSearch::force(int32_t token, const StepScores& scores) {
  const float log_prob = scores.log_probs[token];
  if (std::isinf(log_prob)) complain("the model gives the token of forced_prefix the probability 0");
  go_on(extend(0, token, log_prob, total(rows_[0].node) + static_cast<double>(log_prob)), 0);
}

int32_t ItemSearch::extend(int64_t row, int32_t token, float log_prob, double total) {
  nodes_.push_back({rows_[index(row)].node, token, static_cast<int32_t>(looks_ + row), log_prob, total});
  return static_cast<int32_t>(nodes_.size() - 1);
}

void ItemSearch::apply_rules(int64_t row, float* scores) {
  if (settings_.reads_history()) {
    history_.assign(inputs_.prompts + inputs_.prompt_offsets[item_],
                    inputs_.prompts + inputs_.prompt_offsets[item_ + 1]);
    const std::vector<int32_t> way = way_to(rows_[index(row)].node);
    for (const int32_t node : way) history_.push_back(token(node));
  }
  rules_.apply(place_, history_, scores);
}

float* ItemSearch::ruled(int64_t row, const StepScores& scores) {
  float* log_probs = scores.log_probs + row * V_;
  float* changed = log_probs;
  if (settings_.repetition_penalty != 1) {  // the other rules only rule out
    changed = scores.ruled + row * V_;
    std::copy_n(log_probs, V_, changed);
  }
  apply_rules(row, changed);
  return changed;
}

double ItemSearch::score(double total, int64_t length) const {
  if (settings_.length_penalty == 0) return total;
  return total / std::pow(static_cast<double>(length), settings_.length_penalty);
}

void ItemSearch::complain(const std::string& what) const {
  throw std::invalid_argument("item " + std::to_string(item_) + ", place " + std::to_string(place_) + ": " +
                              what);
}

void ItemSearch::complain_of_nothing() const {
  complain(
      "no token may be written here: the model, allowed, no_repeat_ngram_size and min_new_tokens rule out "
      "all");
}

// The nodes behind the root.
std::vector<int32_t> ItemSearch::way_to(int32_t node) const {
  std::vector<int32_t> way;
  for (; node > 0; node = nodes_[index(node)].parent) way.push_back(node);
  std::reverse(way.begin(), way.end());
  return way;
}

WrittenSequence ItemSearch::sequence(const Ranked& ranked, int64_t S) const {
  WrittenSequence written{{}, {}, {}, ranked.score, has_ended(ranked.node), ranked.node};
  for (const int32_t node : way_to(ranked.node)) {
    const TokenNode& n = nodes_[index(node)];
    written.tokens.push_back(n.token);
    written.log_probs.push_back(n.log_prob);
    if (attention_.empty()) continue;
    const float* weights = attention_.data() + n.row * S;
    written.attention.insert(written.attention.end(), weights, weights + S);
  }
  return written;
}

WrittenItem ItemSearch::written(int64_t S) const {
  WrittenItem item;
  for (const Ranked& one : ranked()) item.sequences.push_back(sequence(one, S));
  if (settings_.keep_beams) item.tree = nodes_;
  return item;
}

std::unique_ptr<ItemSearch> make_item_search(const GenerationSettings& settings,
                                             const GenerationInputs& inputs, int64_t item, int64_t V) {
  if (settings.num_beams == 1) return std::make_unique<SingleSearch>(settings, inputs, item, V);
  if (!settings.early_termination) return std::make_unique<NBestSearch>(settings, inputs, item, V);
  return std::make_unique<EarlyTerminationSearch>(settings, inputs, item, V);
}

}  // namespace unrolled::search
