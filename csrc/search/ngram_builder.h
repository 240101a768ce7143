// From the n-grams of each order to a model that can be asked.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "search/ngram_image.h"
#include "search/ngram_places.h"

namespace unrolled::search {

// The n-grams of one order, in any sequence: words oldest first, log10 probabilities, log10 back-off weights
// (which the highest order has none of: they are ignored there).
struct NGramRows {
  std::vector<WordId> words;
  std::vector<float> probs, backoffs;

  int64_t size() const { return static_cast<int64_t>(probs.size()); }
};

// Every word needs its 1-gram, except <unk>.
struct NGramRowsByOrder {
  VocabularyBuilder vocabulary;
  std::vector<NGramRows> orders;  // of 1-grams, 2-grams, ...
  std::string unit;               // "word", "char", or empty
};

// A row that cannot be; the message says what is wrong with it, but not where it came from.
class BadNGram : public std::invalid_argument {
 public:
  BadNGram(int order, int64_t row, const std::string& message)
      : std::invalid_argument(message), order(order), row(row) {}
  const int order;
  const int64_t row;
};

// log10 P(<unk>) where the model gives none; KenLM's.
inline constexpr float kMissingUnknown = -100.0f;

// Throws BadNGram for n-grams that occur twice, probabilities above 1, and numbers that are none. N-grams
// whose first or last words are no n-grams themselves are legal, pruning leaves them.
std::shared_ptr<const NGramImage> build_ngram(const NGramRowsByOrder& rows);

// A model whose tables are made: what both builders and readers of other formats end with.
struct NGramParts {
  VocabularyView vocabulary;
  const std::string* unit;
  bool has_unknown;
  const std::vector<NGramWeights>* unigrams;
  std::vector<const NGramPlaces*> tables;  // of 2-grams, 3-grams, ...
  // Their words, sorted, without those that were put in; empty where they are not known.
  std::vector<const std::vector<WordId>*> ngrams;
};
std::shared_ptr<const NGramImage> assemble_ngram(const NGramParts& parts);

}  // namespace unrolled::search
