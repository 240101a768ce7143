#include "kernels/embedding.h"

#include "kernels/math.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
void add(int64_t n, const Real* from, Real* to) {
  map2(n, from, to, to, [](Vec<Real> a, Vec<Real> b) { return a + b; });
}

}  // namespace

template <class Real>
EmbeddingKernels<Real> embedding_kernels() {
  return {add<Real>};
}
template EmbeddingKernels<float> embedding_kernels();
template EmbeddingKernels<double> embedding_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
