#include "search/hotwords.h"

#include <algorithm>
#include <cmath>

namespace unrolled::search {
namespace {

// Credit is a multiple of this: then its differences are exact, and add up to nothing once it is taken back.
constexpr double kGrain = 0x1p-20;

// Where the automaton stands, and what it has counted on the way.
struct Place {
  uint32_t node = 0;
  bool at_boundary = false;
  double kept = 0;  // weights of complete phrases
};

class Automaton final : public FusionSource {
 public:
  explicit Automaton(Hotwords hotwords)
      : hotwords_(std::move(hotwords)),
        trie_(hotwords_.phrases),
        fail_(trie_.nodes()),
        shorter_(trie_.nodes()),
        ending_(trie_.nodes(), -1),
        same_end_(hotwords_.weights.size(), -1),
        gains_(trie_.nodes()),
        credits_(trie_.nodes()) {
    add_phrases();
    link_suffixes();
    bound_labels();
  }

  std::unique_ptr<FusionPart> part(const PrefixTokens& prefixes) const override;
  double upper_bound(int32_t token) const override { return bounds_[static_cast<std::size_t>(token)]; }
  bool weighs(int32_t token) const override { return !hotwords_.labels[token].empty(); }
  bool gives_credit() const override { return true; }

  Place begin() const {
    Place place;
    step(place, kWordBoundary);
    return place;
  }

  void read(Place& place, int32_t token) const {
    for (const int32_t symbol : hotwords_.labels[token]) step(place, symbol);
  }

  // Whether the symbol counted.
  bool step(Place& place, int32_t symbol) const {
    if (symbol == kWordBoundary && place.at_boundary) return false;
    place.at_boundary = symbol == kWordBoundary;
    place.node = next(place.node, symbol);
    place.kept += gains_[place.node];
    return true;
  }

  double credit(const Place& place) const { return credits_[place.node]; }
  double total(const Place& place) const { return place.kept + credit(place); }
  double difference(const Place& before, const Place& after) const {
    return after.kept - before.kept + (credit(after) - credit(before));
  }
  std::span<const int32_t> label(int32_t token) const { return hotwords_.labels[token]; }

  // Calls visit(phrase) for all that end at the node.
  template <class Visit>
  void visit_ending(uint32_t node, Visit&& visit) const {
    for (; node != 0; node = shorter_[node])
      for (int32_t phrase = ending_[node]; phrase >= 0; phrase = same_end_[static_cast<std::size_t>(phrase)])
        visit(phrase);
  }

  std::span<const int32_t> phrase(int32_t i) const { return hotwords_.phrases[i]; }

 private:
  uint32_t next(uint32_t node, int32_t symbol) const {
    for (;; node = fail_[node]) {
      const uint32_t child = trie_.child(node, symbol);
      if (child != Trie::kNone) return child;
      if (node == 0) return 0;
    }
  }

  // A phrase shares its weight among its characters; boundaries at its ends are not among them.
  void add_phrases() {
    for (int64_t i = 0; i < hotwords_.phrases.size(); ++i) {
      const auto symbols = hotwords_.phrases[i];
      const double weight = hotwords_.weights[static_cast<std::size_t>(i)];
      const uint32_t end = trie_.end(i);
      same_end_[static_cast<std::size_t>(i)] = ending_[end];
      ending_[end] = static_cast<int32_t>(i);
      gains_[end] += weight;
      const std::size_t first = symbols.front() == kWordBoundary;
      const std::size_t length = symbols.size() - first - (symbols.back() == kWordBoundary);
      uint32_t node = 0;
      for (std::size_t k = 0; k + 1 < symbols.size(); ++k) {
        node = trie_.child(node, symbols[k]);
        const double share = static_cast<double>(k + 1 - first) / static_cast<double>(length);
        credits_[node] = std::max(credits_[node], std::floor(weight * share / kGrain) * kGrain);
      }
    }
  }

  // Breadth first, so that the suffix of a node is ready before it.
  void link_suffixes() {
    for (uint32_t node = 0; node < trie_.nodes(); ++node) {
      for (uint32_t child = trie_.first_child(node); child < trie_.end_child(node); ++child) {
        const uint32_t suffix = node == 0 ? 0 : next(fail_[node], trie_.symbol(child));
        fail_[child] = suffix;
        shorter_[child] = ending_[suffix] >= 0 ? suffix : shorter_[suffix];
        gains_[child] += gains_[suffix];
        credits_[child] = std::max(credits_[child], credits_[suffix]);
      }
    }
  }

  // A symbol adds most along an edge of the trie: where the automaton falls back to a suffix first, it had at
  // least the suffix's credit before.
  void bound_labels() {
    std::vector<std::pair<int32_t, double>> most;
    for (uint32_t node = 0; node < trie_.nodes(); ++node)
      for (uint32_t child = trie_.first_child(node); child < trie_.end_child(node); ++child)
        most.emplace_back(trie_.symbol(child), credits_[child] + gains_[child] - credits_[node]);
    std::sort(most.begin(), most.end());
    for (int64_t c = 0; c < hotwords_.labels.size(); ++c) {
      double bound = 0;
      for (const int32_t symbol : hotwords_.labels[c]) bound += most_of(most, symbol);
      bounds_.push_back(bound);
    }
  }

  static double most_of(const std::vector<std::pair<int32_t, double>>& most, int32_t symbol) {
    const auto end = std::upper_bound(most.begin(), most.end(), symbol,
                                      [](int32_t s, const auto& entry) { return s < entry.first; });
    if (end == most.begin() || std::prev(end)->first != symbol) return 0;
    return std::max(0.0, std::prev(end)->second);
  }

  Hotwords hotwords_;
  Trie trie_;
  std::vector<uint32_t> fail_;     // the longest suffix that is a node too
  std::vector<uint32_t> shorter_;  // the longest such suffix that is a phrase
  std::vector<int32_t> ending_;    // a phrase that ends here
  std::vector<int32_t> same_end_;  // another phrase that ends where this one does
  std::vector<double> gains_;      // weights of all phrases that end here
  std::vector<double> credits_;
  std::vector<double> bounds_;
};

class HotwordsPart final : public FusionPart {
 public:
  HotwordsPart(const Automaton& automaton, const PrefixTokens& prefixes)
      : automaton_(automaton), prefixes_(prefixes) {}

  void start() override { places_.assign(1, automaton_.begin()); }

  void add_weights(std::span<const uint32_t> states, std::span<const int32_t> tokens,
                   double* log_weights) override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      const Place& before = places_[states[i]];
      Place after = before;
      automaton_.read(after, tokens[i]);
      log_weights[i] += automaton_.difference(before, after);
    }
  }

  void advance(uint32_t parent, int32_t token) override {
    Place place = places_[parent];
    automaton_.read(place, token);
    places_.push_back(place);
  }

  // The end of the text ends the last word.
  void add_ends(std::span<const uint32_t> states, double* log_weights) override {
    for (std::size_t i = 0; i < states.size(); ++i)
      log_weights[i] += finished(states[i]).kept - places_[states[i]].kept - open_credit(states[i]);
  }

  double open_credit(uint32_t state) const override { return automaton_.credit(places_[state]); }

  void add_scores(uint32_t state, bool finished, FusionScores& scores) const override {
    scores.hotwords += finished ? this->finished(state).kept : automaton_.total(places_[state]);
    find_fired(prefixes_.read(state), finished, scores.fired);
  }

  void retain(std::span<const uint32_t> kept) override { keep(places_, kept); }

 private:
  Place finished(uint32_t state) const {
    Place place = places_[state];
    automaton_.step(place, kWordBoundary);
    return place;
  }

  // Reads the text again, and remembers which token each symbol is of.
  void find_fired(const std::vector<int32_t>& tokens, bool finished, std::vector<FiredPhrase>& fired) const {
    Place place = automaton_.begin();
    std::vector<int32_t> owners{0};
    const auto read = [&](int32_t symbol, int32_t owner) {
      if (!automaton_.step(place, symbol)) return;
      owners.push_back(owner);
      automaton_.visit_ending(place.node, [&](int32_t phrase) { fired.push_back(find(phrase, owners)); });
    };
    for (std::size_t i = 0; i < tokens.size(); ++i)
      for (const int32_t symbol : automaton_.label(tokens[i])) read(symbol, static_cast<int32_t>(i));
    if (finished) read(kWordBoundary, static_cast<int32_t>(tokens.size()));
  }

  // The tokens of a phrase whose last symbol is the last one read.
  FiredPhrase find(int32_t phrase, const std::vector<int32_t>& owners) const {
    const auto symbols = automaton_.phrase(phrase);
    const std::size_t first = owners.size() - symbols.size() + (symbols.front() == kWordBoundary);
    const std::size_t last = owners.size() - 1 - (symbols.back() == kWordBoundary);
    return {phrase, owners[first], owners[last] + 1};
  }

  const Automaton& automaton_;
  const PrefixTokens& prefixes_;
  std::vector<Place> places_;
};

std::unique_ptr<FusionPart> Automaton::part(const PrefixTokens& prefixes) const {
  return std::make_unique<HotwordsPart>(*this, prefixes);
}

}  // namespace

std::shared_ptr<FusionSource> make_hotwords(Hotwords hotwords) {
  return std::make_shared<Automaton>(std::move(hotwords));
}

}  // namespace unrolled::search
