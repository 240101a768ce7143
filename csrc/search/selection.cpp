#include "search/selection.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace unrolled::search {

template <class Real>
Cut<Real> Selection<Real>::cut(const std::vector<Real>& stays, const std::vector<Real>& candidates,
                               int64_t width, Real least) {
  constexpr int64_t kAll = std::numeric_limits<int64_t>::max();
  least = std::max(least, std::numeric_limits<Real>::denorm_min());
  masses_.clear();
  const auto take = [&](Real m) {
    if (m >= least) masses_.push_back(m);
  };
  for (const Real m : stays) take(m);
  for (const Real m : candidates) take(m);
  if (width == 0 || static_cast<int64_t>(masses_.size()) <= width) return {least, kAll};
  const auto last = masses_.begin() + width - 1;
  std::nth_element(masses_.begin(), last, masses_.end(), std::greater<Real>());
  const int64_t above = std::count_if(masses_.begin(), masses_.end(), [&](Real m) { return m > *last; });
  return {*last, width - above};
}

template class Selection<float>;
template class Selection<double>;

}  // namespace unrolled::search
