#include "search/ngram_counts.h"

#include <algorithm>
#include <stdexcept>

namespace unrolled::search {
namespace {

constexpr uint32_t kBetweenChecks = 1 << 16;

void check_interrupt(uint32_t row, Interrupt& interrupt) {
  if (row % kBetweenChecks == 0) interrupt.requested();
}

void add_to(std::vector<uint64_t>& counts, uint32_t row, uint64_t count) {
  if (row >= counts.size()) counts.resize(row + 1);
  counts[row] += count;
}

// Every n-gram is the end of those that are a word longer, and occurs as often as they do together.
void count_suffixes(NGramLevel& level, NGramLevel& below, Interrupt& interrupt) {
  level.suffix.resize(level.size());
  for (uint32_t row = 0; row < level.size(); ++row) {
    check_interrupt(row, interrupt);
    const uint32_t suffix = below.index.add(level.index.words(row) + 1);
    level.suffix[row] = suffix;
    add_to(below.occurrences, suffix, level.occurrences[row]);
    add_to(below.continuations, suffix, 1);
  }
  // N-grams behind <s> have one way to the left, which says nothing about them (Heafield et al. 2013,
  // section 3.2).
  below.continuations.resize(below.size());
  for (uint32_t row = 0; row < below.size(); ++row) {
    if (below.index.words(row)[0] == kBeginWord) below.continuations[row] = below.occurrences[row];
  }
}

void find_contexts(NGramLevel& level, const NGramLevel& below, Interrupt& interrupt) {
  level.context.resize(level.size());
  for (uint32_t row = 0; row < level.size(); ++row) {
    check_interrupt(row, interrupt);
    level.context[row] = below.index.find(level.index.words(row));
  }
}

}  // namespace

NGramCounter::NGramCounter(int order) {
  if (order < 1 || order > kMaxOrder) throw std::invalid_argument("order must be 1 to 10");
  for (int k = 1; k <= order; ++k) levels_.emplace_back(k);
}

void NGramCounter::add(std::span<const WordId> sentence) {
  for (std::size_t end = 2; end <= sentence.size(); ++end) {
    const std::size_t length = std::min(end, levels_.size());
    Counted& level = levels_[length - 1];
    add_to(level.counts, level.index.add(sentence.data() + end - length), 1);
  }
  ++sentences_;
}

std::vector<NGramLevel> NGramCounter::levels(std::span<const WordId> ids, uint32_t words,
                                             Interrupt& interrupt) const {
  std::vector<NGramLevel> result;
  for (const Counted& counted : levels_) {
    const int order = counted.index.order();
    NGramLevel& level = result.emplace_back(order);
    for (WordId word = 0; order == 1 && word < words; ++word) level.index.add(&word);
    level.occurrences.resize(level.size());
    WordId renamed[kMaxOrder];
    for (uint32_t row = 0; row < counted.index.size(); ++row) {
      check_interrupt(row, interrupt);
      for (int i = 0; i < order; ++i) renamed[i] = ids[counted.index.words(row)[i]];
      add_to(level.occurrences, level.index.add(renamed), counted.counts[row]);
    }
  }
  result.back().continuations = result.back().occurrences;
  for (std::size_t k = result.size() - 1; k > 0; --k) count_suffixes(result[k], result[k - 1], interrupt);
  for (std::size_t k = result.size() - 1; k > 0; --k) find_contexts(result[k], result[k - 1], interrupt);
  return result;
}

std::array<uint64_t, 4> counts_of_counts(const std::vector<uint64_t>& counts) {
  std::array<uint64_t, 4> numbers{};
  for (const uint64_t count : counts) {
    if (count >= 1 && count <= 4) ++numbers[count - 1];
  }
  return numbers;
}

}  // namespace unrolled::search
