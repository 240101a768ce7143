#include "search/fusion_ngram.h"
#include "search/fusion_ngram_part.h"

namespace unrolled::search {
namespace {

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

std::unique_ptr<FusionPart> LabelNGram::part(const PrefixTokens&) const {
  return std::make_unique<LabelNGramPart>(*this);
}

}  // namespace

std::shared_ptr<FusionSource> make_label_ngram(LabelUnits units, std::shared_ptr<const NGram> model,
                                               LanguageWeights weights) {
  return std::make_shared<LabelNGram>(units, WeightedNGram{std::move(model), weights});
}

}  // namespace unrolled::search
