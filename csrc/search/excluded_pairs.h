// Pairs of a symbol and a place in the beam whose longer prefix is in the beam itself: its mass is added
// there, and it is no candidate.
#pragma once

#include <cstdint>
#include <vector>

#include "search/beam.h"

namespace unrolled::search {

class ExcludedPairs {
 public:
  explicit ExcludedPairs(int64_t classes) : classes_(classes) {}

  // Room for a beam of that size; only where there are no pairs.
  void make_room(int64_t places) {
    if (places > words_ * kBits) {
      words_ = (places + places / 2) / kBits + 1;
      bits_.assign(static_cast<std::size_t>(classes_ * words_), 0);
    }
    reserve(dirty_, places);
  }
  DecodePairs view() { return {bits_.data(), words_, dirty_.data()}; }
  // The first `count` dirty words.
  void clear(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      bits_[static_cast<std::size_t>(dirty_[static_cast<std::size_t>(i)])] = 0;
    }
  }

 private:
  static constexpr int64_t kBits = 16;

  int64_t classes_, words_ = 0;
  std::vector<uint16_t> bits_;
  std::vector<int64_t> dirty_;
};

}  // namespace unrolled::search
