#include <algorithm>
#include <cmath>
#include <string>

#include "search/fusion_ngram.h"
#include "search/fusion_ngram_part.h"
#include "search/fusion_words.h"

namespace unrolled::search {
namespace {

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

std::unique_ptr<FusionPart> WordNGram::part(const PrefixTokens& prefixes) const {
  return std::make_unique<WordNGramPart>(*this, prefixes);
}

}  // namespace

std::shared_ptr<FusionSource> make_word_ngram(FusionLabels labels, std::shared_ptr<const NGram> model,
                                              LanguageWeights weights) {
  return std::make_shared<WordNGram>(std::move(labels), WeightedNGram{std::move(model), weights});
}

}  // namespace unrolled::search
