#include "kernels/embedding.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

constexpr int64_t kRun = 256;
constexpr int kVectors = 4;

// The columns that start at `from` and `to`: V vectors, of which the last has `lanes` lanes.
template <int V, class Real>
UNROLLED_INLINE void sum_columns(int64_t count, const int64_t* places, int64_t n, int64_t lanes,
                                 const Real* from, Real* to) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> total[V] = {};
  for (int64_t begin = 0; begin < count; begin += kRun) {
    const int64_t end = begin + kRun < count ? begin + kRun : count;
    Vec<Real> sum[V] = {};
    for (int64_t i = begin; i < end; ++i) {
      const Real* row = from + places[i] * n;
#pragma GCC unroll 4
      for (int v = 0; v + 1 < V; ++v) sum[v] += load(row + v * W);
      sum[V - 1] += load_or_zero(row + (V - 1) * W, lanes);
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) total[v] += sum[v];
  }
#pragma GCC unroll 4
  for (int v = 0; v + 1 < V; ++v) store(to + v * W, total[v]);
  if (lanes == W) {
    store(to + (V - 1) * W, total[V - 1]);
  } else {
    store_partial(to + (V - 1) * W, lanes, total[V - 1]);
  }
}

template <class Real>
void sum_rows(int64_t count, const int64_t* places, int64_t n, const Real* from, Real* to) {
  constexpr int64_t W = kWidth<Real>;
  int64_t i = 0;
  for (; i + kVectors * W <= n; i += kVectors * W)
    sum_columns<kVectors>(count, places, n, W, from + i, to + i);
  for (; i + W <= n; i += W) sum_columns<1>(count, places, n, W, from + i, to + i);
  if (i < n) sum_columns<1>(count, places, n, n - i, from + i, to + i);
}

}  // namespace

template <class Real>
EmbeddingKernels<Real> embedding_kernels() {
  return {sum_rows<Real>};
}
template EmbeddingKernels<float> embedding_kernels();
template EmbeddingKernels<double> embedding_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
