// The symbols of one frame that a search follows, with their probabilities.
#pragma once

#include <cstdint>
#include <vector>

namespace unrolled::search {

// What is cut from a frame. The best symbol always stays, of equal ones the lowest.
struct SymbolCuts {
  double min_logp;
  int64_t top_k;  // 0: all
};

template <class Real>
class FrameSymbols {
 public:
  FrameSymbols(int64_t classes, int64_t blank);

  // allowed: null for all; the blank is always allowed. Probabilities are relative to the best symbol's,
  // whose logarithm is returned: -inf where every symbol that is allowed has that, and then none is alive.
  template <class Score>
  double read(const Score* row, const bool* allowed, const SymbolCuts& cuts);

  int64_t count() const { return static_cast<int64_t>(alive_.size()); }            // the blank among them
  int32_t symbol(int64_t i) const { return alive_[static_cast<std::size_t>(i)]; }  // rising
  // 0 of symbols that were cut.
  Real probability(int32_t symbol) const { return probability_[static_cast<std::size_t>(symbol)]; }
  // Where among those alive; -1 of symbols that were cut.
  int32_t index(int32_t symbol) const { return index_[static_cast<std::size_t>(symbol)]; }

 private:
  template <class Score>
  void keep_best(const Score* row, int64_t top_k);

  int64_t classes_, blank_;
  std::vector<int32_t> alive_, index_;
  std::vector<Real> probability_;
};

}  // namespace unrolled::search
