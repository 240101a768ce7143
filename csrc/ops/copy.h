// Arrays of any strides into C order: a transposed one in blocks that stay in the first-level cache.
#pragma once

#include <cstdint>
#include <vector>

namespace unrolled {

struct StridedAxis {
  int64_t size, step;  // step in elements; may be negative or 0
};

// `from` is the first element; `to` has as many as the axes say.
template <class Real>
void copy_in_order(const std::vector<StridedAxis>& axes, const Real* from, Real* to);

}  // namespace unrolled
