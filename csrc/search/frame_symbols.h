// The symbols of one frame that a search follows, with their probabilities.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/decode.h"
#include "kernels/decode_symbols.h"
#include "search/emissions.h"

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

  // Probabilities are relative to the best symbol's, times `factor`.
  void read(const FrameScores<Real>& frame, const SymbolCuts& cuts, Real factor);

  int64_t count() const { return count_; }                                           // the blank among them
  int32_t symbol(int64_t i) const { return symbols_[static_cast<std::size_t>(i)]; }  // rising
  // 0 of symbols that were cut.
  Real probability(int32_t symbol) const { return of_class()[symbol]; }
  bool only_blank() const { return count_ == 1 && symbol(0) == blank_; }

  DecodeSymbols<Real> view() const;

 private:
  const Real* of_class() const { return of_class_.data() + kBefore; }
  Real* of_class() { return of_class_.data() + kBefore; }
  void forget();
  void take_best(const FrameScores<Real>& frame, Real factor);
  void find(const Real* row, const SymbolCuts& cuts, Real least);
  void keep_best(int64_t top_k);

  static constexpr int64_t kBefore = 1;  // class -1 has probability 0

  int64_t classes_, count_ = 0;
  int32_t blank_;
  const DecodeSymbolKernels<Real>& kernel_;
  std::vector<int32_t> symbols_;
  std::vector<Real> scores_, probabilities_, of_class_, scratch_;
};

}  // namespace unrolled::search
