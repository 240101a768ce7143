#include "search/fusion_model.h"

#include <algorithm>
#include <unordered_map>

#include "search/fusion_units.h"

namespace unrolled::search {
namespace {

class ModelSource final : public FusionSource {
 public:
  ModelSource(std::unique_ptr<const UnitSplitter> splitter, std::shared_ptr<const UnitModelSource> model,
              LanguageWeights weights)
      : splitter_(std::move(splitter)), model_(std::move(model)), weights_(weights) {}

  std::unique_ptr<FusionPart> part(const PrefixTokens& prefixes) const override;
  double upper_bound(int32_t token) const override {
    const double one = weights_.lm > 0 ? weights_.lm * model_->upper_bound() : 0;
    return static_cast<double>(splitter_->most_units(token)) * std::max(0.0, one + weights_.unit);
  }
  bool weighs(int32_t token) const override { return splitter_->most_units(token) > 0; }
  bool needs_python() const override { return model_->needs_python(); }

  const UnitSplitter& splitter() const { return *splitter_; }
  const UnitModelSource& model() const { return *model_; }
  const LanguageWeights& weights() const { return weights_; }

 private:
  std::unique_ptr<const UnitSplitter> splitter_;
  std::shared_ptr<const UnitModelSource> model_;
  LanguageWeights weights_;
};

// Some units in a row, and what the model says of them.
struct Step {
  uint32_t state;  // the model's, after those that are scored
  double lm, added;
  std::vector<std::string> units;
};

class ModelPart final : public FusionPart {
 public:
  ModelPart(const ModelSource& source, const PrefixTokens& prefixes)
      : weights_(source.weights()),
        units_(source.splitter().reader(prefixes)),
        model_(source.model().run()) {}

  void start() override { contexts_.assign(1, {model_->start(), 0, 0}); }

  void add_weights(std::span<const uint32_t> states, std::span<const int32_t> tokens,
                   double* log_weights) override {
    std::vector<Step> steps;
    std::vector<uint64_t> keys;
    for (std::size_t i = 0; i < states.size(); ++i) {
      const int32_t key = units_->key(states[i], tokens[i]);
      if (key == UnitReader::kNothing || log_weights[i] == kForbidden) continue;
      const uint64_t pair = pair_of(states[i], key);
      if (!known_.try_emplace(pair).second) continue;
      keys.push_back(pair);
      steps.push_back(begin(states[i]));
      units_->read(states[i], tokens[i], steps.back().units);
    }
    try {
      score(steps);
    } catch (...) {
      for (const uint64_t key : keys) known_.erase(key);
      throw;
    }
    for (std::size_t k = 0; k < keys.size(); ++k) known_[keys[k]] = outcome(steps[k]);
    for (std::size_t i = 0; i < states.size(); ++i) {
      const int32_t key = units_->key(states[i], tokens[i]);
      if (key == UnitReader::kNothing || log_weights[i] == kForbidden) continue;
      log_weights[i] += known_[pair_of(states[i], key)].added;
    }
  }

  void advance(uint32_t parent, int32_t token) override {
    const int32_t key = units_->key(parent, token);
    if (key == UnitReader::kNothing) return contexts_.push_back(contexts_[parent]);
    double ignored = 0;
    if (!known_.contains(pair_of(parent, key))) add_weights({&parent, 1}, {&token, 1}, &ignored);
    const Outcome& known = known_[pair_of(parent, key)];
    const Context& before = contexts_[parent];
    contexts_.push_back({known.state, before.lm + known.lm, before.units + known.units});
  }

  void add_ends(std::span<const uint32_t> states, double* log_weights) override {
    std::vector<Step> steps = end(states);
    for (std::size_t i = 0; i < states.size(); ++i) log_weights[i] += steps[i].added;
  }

  void add_scores(uint32_t state, bool finished, FusionScores& scores) const override {
    const Context& context = contexts_[state];
    scores.lm += context.lm;
    scores.units += context.units;
    if (!finished) return;
    const std::vector<Step> steps = end({&state, 1});
    scores.lm += steps[0].lm;
    scores.units += static_cast<int64_t>(steps[0].units.size());
  }

  void retain(std::span<const uint32_t> kept) override {
    forget_pairs(kept);
    keep(contexts_, kept);
    std::vector<uint32_t> used;
    for (const Context& context : contexts_) used.push_back(context.state);
    for (const auto& [pair, outcome] : known_) used.push_back(outcome.state);
    std::sort(used.begin(), used.end());
    used.erase(std::unique(used.begin(), used.end()), used.end());
    const auto rename = [&](uint32_t& state) {
      state = static_cast<uint32_t>(std::lower_bound(used.begin(), used.end(), state) - used.begin());
    };
    for (Context& context : contexts_) rename(context.state);
    for (auto& [pair, outcome] : known_) rename(outcome.state);
    model_->retain(used);
  }

 private:
  struct Context {
    uint32_t state;  // the model's
    double lm;
    int64_t units;
  };
  struct Outcome {
    uint32_t state = 0;
    double lm = 0, added = 0;
    int64_t units = 0;
  };

  static uint64_t pair_of(uint32_t state, int32_t key) {
    return uint64_t{state} << 32 | static_cast<uint32_t>(key);
  }
  static Outcome outcome(const Step& step) {
    return {step.state, step.lm, step.added, static_cast<int64_t>(step.units.size())};
  }
  Step begin(uint32_t state) const { return {contexts_[state].state, 0, 0, {}}; }

  // One call of the model for the first units of all, one for the second, ...
  void score(std::vector<Step>& steps) const {
    std::vector<UnitQuery> queries;
    std::vector<Step*> asking;
    for (std::size_t turn = 0;; ++turn) {
      queries.clear(), asking.clear();
      for (Step& step : steps) {
        if (turn >= step.units.size() || step.added == kForbidden) continue;
        queries.push_back({step.state, step.units[turn]});
        asking.push_back(&step);
      }
      if (queries.empty()) return;
      model_->score(queries);
      for (std::size_t i = 0; i < queries.size(); ++i) {
        asking[i]->state = queries[i].next;
        asking[i]->lm += queries[i].log_probability;
        asking[i]->added += weights_.of(queries[i].log_probability);
      }
    }
  }

  // The last word and the end of the text, of each prefix.
  std::vector<Step> end(std::span<const uint32_t> states) const {
    std::vector<Step> steps;
    for (const uint32_t state : states) {
      steps.push_back(begin(state));
      units_->read_end(state, steps.back().units);
    }
    score(steps);
    if (!weights_.scores_end || steps.empty()) return steps;
    std::vector<uint32_t> last;
    for (const Step& step : steps) last.push_back(step.state);
    const std::vector<double> ends = model_->finish(last);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      steps[i].lm += ends[i];
      steps[i].added += ends[i] == kForbidden ? kForbidden : weights_.lm * ends[i];
    }
    return steps;
  }

  void forget_pairs(std::span<const uint32_t> kept) {
    std::unordered_map<uint64_t, Outcome> left;
    for (const auto& [pair, outcome] : known_) {
      const auto place = std::lower_bound(kept.begin(), kept.end(), static_cast<uint32_t>(pair >> 32));
      if (place == kept.end() || *place != pair >> 32) continue;
      left.emplace(uint64_t(place - kept.begin()) << 32 | (pair & UINT32_MAX), outcome);
    }
    known_.swap(left);
  }

  const LanguageWeights& weights_;
  std::unique_ptr<UnitReader> units_;
  std::unique_ptr<UnitModel> model_;
  std::vector<Context> contexts_;                // of each state
  std::unordered_map<uint64_t, Outcome> known_;  // what pairs of a state and a key complete
};

std::unique_ptr<FusionPart> ModelSource::part(const PrefixTokens& prefixes) const {
  return std::make_unique<ModelPart>(*this, prefixes);
}

}  // namespace

std::shared_ptr<FusionSource> make_word_model(FusionLabels labels,
                                              std::shared_ptr<const UnitModelSource> model,
                                              LanguageWeights weights) {
  return std::make_shared<ModelSource>(split_words(std::move(labels)), std::move(model), weights);
}

std::shared_ptr<FusionSource> make_label_model(LabelUnits units, std::shared_ptr<const UnitModelSource> model,
                                               LanguageWeights weights) {
  return std::make_shared<ModelSource>(split_labels(std::move(units)), std::move(model), weights);
}

}  // namespace unrolled::search
