#include "search/ngram_index.h"

#include <algorithm>
#include <stdexcept>

namespace unrolled::search {
namespace {

constexpr std::size_t kFirstSlots = 1 << 10;
constexpr uint64_t kUpperHalf = 0xFFFFFFFF00000000ull;

}  // namespace

NGramIndex::NGramIndex(int order) : order_(order), slots_(kFirstSlots) {}

uint64_t NGramIndex::hash(const WordId* words) const {
  uint64_t h = 0;
  for (int i = 0; i < order_; ++i) {
    h = (h ^ words[i]) * 0x9E3779B97F4A7C15ull;
    h ^= h >> 29;
  }
  return h;
}

// Linear probing: where the n-gram is, or the empty slot where it belongs.
std::size_t NGramIndex::slot_of(const WordId* sought, uint64_t h) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = h & mask;; at = (at + 1) & mask) {
    const uint64_t slot = slots_[at];
    if (slot == 0) return at;
    if ((slot & kUpperHalf) != (h & kUpperHalf)) continue;
    const WordId* stored = words(static_cast<uint32_t>(slot) - 1);
    if (std::equal(stored, stored + order_, sought)) return at;
  }
}

uint32_t NGramIndex::add(const WordId* added) {
  const uint64_t h = hash(added);
  const std::size_t at = slot_of(added, h);
  if (slots_[at] != 0) return static_cast<uint32_t>(slots_[at]) - 1;
  if (size_ == kMissing - 1) throw std::length_error("more than 4,294,967,293 n-grams of one order");
  slots_[at] = (h & kUpperHalf) | (size_ + 1);
  words_.insert(words_.end(), added, added + order_);
  if (std::size_t{++size_} * 2 > slots_.size()) grow();
  return size_ - 1;
}

uint32_t NGramIndex::find(const WordId* sought) const {
  const uint64_t slot = slots_[slot_of(sought, hash(sought))];
  return slot == 0 ? kMissing : static_cast<uint32_t>(slot) - 1;
}

void NGramIndex::grow() {
  slots_.assign(slots_.size() * 2, 0);
  const std::size_t mask = slots_.size() - 1;
  for (uint32_t number = 0; number < size_; ++number) {
    const uint64_t h = hash(words(number));
    std::size_t at = h & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = (h & kUpperHalf) | (number + 1);
  }
}

}  // namespace unrolled::search
