#include <array>
#include <cmath>

#include "search/fusion_ngram.h"
#include "search/fusion_ngram_part.h"
#include "search/fusion_words.h"
#include "search/trie.h"

namespace unrolled::search {
namespace {

// The letters of an unfinished word as a node of the trie of all known words: the root where there are none,
// one behind the last where no known word begins so.
typedef uint32_t WordNode;
constexpr WordNode kNoWord = 0;

// Words as bytes; a sequence each, of the numbers in `ids`.
Sequences spell_vocabulary(const NGram& model, std::vector<WordId>& ids) {
  Sequences words;
  for (int64_t i = 1; i < model.words(); ++i) {
    const auto id = static_cast<WordId>(i);
    if (id == model.begin_word() || id == model.end_word()) continue;
    for (const char letter : model.word(id)) words.values.push_back(static_cast<uint8_t>(letter));
    words.offsets.push_back(static_cast<int64_t>(words.values.size()));
    ids.push_back(id);
  }
  return words;
}

class WordNGram final : public FusionSource {
 public:
  WordNGram(FusionLabels labels, WeightedNGram ngram) : labels_(std::move(labels)), ngram_(std::move(ngram)) {
    std::vector<WordId> ids;
    trie_ = Trie(spell_vocabulary(*ngram_.model, ids));
    ids_.assign(trie_.nodes() + 1, kUnknown);
    for (std::size_t i = 0; i < ids.size(); ++i) ids_[trie_.end(static_cast<int64_t>(i))] = ids[i];
    const LanguageWeights& weights = ngram_.weights;
    if (weights.unknown < 0)
      debit_ = weights.unknown == kForbidden ? kForbidden : weights.lm * weights.unknown;
    for (int32_t c = 0; c < labels_.classes(); ++c) {
      edges_.push_back(WordReader::edge(labels_, c));
      firsts_.push_back(extend(kNoWord, c));
    }
    mark_letters();
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
  bool weighs(int32_t token) const override {
    return edge(token) != WordEdge::kInside || (debit_ != 0 && writes(token));
  }

  WordEdge edge(int32_t token) const { return edges_[static_cast<std::size_t>(token)]; }
  bool begins(int32_t token) const { return labels_.starts_word[static_cast<std::size_t>(token)]; }
  bool writes(int32_t token) const { return !labels_.texts[static_cast<std::size_t>(token)].empty(); }
  // What the label alone writes.
  WordNode first(int32_t token) const { return firsts_[static_cast<std::size_t>(token)]; }
  WordNode extend(WordNode node, int32_t token) const {
    for (const char letter : labels_.texts[static_cast<std::size_t>(token)])
      if (node != unknown()) node = child(node, static_cast<uint8_t>(letter));
    return node;
  }
  // What a label adds that ends no word. In most cases one look tells, without a jump to be guessed.
  double inside(WordNode node, int32_t token) const {
    const Letter letter = letters_[static_cast<std::size_t>(token)];
    if (!letter.is_sure) return debit(extend(node, token)) - debit(node);
    const double lost[2] = {debit_, 0};
    return lost[(goes_on_[node] & letter.bit) != 0];
  }
  WordNode unknown() const { return trie_.nodes(); }
  WordId id(WordNode node) const { return ids_[node]; }
  // What an unfinished word has of its weight already: no known word begins like it.
  double debit(WordNode node) const { return node == unknown() ? debit_ : 0; }
  const WeightedNGram& ngram() const { return ngram_; }

 private:
  // The first letter of a label as one of 64 bits; sure where no other letter has that bit, and there is no
  // second letter.
  struct Letter {
    uint64_t bit;
    bool is_sure;
  };
  WordNode child(WordNode node, int32_t letter) const {
    const WordNode found = trie_.child(node, letter);
    return found == Trie::kNone ? unknown() : found;
  }
  static uint64_t bit_of(int32_t letter) { return uint64_t{1} << (letter % 64); }

  void mark_letters() {
    std::array<int32_t, 64> owners;
    owners.fill(kNobody);
    goes_on_.assign(trie_.nodes(), 0);
    goes_on_.push_back(~uint64_t{0});  // an unknown word has nothing more to lose
    for (WordNode node = 0; node < trie_.nodes(); ++node) {
      for (WordNode child = trie_.first_child(node); child < trie_.end_child(node); ++child) {
        int32_t& owner = owners[static_cast<std::size_t>(trie_.symbol(child) % 64)];
        owner = owner == kNobody || owner == trie_.symbol(child) ? trie_.symbol(child) : kSeveral;
        goes_on_[node] |= bit_of(trie_.symbol(child));
      }
    }
    for (const std::string& text : labels_.texts) {
      const int32_t letter = text.empty() ? 0 : static_cast<uint8_t>(text[0]);
      const bool is_sure = text.size() == 1 && owners[static_cast<std::size_t>(letter % 64)] == letter;
      letters_.push_back({bit_of(letter), is_sure});
    }
  }

  static constexpr int32_t kNobody = -1, kSeveral = -2;

  FusionLabels labels_;
  WeightedNGram ngram_;
  Trie trie_;
  std::vector<uint64_t> goes_on_;  // bits of the letters that follow each node
  std::vector<Letter> letters_;    // of each class
  std::vector<WordId> ids_;        // of the words that end at each node
  double debit_ = 0;
  std::vector<WordEdge> edges_;
  std::vector<WordNode> firsts_;
};

class WordNGramPart final : public NGramPart {
 public:
  explicit WordNGramPart(const WordNGram& source) : NGramPart(source.ngram()), source_(source) {}

  void start() override {
    NGramPart::start();
    endings_.assign(1, kNotYet);
    words_.assign(1, kNoWord);
  }

  void add_weights(std::span<const uint32_t> states, std::span<const int32_t> tokens,
                   double* log_weights) override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      const uint32_t state = states[i];
      const int32_t token = tokens[i];
      if (log_weights[i] == kForbidden) continue;
      switch (source_.edge(token)) {
        case WordEdge::kInside:
          log_weights[i] += source_.inside(words_[state], token);
          break;
        case WordEdge::kAfter:
          log_weights[i] += ending(state) + source_.debit(source_.first(token));
          break;
        case WordEdge::kWithin:
          Context next = context(state);
          log_weights[i] += close(state, token, next);
      }
    }
  }

  void advance(uint32_t parent, int32_t token) override {
    const WordEdge edge = source_.edge(token);
    endings_.push_back(kNotYet);
    if (edge == WordEdge::kInside) {
      words_.push_back(source_.extend(words_[parent], token));
      return push_same(parent);
    }
    words_.push_back(edge == WordEdge::kAfter ? source_.first(token) : kNoWord);
    Context next = context(parent);
    const int64_t units = next.units;
    close(parent, token, next);
    if (next.units == units) return push_same(parent);
    push(next);
  }

  void add_scores(uint32_t state, bool finished, FusionScores& scores) const override {
    NGramPart::add_scores(state, finished, scores);
    if (!finished && source_.debit(words_[state]) != 0) scores.lm += ngram_.weights.unknown;
  }

  void retain(std::span<const uint32_t> kept) override {
    NGramPart::retain(kept);
    keep(endings_, kept);
    keep(words_, kept);
  }

 protected:
  double end(uint32_t state, Context& context) const override {
    const double word = close_word(words_[state], context);
    return word + ngram_.add_end(context);
  }

 private:
  static constexpr double kNotYet = std::numeric_limits<double>::quiet_NaN();

  // What the end of the unfinished word adds; found once for each state.
  double ending(uint32_t state) {
    if (std::isnan(endings_[state])) {
      Context next = context(state);
      endings_[state] = close_word(words_[state], next);
    }
    return endings_[state];
  }

  double close_word(WordNode word, Context& next) const {
    return word == kNoWord ? 0 : ngram_.add(source_.id(word), next) - source_.debit(word);
  }

  // Scores the words that the label ends: the one before it, the one that it writes in.
  double close(uint32_t state, int32_t token, Context& next) const {
    WordNode word = words_[state];
    double added = 0;
    if (source_.begins(token) || !source_.writes(token)) {
      added += close_word(word, next);
      word = kNoWord;
    }
    if (source_.edge(token) != WordEdge::kWithin) return added;
    added -= source_.debit(word);
    return added + ngram_.add(source_.id(source_.extend(word, token)), next);
  }

  const WordNGram& source_;
  std::vector<double> endings_;
  std::vector<WordNode> words_;  // unfinished ones
};

std::unique_ptr<FusionPart> WordNGram::part(const PrefixTokens&) const {
  return std::make_unique<WordNGramPart>(*this);
}

}  // namespace

std::shared_ptr<FusionSource> make_word_ngram(FusionLabels labels, std::shared_ptr<const NGram> model,
                                              LanguageWeights weights) {
  return std::make_shared<WordNGram>(std::move(labels), WeightedNGram{std::move(model), weights});
}

}  // namespace unrolled::search
