#include "ops/conv_depthwise_weight.h"

#include "dispatch.h"

namespace unrolled {

template <class Real>
DepthwiseWeightGradient<Real>::DepthwiseWeightGradient(const Conv2dShape& s)
    : s_(s),
      pass_(forward_pass(s, sizeof(Real))),
      tap_columns_(pass_.tap_columns()),
      window_(forward_window(s, pass_, tap_columns_)),
      bands_(forward_bands<Real>(s)) {}

template <class Real>
void DepthwiseWeightGradient<Real>::correlate(int64_t c, const Real* grad_y, const Real* x, Scratch& scratch,
                                              Real* sums) const {
  const DepthwiseWeightKernels<Real>& kernel = kernels<Real>().depthwise_weight;
  const int64_t m = s_.K / s_.C, step = (s_.kernel() + 1) * kernel.lanes;
  if (bands_.fit) {
    return bands_.for_each([&](const DepthwisePlane& band, int64_t i) {
      bands_.prefetch(band, i, x);
      for (int64_t k = c * m; k < (c + 1) * m; ++k) {
        const Real* from = grad_y + k * s_.pixels() + i * s_.OW;
        prefetch_run(band.rows * s_.OW, from + band.rows * s_.OW);
        kernels<Real>().depthwise_plane.correlate_taps(band, from, x, sums + (k - c * m) * step);
      }
    });
  }
  pass_.for_each_band([&](int64_t i, int64_t rows) {
    pass_.fill_band(i, rows, x, scratch.band);
    pass_.prefetch_band(i + rows, x);
    for (int64_t k = c * m; k < (c + 1) * m; ++k) {
      const Real* from = grad_y + k * s_.pixels() + i * s_.OW;
      prefetch_run(rows * s_.OW, from + rows * s_.OW);
      kernel.correlate_taps(window_, rows, s_.OW, from, s_.OW, scratch.band.data(),
                            sums + (k - c * m) * step);
    }
  });
}

template class DepthwiseWeightGradient<float>;
template class DepthwiseWeightGradient<double>;

}  // namespace unrolled
