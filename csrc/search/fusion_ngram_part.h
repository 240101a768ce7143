// What parts of a fusion that ask n-gram models have in common.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "search/fusion_language.h"
#include "search/ngram.h"

namespace unrolled::search {

// What a prefix's complete units leave behind.
struct Context {
  NGramState state;
  double lm = 0;
  int64_t units = 0;
};

// The model with its weights.
struct WeightedNGram {
  std::shared_ptr<const NGram> model;
  LanguageWeights weights;

  // Scores one unit in a context, which moves on; returns what it adds.
  double add(WordId unit, Context& context) const {
    double log_probability = model->score(context.state, unit, context.state);
    if (unit == kUnknown) log_probability += weights.unknown;
    context.lm += log_probability;
    ++context.units;
    return weights.of(log_probability);
  }

  // </s> is no unit of the text.
  double add_end(Context& context) const {
    if (!weights.scores_end || model->end_word() == kUnknown) return 0;
    const double log_probability = model->score(context.state, model->end_word(), context.state);
    context.lm += log_probability;
    return log_probability == kForbidden ? kForbidden : weights.lm * log_probability;
  }

  double bound(int64_t units) const {
    const double most = model->upper_bound() + std::max(0.0, weights.unknown);
    return static_cast<double>(units) * std::max(0.0, weights.lm * most + weights.unit);
  }
};

class NGramPart : public FusionPart {
 public:
  explicit NGramPart(const WeightedNGram& ngram) : ngram_(ngram) {}

  void start() override {
    contexts_.assign(1, {});
    contexts_[0].state = ngram_.model->begin();
    context_of_.assign(1, 0);
  }

  void add_scores(uint32_t state, bool finished, FusionScores& scores) const override {
    Context context = contexts_[context_of_[state]];
    if (finished) end(state, context);
    scores.lm += context.lm;
    scores.units += context.units;
  }

  void add_ends(std::span<const uint32_t> states, double* log_weights) override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (log_weights[i] == kForbidden) continue;
      Context context = contexts_[context_of_[states[i]]];
      log_weights[i] += end(states[i], context);
    }
  }

  void retain(std::span<const uint32_t> kept) override {
    keep(context_of_, kept);
    std::vector<uint32_t> used(context_of_);
    std::sort(used.begin(), used.end());
    used.erase(std::unique(used.begin(), used.end()), used.end());
    for (uint32_t& context : context_of_) {
      context = static_cast<uint32_t>(std::lower_bound(used.begin(), used.end(), context) - used.begin());
    }
    keep(contexts_, used);
  }

 protected:
  // Scores what is left at the end of a text.
  virtual double end(uint32_t state, Context& context) const = 0;

  const Context& context(uint32_t state) const { return contexts_[context_of_[state]]; }
  void push_same(uint32_t parent) { context_of_.push_back(context_of_[parent]); }
  void push(const Context& context) {
    context_of_.push_back(static_cast<uint32_t>(contexts_.size()));
    contexts_.push_back(context);
  }

  const WeightedNGram& ngram_;

 private:
  std::vector<Context> contexts_;
  std::vector<uint32_t> context_of_;  // of each state
};

}  // namespace unrolled::search
