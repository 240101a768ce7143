// A table of n-grams while it is built.
#pragma once

#include <vector>

#include "search/ngram_table.h"

namespace unrolled::search {

class NGramPlaces {
 public:
  // Entries with keys of their own, in any sequence.
  explicit NGramPlaces(std::vector<NGramEntry> entries = {});

  NGramTableView view() const { return {places_.data(), buckets_}; }
  NGramWeights* find(uint64_t key) { return const_cast<NGramWeights*>(view().find(key)); }
  const std::vector<NGramEntry>& places() const { return places_; }
  uint64_t buckets() const { return buckets_; }
  uint64_t size() const { return size_; }
  // All that stand in it, in the order of their keys.
  std::vector<NGramEntry> entries() const;
  // A key that came twice, kNoKey: none.
  uint64_t twice() const { return twice_; }

 private:
  std::vector<NGramEntry> places_;
  uint64_t buckets_ = 0, size_ = 0, twice_ = kNoKey;
};

}  // namespace unrolled::search
