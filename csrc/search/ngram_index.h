// The n-grams of one order as they are counted: numbered in the order of their coming.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/ngram.h"

namespace unrolled::search {

class NGramIndex {
 public:
  static constexpr uint32_t kMissing = UINT32_MAX;

  explicit NGramIndex(int order);

  int order() const { return order_; }
  uint32_t size() const { return size_; }
  const WordId* words(uint32_t number) const { return words_.data() + std::size_t{number} * order_; }

  // The number of the n-gram; a new one gets the next.
  uint32_t add(const WordId* words);
  // kMissing where it was never added.
  uint32_t find(const WordId* words) const;

 private:
  uint64_t hash(const WordId* words) const;
  std::size_t slot_of(const WordId* words, uint64_t hash) const;
  void grow();

  int order_;
  uint32_t size_ = 0;
  std::vector<WordId> words_;
  std::vector<uint64_t> slots_;  // upper half of the hash, and the number + 1 below it; 0: empty
};

}  // namespace unrolled::search
