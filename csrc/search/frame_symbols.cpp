#include "search/frame_symbols.h"

#include <algorithm>
#include <functional>

#include "dispatch.h"
#include "search/beam.h"

namespace unrolled::search {
namespace {

// The bound that k numbers reach is looked for among the maxima of this many times k groups.
constexpr int64_t kGroupsPerSymbol = 2;

}  // namespace

template <class Real>
FrameSymbols<Real>::FrameSymbols(int64_t classes, int64_t blank)
    : classes_(classes), blank_(static_cast<int32_t>(blank)), kernel_(kernels<Real>().decode_symbols) {
  reserve(symbols_, classes), reserve(scores_, classes), reserve(probabilities_, classes);
  reserve(of_class_, classes + kBefore);
}

template <class Real>
DecodeSymbols<Real> FrameSymbols<Real>::view() const {
  return {count_, symbols_.data(), probabilities_.data(), of_class(), classes_, blank_};
}

template <class Real>
void FrameSymbols<Real>::read(const FrameScores<Real>& frame, const SymbolCuts& cuts, Real factor) {
  const Real least = bound_in<Real>(cuts.min_logp);
  const bool choose = cuts.top_k > 0 && cuts.top_k < classes_;
  if (classes_ <= kFewClasses && !choose && frame.best >= least) {
    count_ = kernel_.pick(classes_, frame.scores, frame.probabilities, frame.best, least, factor, of_class(),
                          symbols_.data(), probabilities_.data());
    return;
  }
  forget();
  if (frame.best < least) return take_best(frame, factor);
  find(frame.scores, cuts, least);
  kernel_.probabilities(count_, scores_.data(), frame.best, factor, probabilities_.data());
  for (int64_t i = 0; i < count_; ++i) of_class()[symbol(i)] = probabilities_[static_cast<std::size_t>(i)];
}

template <class Real>
void FrameSymbols<Real>::forget() {
  for (int64_t i = 0; i < count_; ++i) of_class()[symbol(i)] = 0;
}

template <class Real>
void FrameSymbols<Real>::take_best(const FrameScores<Real>& frame, Real factor) {
  count_ = 1;
  symbols_[0] =
      static_cast<int32_t>(std::find(frame.scores, frame.scores + classes_, frame.best) - frame.scores);
  probabilities_[0] = of_class()[symbol(0)] = factor;
}

template <class Real>
void FrameSymbols<Real>::find(const Real* row, const SymbolCuts& cuts, Real least) {
  const bool choose = cuts.top_k > 0 && cuts.top_k < classes_;
  if (choose && kGroupsPerSymbol * cuts.top_k < classes_) {
    const int64_t groups = (kGroupsPerSymbol * cuts.top_k + kVectorRoom - 1) / kVectorRoom * kVectorRoom;
    reserve(scratch_, groups);
    least = std::max(least, kernel_.bound_of_best(classes_, row, cuts.top_k, groups, scratch_.data()));
  }
  count_ = kernel_.find_at_least(classes_, row, least, symbols_.data(), scores_.data());
  if (choose && count_ > cuts.top_k) keep_best(cuts.top_k);
}

// Those that stay are in the order of their classes.
template <class Real>
void FrameSymbols<Real>::keep_best(int64_t top_k) {
  reserve(scratch_, count_);
  std::copy_n(scores_.begin(), count_, scratch_.begin());
  std::nth_element(scratch_.begin(), scratch_.begin() + top_k - 1, scratch_.begin() + count_,
                   std::greater<Real>());
  const Real least = scratch_[static_cast<std::size_t>(top_k - 1)];
  int64_t ties =
      top_k - std::count_if(scratch_.begin(), scratch_.begin() + top_k, [=](Real x) { return x > least; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count_); ++i) {
    if (!(scores_[i] > least || (scores_[i] == least && ties-- > 0))) continue;
    symbols_[kept] = symbols_[i];
    scores_[kept++] = scores_[i];
  }
  count_ = top_k;
}

template class FrameSymbols<float>;
template class FrameSymbols<double>;

}  // namespace unrolled::search
