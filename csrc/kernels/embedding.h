// Rows of a table, looked up and added to.
#pragma once

#include <cstdint>

namespace unrolled {

template <class Real>
struct EmbeddingKernels {
  // to (n) += from (n)
  void (*add)(int64_t n, const Real* from, Real* to);
};

}  // namespace unrolled
