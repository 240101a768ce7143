#include "kernels/upsample.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
void blend_rows(const ResampleTaps<Real>& taps, int64_t row, int64_t n, const Real* x, Real* y) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t begin = taps.offset[row], end = taps.offset[row + 1];
  for (int64_t i = 0; i < n; i += W) {
    const int64_t count = n - i < W ? n - i : W;
    Vec<Real> sum = {};
    for (int64_t tap = begin; tap < end; ++tap) {
      sum += taps.weight[tap] * load_or_zero(x + taps.index[tap] * n + i, count);
    }
    count == W ? store(y + i, sum) : store_partial(y + i, count, sum);
  }
}

template <class Real>
void blend_row(const ResampleTaps<Real>& taps, int64_t n, const Real* x, Real* y) {
  for (int64_t i = 0; i < n; ++i) {
    Real sum = 0;
    for (int64_t tap = taps.offset[i]; tap < taps.offset[i + 1]; ++tap) {
      sum += taps.weight[tap] * x[taps.index[tap]];
    }
    y[i] = sum;
  }
}

}  // namespace

template <class Real>
UpsampleKernels<Real> upsample_kernels() {
  return {blend_rows<Real>, blend_row<Real>};
}
template UpsampleKernels<float> upsample_kernels();
template UpsampleKernels<double> upsample_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
