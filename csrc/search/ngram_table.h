// The n-grams of one order as a hash table with linear probing in order (Amble and Knuth, 1974). An n-gram's
// key is a chain over its words, newest first: the key of a longer one follows from that of the shorter one.
// Key and numbers are those of KenLM's probing model (Heafield, 2011), so that its files, which do not keep
// the words of n-grams, can be taken over.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "search/ngram.h"

namespace unrolled::search {

// Two facts ride on the signs. A probability is never above 1: its sign bit says that no longer n-gram ends
// in this one. And a back-off weight of -0.0 says that no longer n-gram begins with this one.
struct NGramWeights {
  float prob;  // NaN: not an n-gram of the model, but a longer one ends in it or begins with it
  float backoff;

  float log10_prob() const { return -std::fabs(prob); }
  bool is_blank() const { return std::isnan(prob); }
  bool extends_left() const { return !std::signbit(prob); }
  bool extends_right() const { return std::bit_cast<uint32_t>(backoff) != 0x80000000u; }
  void mark_left() { prob = std::fabs(prob); }
  void mark_right() {
    if (!extends_right()) backoff = 0.0f;
  }
};

// As they are before any longer n-gram is known.
inline NGramWeights unextended(float log10_prob, float backoff) {
  return {-std::fabs(log10_prob), backoff == 0.0f ? -0.0f : backoff};
}

struct NGramEntry {
  uint64_t key;
  NGramWeights weights;
};

inline constexpr uint64_t kNoKey = UINT64_MAX;

inline uint64_t chain_start(WordId newest) { return newest; }

inline uint64_t chain(uint64_t key, WordId older) {
  return (key * 8978948897894561157ull) ^ ((1 + static_cast<uint64_t>(older)) * 17894857484156487943ull);
}

// The key of words in the order of the text.
inline uint64_t key_of(const WordId* words, int n) {
  uint64_t key = chain_start(words[n - 1]);
  for (int i = n - 2; i >= 0; --i) key = chain(key, words[i]);
  return key;
}

// Places in the order of their keys, with gaps: an n-gram stands at the bucket its key falls on, or at the
// next free place behind it. The last place is always free. Free places have the largest key, so that a
// search ends at the first key that is not smaller, whether it finds what it sought or not.
struct NGramTableView {
  const NGramEntry* places = nullptr;
  uint64_t buckets = 0;

  // The upper half of a product: it spreads the keys without a division and keeps their order (Lemire, 2019).
  uint64_t bucket_of(uint64_t key) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(key) * buckets) >> 64);
  }

  void prefetch(uint64_t key) const { __builtin_prefetch(places + bucket_of(key)); }

  // Null where there is none.
  const NGramWeights* find(uint64_t key) const {
    const NGramEntry* place = places + bucket_of(key);
    while (place->key < key) ++place;
    return place->key == key ? &place->weights : nullptr;
  }
};

}  // namespace unrolled::search
