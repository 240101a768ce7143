// How often each n-gram of a text occurs: counted at the highest order alone, those of lower orders follow.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "interrupt.h"
#include "search/ngram_index.h"

namespace unrolled::search {

inline constexpr WordId kBeginWord = 1;  // <s>, while a model is estimated
inline constexpr WordId kEndWord = 2;    // </s>

// All n-grams of one order. At order 1 every word has its row, in the order of the ids.
struct NGramLevel {
  explicit NGramLevel(int order) : index(order) {}

  uint32_t size() const { return index.size(); }

  NGramIndex index;
  std::vector<uint64_t> occurrences;
  // In how many different ways it goes on to the left, as Kneser and Ney count; n-grams that begin with <s>,
  // and those of the highest order, keep their occurrences.
  std::vector<uint64_t> continuations;
  // Rows of the level below: the n-gram without its last word, and without its first. Empty at order 1.
  std::vector<uint32_t> context;
  std::vector<uint32_t> suffix;
};

class NGramCounter {
 public:
  explicit NGramCounter(int order);

  int order() const { return static_cast<int>(levels_.size()); }
  uint64_t sentences() const { return sentences_; }

  // One sentence, <s> before it and </s> behind it.
  void add(std::span<const WordId> sentence);

  // The counts at all orders. Word i of the counter is word ids[i] of the result, which has `words` of them:
  // words may become one, as rare ones become <unk>.
  std::vector<NGramLevel> levels(std::span<const WordId> ids, uint32_t words, Interrupt& interrupt) const;

 private:
  struct Counted {
    explicit Counted(int order) : index(order) {}
    NGramIndex index;
    std::vector<uint64_t> counts;
  };

  // Below the highest order only the n-grams at the beginning of sentences, which are no end of longer ones.
  std::vector<Counted> levels_;
  uint64_t sentences_ = 0;
};

// How many n-grams of a level have count 1, 2, 3 and 4.
std::array<uint64_t, 4> counts_of_counts(const std::vector<uint64_t>& counts);

}  // namespace unrolled::search
