#include "kernels/depthwise_plane.h"

#include "kernels/depthwise_block.h"

namespace unrolled::UNROLLED_LEVEL {

#if defined(__AVX512F__) && UNROLLED_VECTOR_BYTES == 64

namespace {

constexpr int kTaps = 3;
// What a row outside the plane is read from: as long as the vectors of a block and the taps.
alignas(64) constexpr double kZeros[64] = {};

template <class Real>
UNROLLED_INLINE Vec<Real> load_masked(const Real* p, unsigned lanes) {
  if constexpr (sizeof(Real) == 4) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(lanes), p);
  } else {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>(lanes), p);
  }
}

template <class Real>
UNROLLED_INLINE void store_masked(Real* p, unsigned lanes, Vec<Real> v) {
  if constexpr (sizeof(Real) == 4) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(lanes), v);
  } else {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(lanes), v);
  }
}

// Some vectors side by side: which of their lanes are in the result, and which meet the plane by each tap.
template <int vectors>
struct Columns {
  int64_t first;  // of the result
  unsigned result[vectors], tap[kTaps][vectors];
};

template <class Real, int vectors>
Columns<vectors> columns_from(const DepthwisePlane& p, int64_t first) {
  Columns<vectors> columns;
  columns.first = first;
  for (int v = 0; v < vectors; ++v) {
    const int64_t j = first + v * kWidth<Real>;
    columns.result[v] = detail::lanes_below<Real>(p.columns - j);
    for (int q = 0; q < kTaps; ++q) {
      const int64_t w = j - p.pad_left + q;
      columns.tap[q][v] =
          columns.result[v] & detail::lanes_below<Real>(p.W - w) & ~detail::lanes_below<Real>(-w);
    }
  }
  return columns;
}

// Where the block of `rows` rows from `i` on reads: zeros for rows outside the plane.
template <class Real, int rows>
struct Sources {
  const Real* row[rows + kTaps - 1];

  UNROLLED_INLINE Sources(const DepthwisePlane& p, int64_t i, int64_t j, const Real* x) {
#pragma GCC unroll 16
    for (int t = 0; t < rows + kTaps - 1; ++t) {
      const int64_t h = i - p.pad_top + t;
      row[t] = h >= 0 && h < p.H ? x + h * p.W + j - p.pad_left : reinterpret_cast<const Real*>(kZeros);
    }
  }
};

// The order of a pixel's sum is that of the other depthwise kernels.
template <class Real, int rows, int vectors>
UNROLLED_INLINE void plane_block(const DepthwisePlane& p, const Columns<vectors>& columns, int64_t i,
                                 const Real* taps, const DepthwiseEnds<Real>& ends, const Real* x, Real* y) {
  constexpr int64_t W = kWidth<Real>;
  const Sources<Real, rows> from(p, i, columns.first, x);
  Vec<Real> sum[rows][vectors];
  const Vec<Real> start = broadcast<Real>(ends.bias);
#pragma GCC unroll 8
  for (int b = 0; b < rows; ++b) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[b][v] = start;
  }
#pragma GCC unroll 3
  for (int q = 0; q < kTaps; ++q, taps += kTaps) {
    const Vec<Real> tap[kTaps] = {broadcast<Real>(taps[0]), broadcast<Real>(taps[1]),
                                  broadcast<Real>(taps[2])};
#pragma GCC unroll 16
    for (int t = 0; t < rows + kTaps - 1; ++t) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        const Vec<Real> value = keep(load_masked(from.row[t] + q + v * W, columns.tap[q][v]));
#pragma GCC unroll 3
        for (int r = 0; r < kTaps; ++r) {
          if (t >= r && t - r < rows) sum[t - r][v] += tap[r] * value;
        }
      }
    }
  }
  y += i * p.columns + columns.first;
#pragma GCC unroll 8
  for (int b = 0; b < rows; ++b, y += p.columns) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      if (ends.accumulate) sum[b][v] += load_masked(y + v * W, columns.result[v]);
      if (ends.relu) sum[b][v] = sum[b][v] <= Real(0) ? Vec<Real>{} : sum[b][v];
      store_masked(y + v * W, columns.result[v], sum[b][v]);
    }
  }
}

template <class Real, int vectors>
void plane_columns(const DepthwisePlane& p, int64_t first, const Real* taps, const DepthwiseEnds<Real>& ends,
                   const Real* x, Real* y) {
  const Columns<vectors> columns = columns_from<Real, vectors>(p, first);
  int64_t i = 0;
  for (; p.rows - i >= kTall; i += kTall) plane_block<Real, kTall>(p, columns, i, taps, ends, x, y);
  for (; p.rows - i >= kLow; i += kLow) plane_block<Real, kLow>(p, columns, i, taps, ends, x, y);
  for (; i < p.rows; ++i) plane_block<Real, 1>(p, columns, i, taps, ends, x, y);
}

template <class Real>
void correlate(const DepthwisePlane& p, const Real* taps, const DepthwiseEnds<Real>& ends, const Real* x,
               Real* y) {
  for (int64_t j = 0; j < p.columns; j += kVectors * kWidth<Real>) {
    if (p.columns - j > kWidth<Real>) {
      plane_columns<Real, kVectors>(p, j, taps, ends, x, y);
    } else {
      plane_columns<Real, 1>(p, j, taps, ends, x, y);
    }
  }
}

template <class Real>
UNROLLED_INLINE void add_to(Real* p, Vec<Real> v) {
  store(p, load(p) + v);
}

// As correlate_taps_block of the other kernels: every block's sums start from zero.
template <class Real, int rows, int vectors>
UNROLLED_INLINE void taps_block(const DepthwisePlane& p, const Columns<vectors>& columns, int64_t i,
                                const Real* grad_y, const Real* x, Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  const Sources<Real, rows> from(p, i, columns.first, x);
  grad_y += i * p.columns + columns.first;
  Vec<Real> g[rows][vectors], total = {};
#pragma GCC unroll 8
  for (int b = 0; b < rows; ++b, grad_y += p.columns) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      g[b][v] = keep(load_masked(grad_y + v * W, columns.result[v]));
      total += g[b][v];
    }
  }
#pragma GCC unroll 3
  for (int q = 0; q < kTaps; ++q) {
    Vec<Real> sum[kTaps][vectors] = {};
#pragma GCC unroll 16
    for (int t = 0; t < rows + kTaps - 1; ++t) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        const Vec<Real> value = keep(load_masked(from.row[t] + q + v * W, columns.tap[q][v]));
#pragma GCC unroll 3
        for (int r = 0; r < kTaps; ++r) {
          if (t >= r && t - r < rows) sum[r][v] += g[t - r][v] * value;
        }
      }
    }
#pragma GCC unroll 3
    for (int r = 0; r < kTaps; ++r, sums += W) {
#pragma GCC unroll 8
      for (int v = 1; v < vectors; ++v) sum[r][0] += sum[r][v];
      add_to(sums, sum[r][0]);
    }
  }
  add_to(sums, total);
}

template <class Real, int vectors>
void taps_columns(const DepthwisePlane& p, int64_t first, const Real* grad_y, const Real* x, Real* sums) {
  const Columns<vectors> columns = columns_from<Real, vectors>(p, first);
  int64_t i = 0;
  for (; p.rows - i >= kTall; i += kTall) taps_block<Real, kTall>(p, columns, i, grad_y, x, sums);
  for (; p.rows - i >= kLow; i += kLow) taps_block<Real, kLow>(p, columns, i, grad_y, x, sums);
  for (; i < p.rows; ++i) taps_block<Real, 1>(p, columns, i, grad_y, x, sums);
}

template <class Real>
void correlate_taps(const DepthwisePlane& p, const Real* grad_y, const Real* x, Real* sums) {
  for (int64_t j = 0; j < p.columns; j += kVectors * kWidth<Real>) {
    if (p.columns - j > kWidth<Real>) {
      taps_columns<Real, kVectors>(p, j, grad_y, x, sums);
    } else {
      taps_columns<Real, 1>(p, j, grad_y, x, sums);
    }
  }
}

}  // namespace

template <class Real>
DepthwisePlaneKernels<Real> depthwise_plane_kernels() {
  return {correlate<Real>, correlate_taps<Real>};
}

#else

template <class Real>
DepthwisePlaneKernels<Real> depthwise_plane_kernels() {
  return {nullptr, nullptr};
}

#endif

template DepthwisePlaneKernels<float> depthwise_plane_kernels();
template DepthwisePlaneKernels<double> depthwise_plane_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
