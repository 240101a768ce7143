#include "search/frame_symbols.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace unrolled::search {

template <class Real>
FrameSymbols<Real>::FrameSymbols(int64_t classes, int64_t blank)
    : classes_(classes),
      blank_(blank),
      index_(static_cast<std::size_t>(classes), -1),
      probability_(static_cast<std::size_t>(classes)) {}

template <class Real>
template <class Score>
double FrameSymbols<Real>::read(const Score* row, const bool* allowed, const SymbolCuts& cuts) {
  constexpr Score kNever = -std::numeric_limits<Score>::infinity();
  for (const int32_t c : alive_) {
    index_[static_cast<std::size_t>(c)] = -1;
    probability_[static_cast<std::size_t>(c)] = 0;
  }
  alive_.clear();
  const auto is_allowed = [&](int64_t c) { return !allowed || allowed[c] || c == blank_; };
  Score best = kNever;
  for (int64_t c = 0; c < classes_; ++c) {
    if (is_allowed(c)) best = std::max(best, row[c]);
  }
  if (best == kNever) return kNever;
  const double least = std::min(cuts.min_logp, static_cast<double>(best));
  for (int64_t c = 0; c < classes_; ++c) {
    if (row[c] > kNever && static_cast<double>(row[c]) >= least && is_allowed(c)) {
      alive_.push_back(static_cast<int32_t>(c));
    }
  }
  // Of those as good as the best only the first was promised to stay.
  if (static_cast<double>(best) < cuts.min_logp) alive_.resize(1);
  if (cuts.top_k > 0 && cuts.top_k < count()) keep_best(row, cuts.top_k);
  for (int64_t i = 0; i < count(); ++i) {
    const auto c = static_cast<std::size_t>(symbol(i));
    index_[c] = static_cast<int32_t>(i);
    probability_[c] = std::exp(static_cast<Real>(row[c]) - static_cast<Real>(best));
  }
  return static_cast<double>(best);
}

// Those that stay are in the order of their classes.
template <class Real>
template <class Score>
void FrameSymbols<Real>::keep_best(const Score* row, int64_t top_k) {
  const auto better = [&](int32_t a, int32_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; };
  std::nth_element(alive_.begin(), alive_.begin() + top_k, alive_.end(), better);
  alive_.resize(static_cast<std::size_t>(top_k));
  std::sort(alive_.begin(), alive_.end());
}

template class FrameSymbols<float>;
template class FrameSymbols<double>;
template double FrameSymbols<float>::read(const float*, const bool*, const SymbolCuts&);
template double FrameSymbols<float>::read(const double*, const bool*, const SymbolCuts&);
template double FrameSymbols<double>::read(const float*, const bool*, const SymbolCuts&);
template double FrameSymbols<double>::read(const double*, const bool*, const SymbolCuts&);

}  // namespace unrolled::search
