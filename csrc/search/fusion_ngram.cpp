#include "search/fusion_ngram.h"

#include <algorithm>
#include <cmath>

#include "search/fusion_words.h"

namespace unrolled::search {
namespace {

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

class WordNGram final : public FusionSource {
 public:
  WordNGram(FusionLabels labels, WeightedNGram ngram) : labels_(std::move(labels)), ngram_(std::move(ngram)) {
    for (int32_t c = 0; c < labels_.classes(); ++c) edges_.push_back(WordReader::edge(labels_, c));
    const NGram& model = *ngram_.model;
    for (int64_t id = 0; id < model.words(); ++id)
      longest_ = std::max(longest_, model.word(static_cast<WordId>(id)).size());
  }

  std::unique_ptr<FusionPart> part(const PrefixTokens& prefixes) const override;
  double upper_bound(int32_t token) const override {
    switch (edge(token)) {
      case WordEdge::kInside:
        return 0;
      case WordEdge::kAfter:
        return ngram_.bound(1);
      default:
        return ngram_.bound(2);
    }
  }
  bool weighs(int32_t token) const override { return edge(token) != WordEdge::kInside; }

  WordEdge edge(int32_t token) const { return edges_[static_cast<std::size_t>(token)]; }
  const FusionLabels& labels() const { return labels_; }
  const WeightedNGram& ngram() const { return ngram_; }
  std::size_t longest() const { return longest_; }  // of the words that the model knows

 private:
  FusionLabels labels_;
  WeightedNGram ngram_;
  std::vector<WordEdge> edges_;
  std::size_t longest_ = 0;
};

class WordNGramPart final : public NGramPart {
 public:
  WordNGramPart(const WordNGram& source, const PrefixTokens& prefixes)
      : NGramPart(source.ngram()), source_(source), words_(source.labels(), prefixes) {}

  void start() override {
    NGramPart::start();
    endings_.assign(1, kNotYet);
    lengths_.assign(1, 0);
  }

  void add_weights(std::span<const uint32_t> states, std::span<const int32_t> tokens,
                   double* log_weights) override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      const WordEdge edge = source_.edge(tokens[i]);
      if (edge == WordEdge::kInside || log_weights[i] == kForbidden) continue;
      if (edge == WordEdge::kAfter) {
        double& ending = endings_[states[i]];
        if (std::isnan(ending)) ending = weigh(states[i], tokens[i]);
        log_weights[i] += ending;
      } else {
        log_weights[i] += weigh(states[i], tokens[i]);
      }
    }
  }

  void advance(uint32_t parent, int32_t token) override {
    endings_.push_back(kNotYet);
    lengths_.push_back(length_after(parent, token));
    if (source_.edge(token) == WordEdge::kInside) return push_same(parent);
    Context next = context(parent);
    const int64_t units = next.units;
    step(parent, token, next);
    if (next.units == units) return push_same(parent);
    push(next);
  }

  void retain(std::span<const uint32_t> kept) override {
    NGramPart::retain(kept);
    keep(endings_, kept);
    keep(lengths_, kept);
  }

 protected:
  double end(uint32_t state, Context& context) const override {
    const double added = lengths_[state] > 0 ? ngram_.add(find_with(state, ""), context) : 0;
    return added + ngram_.add_end(context);
  }

 private:
  static constexpr double kNotYet = std::numeric_limits<double>::quiet_NaN();

  double weigh(uint32_t state, int32_t token) const {
    Context next = context(state);
    return step(state, token, next);
  }

  double step(uint32_t state, int32_t token, Context& next) const {
    const FusionLabels& labels = source_.labels();
    const std::string& text = labels.texts[static_cast<std::size_t>(token)];
    const bool begins = labels.starts_word[static_cast<std::size_t>(token)];
    double added = 0;
    if ((begins || text.empty()) && lengths_[state] > 0) added += ngram_.add(find_with(state, ""), next);
    if (source_.edge(token) == WordEdge::kWithin)
      added += ngram_.add(begins ? ngram_.model->find(text) : find_with(state, text), next);
    return added;
  }

  // The unfinished word with a text behind it. What is longer than all words is not read at all.
  WordId find_with(uint32_t state, const std::string& text) const {
    if (lengths_[state] + text.size() > source_.longest()) return kUnknown;
    words_.read(state, word_);
    return ngram_.model->find(word_ += text);
  }

  std::size_t length_after(uint32_t parent, int32_t token) const {
    const FusionLabels& labels = source_.labels();
    const auto c = static_cast<std::size_t>(token);
    if (labels.ends_word[c]) return 0;
    return labels.texts[c].size() + (labels.starts_word[c] ? 0 : lengths_[parent]);
  }

  const WordNGram& source_;
  mutable WordReader words_;
  mutable std::string word_;
  std::vector<double> endings_;       // what the end of a state's last word adds
  std::vector<std::size_t> lengths_;  // of the unfinished words
};

class LabelNGram final : public FusionSource {
 public:
  LabelNGram(const LabelUnits& units, WeightedNGram ngram)
      : leading_space_(units.leading_space), ngram_(std::move(ngram)) {
    for (const auto& of_class : units.units) {
      for (const std::string& unit : of_class)
        words_.values.push_back(static_cast<int32_t>(ngram_.model->find(unit)));
      words_.offsets.push_back(static_cast<int64_t>(words_.values.size()));
    }
  }

  std::unique_ptr<FusionPart> part(const PrefixTokens& prefixes) const override;
  double upper_bound(int32_t token) const override {
    return ngram_.bound(static_cast<int64_t>(words_[token].size()));
  }
  bool weighs(int32_t token) const override { return !words_[token].empty(); }

  std::span<const int32_t> words(uint32_t state, int32_t token) const {
    const bool leaves_space = state == 0 && leading_space_[static_cast<std::size_t>(token)];
    return words_[token].subspan(leaves_space ? 1 : 0);
  }
  const WeightedNGram& ngram() const { return ngram_; }

 private:
  std::vector<uint8_t> leading_space_;
  WeightedNGram ngram_;
  Sequences words_;
};

class LabelNGramPart final : public NGramPart {
 public:
  explicit LabelNGramPart(const LabelNGram& source) : NGramPart(source.ngram()), source_(source) {}

  void add_weights(std::span<const uint32_t> states, std::span<const int32_t> tokens,
                   double* log_weights) override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (log_weights[i] == kForbidden) continue;
      Context next = context(states[i]);
      log_weights[i] += step(states[i], tokens[i], next);
    }
  }

  void advance(uint32_t parent, int32_t token) override {
    if (source_.words(parent, token).empty()) return push_same(parent);
    Context next = context(parent);
    step(parent, token, next);
    push(next);
  }

 protected:
  double end(uint32_t, Context& context) const override { return ngram_.add_end(context); }

 private:
  double step(uint32_t state, int32_t token, Context& next) const {
    double added = 0;
    for (const int32_t word : source_.words(state, token))
      added += ngram_.add(static_cast<WordId>(word), next);
    return added;
  }

  const LabelNGram& source_;
};

std::unique_ptr<FusionPart> WordNGram::part(const PrefixTokens& prefixes) const {
  return std::make_unique<WordNGramPart>(*this, prefixes);
}

std::unique_ptr<FusionPart> LabelNGram::part(const PrefixTokens&) const {
  return std::make_unique<LabelNGramPart>(*this);
}

}  // namespace

std::shared_ptr<FusionSource> make_word_ngram(FusionLabels labels, std::shared_ptr<const NGram> model,
                                              LanguageWeights weights) {
  return std::make_shared<WordNGram>(std::move(labels), WeightedNGram{std::move(model), weights});
}

std::shared_ptr<FusionSource> make_label_ngram(LabelUnits units, std::shared_ptr<const NGram> model,
                                               LanguageWeights weights) {
  return std::make_shared<LabelNGram>(units, WeightedNGram{std::move(model), weights});
}

}  // namespace unrolled::search
