#include "kernels/depthwise_weight.h"

#include "kernels/depthwise_block.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// A load that touches `count` lanes only where the vector is the last of a row.
template <class Real, bool partial>
UNROLLED_INLINE Vec<Real> load_lanes(const Real* p, int64_t count) {
  if constexpr (partial) return load_partial(p, count, Real(0));
  return load(p);
}

template <class Real>
UNROLLED_INLINE void add_to(Real* p, Vec<Real> v) {
  store(p, load(p) + v);
}

// grad_y stays in registers while all taps pass over it. Every block's sums start from zero: shorter chains
// are more accurate.
template <class Real, int R, int stride, int rows, int vectors, bool partial>
UNROLLED_INLINE void correlate_taps_block(const DepthwiseWindow& w, const Place<const Real>& place,
                                          int64_t count, Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> g[rows][vectors], total = {};
#pragma GCC unroll 8
  for (int b = 0; b < rows; ++b) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      const Real* y = place.y + b * place.y_pitch + v * W;
      g[b][v] = partial && v + 1 == vectors ? load_lanes<Real, partial>(y, count) : load(y);
      total += g[b][v];
    }
  }
  for (int64_t q = 0; q < w.S; ++q) {
    const Real* column = place.band + w.columns[q];
    if constexpr (R == 0) {
      for (int64_t r = 0; r < w.R; ++r, sums += W, column += w.dilation_h * w.row_pitch) {
        Vec<Real> sum[vectors] = {};
#pragma GCC unroll 8
        for (int b = 0; b < rows; ++b) {
#pragma GCC unroll 8
          for (int v = 0; v < vectors; ++v) {
            const Real* x = column + b * w.stride_h * w.row_pitch + v * W;
            sum[v] += g[b][v] * (partial && v + 1 == vectors ? load_lanes<Real, partial>(x, count) : load(x));
          }
        }
#pragma GCC unroll 8
        for (int v = 1; v < vectors; ++v) sum[0] += sum[v];
        add_to(sums, sum[0]);
      }
    } else {
      Vec<Real> sum[R][vectors] = {};
#pragma GCC unroll 32
      for (int i = 0; i < (rows - 1) * stride + R; ++i) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) {
          const Real* p = column + i * place.band_pitch + v * W;
          const Vec<Real> x =
              keep(partial && v + 1 == vectors ? load_lanes<Real, partial>(p, count) : load(p));
#pragma GCC unroll 8
          for (int r = 0; r < R; ++r) {
            if (i >= r && (i - r) % stride == 0 && (i - r) / stride < rows)
              sum[r][v] += g[(i - r) / stride][v] * x;
          }
        }
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r, sums += W) {
#pragma GCC unroll 8
        for (int v = 1; v < vectors; ++v) sum[r][0] += sum[r][v];
        add_to(sums, sum[r][0]);
      }
    }
  }
  add_to(sums, total);
}

template <class Real, int R, int stride, int rows>
void correlate_taps_row_block(const DepthwiseWindow& w, int64_t columns, const Place<const Real>& place,
                              Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  constexpr int vectors = kBlockVectors<R, rows>;
  int64_t j = 0;
  while (j < columns) {
    const int64_t left = columns - j, many = left > (vectors - 1) * W ? vectors : 1;
    const int64_t count = left - (many - 1) * W;
    const Place<const Real> own = place.moved(0, j);
    if (many == vectors && count >= W) {
      correlate_taps_block<Real, R, stride, rows, vectors, false>(w, own, W, sums);
    } else if (many == vectors) {
      correlate_taps_block<Real, R, stride, rows, vectors, true>(w, own, count, sums);
    } else if (count >= W) {
      correlate_taps_block<Real, R, stride, rows, 1, false>(w, own, W, sums);
    } else {
      correlate_taps_block<Real, R, stride, rows, 1, true>(w, own, count, sums);
    }
    j += many * W;
  }
}

template <class Real, int R, int stride>
void correlate_taps_rows(const DepthwiseWindow& w, int64_t rows, int64_t columns,
                         const Place<const Real>& place, Real* sums) {
  const int64_t step = R == 0 ? w.stride_h : stride;
  int64_t i = 0;
  for (; rows - i >= kTall; i += kTall) {
    correlate_taps_row_block<Real, R, stride, kTall>(w, columns, place.moved(i, 0, step), sums);
  }
  for (; rows - i >= kLow; i += kLow) {
    correlate_taps_row_block<Real, R, stride, kLow>(w, columns, place.moved(i, 0, step), sums);
  }
  for (; i < rows; ++i) {
    correlate_taps_row_block<Real, R, stride, 1>(w, columns, place.moved(i, 0, step), sums);
  }
}

template <class Real>
void correlate_taps(const DepthwiseWindow& w, int64_t rows, int64_t columns, const Real* grad_y,
                    int64_t y_pitch, const Real* band, Real* sums) {
  const Place<const Real> place = {band, w.row_pitch, grad_y, y_pitch};
  if (w.stride_h == 1 && w.dilation_h == 1) {
    if (w.R == 3) return correlate_taps_rows<Real, 3, 1>(w, rows, columns, place, sums);
    if (w.R == 5) return correlate_taps_rows<Real, 5, 1>(w, rows, columns, place, sums);
    if (w.R == 7) return correlate_taps_rows<Real, 7, 1>(w, rows, columns, place, sums);
  } else if (w.stride_h == 2 && w.dilation_h == 1) {
    if (w.R == 3) return correlate_taps_rows<Real, 3, 2>(w, rows, columns, place, sums);
    if (w.R == 5) return correlate_taps_rows<Real, 5, 2>(w, rows, columns, place, sums);
    if (w.R == 7) return correlate_taps_rows<Real, 7, 2>(w, rows, columns, place, sums);
  }
  correlate_taps_rows<Real, 0, 0>(w, rows, columns, place, sums);
}

template <class Real>
void add_lanes(int64_t n, const Real* sums, Real* total) {
  constexpr int64_t W = kWidth<Real>;
  int64_t i = 0;
  for (; i + W <= n; i += W, sums += W * W) {
    Real lanes[W * W];
    transpose_block<Real>([=](int k) { return load(sums + k * W); }, lanes, W);
    for (int64_t half = W / 2; half > 0; half /= 2) {
      for (int64_t k = 0; k < half; ++k) add_to(lanes + k * W, load(lanes + (k + half) * W));
    }
    store(total + i, load(lanes));
  }
  for (; i < n; ++i, sums += W) total[i] = sum_lanes<Real>(load(sums));
}

}  // namespace

template <class Real>
DepthwiseWeightKernels<Real> depthwise_weight_kernels() {
  return {kWidth<Real>, correlate_taps<Real>, add_lanes<Real>};
}
template DepthwiseWeightKernels<float> depthwise_weight_kernels();
template DepthwiseWeightKernels<double> depthwise_weight_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
