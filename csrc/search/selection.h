// Which prefixes a beam keeps.
#pragma once

#include <cstdint>
#include <vector>

namespace unrolled::search {

// What is above `mass` is kept, and the first `ties` of those equal to it.
template <class Real>
struct Cut {
  Real mass;
  int64_t ties;

  // Asked of all in their order.
  bool keeps(Real m) { return m > mass || (m == mass && ties-- > 0); }
};

// For the best `width` (0: all) of those with a mass above 0 and not below `least`.
template <class Real>
class Selection {
 public:
  Cut<Real> cut(const std::vector<Real>& stays, const std::vector<Real>& candidates, int64_t width,
                Real least);

 private:
  std::vector<Real> masses_;
};

}  // namespace unrolled::search
