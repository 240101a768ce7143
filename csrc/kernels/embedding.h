// Rows of a table that were looked up, summed.
#pragma once

#include <cstdint>

namespace unrolled {

template <class Real>
struct EmbeddingKernels {
  // to (n) = the sum of the rows of `from` (.., n) at places (count): runs of 256 rows are summed from zero,
  // and the runs added up, in order.
  void (*sum_rows)(int64_t count, const int64_t* places, int64_t n, const Real* from, Real* to);
};

}  // namespace unrolled
