#include "search/ngram_places.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace unrolled::search {

NGramPlaces::NGramPlaces(std::vector<NGramEntry> entries) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto same = [](const auto& a, const auto& b) { return a.key == b.key; };
  const auto twice = std::adjacent_find(entries.begin(), entries.end(), same);
  if (twice != entries.end()) twice_ = twice->key;
  size_ = entries.size();
  buckets_ = entries.size() + entries.size() / 4 + 1;
  const NGramEntry free{kNoKey, unextended(std::numeric_limits<float>::quiet_NaN(), 0)};
  places_.assign(buckets_, free);
  uint64_t next = 0;
  for (const NGramEntry& entry : entries) {
    next = std::max(next, view().bucket_of(entry.key));
    if (next >= places_.size()) places_.resize(next + 1, free);
    places_[next++] = entry;
  }
  places_.resize(std::max(places_.size(), next) + 1, free);
}

std::vector<NGramEntry> NGramPlaces::entries() const {
  std::vector<NGramEntry> entries;
  const auto taken = [](const NGramEntry& place) { return place.key != kNoKey; };
  std::copy_if(places_.begin(), places_.end(), std::back_inserter(entries), taken);
  return entries;
}

}  // namespace unrolled::search
