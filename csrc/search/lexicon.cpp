#include "search/lexicon.h"

namespace unrolled::search {
namespace {

// Where in a word a prefix stands: a node of either trie, or none.
struct WordPlace {
  uint32_t letters = 0, spelling = 0;
  bool begun = false;  // something of the word is written

  bool is_known() const { return letters != Trie::kNone || spelling != Trie::kNone; }
};

std::vector<uint8_t> mark_ends(const Trie& trie, int64_t sequences) {
  std::vector<uint8_t> ends(trie.nodes());
  for (int64_t i = 0; i < sequences; ++i) ends[trie.end(i)] = 1;
  return ends;
}

class Lexicon final : public FusionSource {
 public:
  Lexicon(FusionLabels labels, LexiconWords words)
      : labels_(std::move(labels)),
        letters_of_(std::move(words.labels)),
        letters_(words.words),
        spellings_(words.spellings),
        word_ends_(mark_ends(letters_, words.words.size())),
        spelling_ends_(mark_ends(spellings_, words.spellings.size())) {}

  std::unique_ptr<FusionPart> part(const PrefixTokens& prefixes) const override;
  double upper_bound(int32_t) const override { return 0; }
  bool weighs(int32_t) const override { return true; }

  // False where the text then holds what is no known word, nor the beginning of one.
  bool read(WordPlace& place, int32_t token) const {
    const auto c = static_cast<std::size_t>(token);
    const bool writes = !labels_.texts[c].empty();
    const bool ends = labels_.ends_word[c];
    if ((labels_.starts_word[c] || (ends && !writes)) && !end_word(place)) return false;
    if (ends && !writes) return true;
    write(place, token);
    place.begun |= writes;
    return place.is_known() && (!ends || end_word(place));
  }

  // Whether the word may end here; where nothing is written there is none to end.
  bool end_word(WordPlace& place) const {
    const bool known = (place.letters != Trie::kNone && word_ends_[place.letters]) ||
                       (place.spelling != Trie::kNone && spelling_ends_[place.spelling]);
    if (place.begun && !known) return false;
    place = {};
    return true;
  }

 private:
  void write(WordPlace& place, int32_t token) const {
    if (place.spelling != Trie::kNone) place.spelling = spellings_.child(place.spelling, token);
    for (const int32_t letter : letters_of_[token])
      if (place.letters != Trie::kNone) place.letters = letters_.child(place.letters, letter);
  }

  FusionLabels labels_;
  Sequences letters_of_;
  Trie letters_, spellings_;
  std::vector<uint8_t> word_ends_, spelling_ends_;  // by node
};

class LexiconPart final : public FusionPart {
 public:
  explicit LexiconPart(const Lexicon& lexicon) : lexicon_(lexicon) {}

  void start() override { places_.assign(1, {}); }

  void add_weights(std::span<const uint32_t> states, std::span<const int32_t> tokens,
                   double* log_weights) override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      WordPlace place = places_[states[i]];
      if (!lexicon_.read(place, tokens[i])) log_weights[i] = kForbidden;
    }
  }

  void advance(uint32_t parent, int32_t token) override {
    WordPlace place = places_[parent];
    lexicon_.read(place, token);
    places_.push_back(place);
  }

  void add_ends(std::span<const uint32_t> states, double* log_weights) override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      WordPlace place = places_[states[i]];
      if (!lexicon_.end_word(place)) log_weights[i] = kForbidden;
    }
  }

  void add_scores(uint32_t, bool, FusionScores&) const override {}
  void retain(std::span<const uint32_t> kept) override { keep(places_, kept); }

 private:
  const Lexicon& lexicon_;
  std::vector<WordPlace> places_;
};

std::unique_ptr<FusionPart> Lexicon::part(const PrefixTokens&) const {
  return std::make_unique<LexiconPart>(*this);
}

}  // namespace

std::shared_ptr<FusionSource> make_lexicon(FusionLabels labels, LexiconWords words) {
  return std::make_shared<Lexicon>(std::move(labels), std::move(words));
}

}  // namespace unrolled::search
