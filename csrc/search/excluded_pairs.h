// Pairs of a symbol and a place in the beam whose longer prefix is in the beam itself: its mass is added
// there, and it is no candidate.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace unrolled::search {

class ExcludedPairs {
 public:
  void clear(int64_t symbols, int64_t places) {
    words_ = (places + kBits - 1) / kBits;
    bits_.assign(static_cast<std::size_t>(symbols * words_), 0);
  }
  void add(int64_t symbol, int64_t place) {
    bits_[word(symbol, place)] |= static_cast<uint16_t>(1U << (place % kBits));
  }
  bool has(int64_t symbol, int64_t place) const {
    return (bits_[word(symbol, place)] >> (place % kBits)) & 1;
  }

 private:
  static constexpr int64_t kBits = 16;

  std::size_t word(int64_t symbol, int64_t place) const {
    return static_cast<std::size_t>(symbol * words_ + place / kBits);
  }

  int64_t words_ = 0;
  std::vector<uint16_t> bits_;
};

}  // namespace unrolled::search
