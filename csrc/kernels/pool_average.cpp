#include "kernels/pool_average.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// sums[i] = row[i], or added to it; the lanes behind the row become 0.
template <class Real, bool kAdd>
UNROLLED_INLINE void take_row(int64_t n, const Real* row, Real* sums) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t i = 0; i < n; i += W) {
    const Vec<Real> v = i + W <= n ? load(row + i) : load_partial(row + i, n - i, Real(0));
    store(sums + i, kAdd ? load(sums + i) + v : v);
  }
}

// The sums of kKernel or `kernel` elements each, kStride apart, divided; kWidth windows at a time.
template <class Real, int kStride, int kKernel>
UNROLLED_INLINE void average_windows(const AverageAxis<Real>& axis, const Real* sums, Real rows,
                                     int64_t writable, Real* y) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t kernel = kKernel ? kKernel : axis.kernel, outputs = axis.outputs;
  for (int64_t o = 0; o < outputs; o += W, sums += W * kStride) {
    Vec<Real> total = {};
#pragma GCC unroll 3
    for (int64_t q = 0; q < kernel; q += kStride) {
      if constexpr (kStride == 1) {
        total += load(sums + q);
      } else {
        const Vec<Real> a = load(sums + q), b = load(sums + q + W);
        total += even<Real>(a, b);
        if (q + 1 < kernel) total += odd<Real>(a, b);
      }
    }
    const int64_t count = outputs - o;
    const Vec<Real> divisor =
        count >= W ? load(axis.divisor + o) : load_partial(axis.divisor + o, count, Real(1));
    store_some(y + o, writable - o, total / (divisor * rows));
  }
}

template <class Real>
Real sum_of(int64_t n, const Real* x) {
  if (n >= 2 * kWidth<Real>) {
    return static_cast<Real>(
        sum_mapped<Real>(n, [x](int64_t i, int64_t count) { return load_or_zero(x + i, count); }));
  }
  Real sum = x[0];
  for (int64_t i = 1; i < n; ++i) sum += x[i];
  return sum;
}

// One row of y. `sums` begins `padding` elements before the first column; what surrounds the columns is 0.
template <class Real>
void forward_row(const AverageShape<Real>& shape, const Real* image, int64_t oh, int64_t writable, Real* sums,
                 Real* y) {
  const AverageAxis<Real>&rows = shape.rows, &columns = shape.columns;
  const int64_t W = columns.size, first = rows.first[oh], last = rows.last[oh];
  Real* inside = sums + columns.padding;
  take_row<Real, false>(W, image + first * W, inside);
  for (int64_t h = first + 1; h < last; ++h) take_row<Real, true>(W, image + h * W, inside);
  const Real divisor = rows.divisor[oh];
  if (columns.stride == 2 && columns.kernel == 2)
    return average_windows<Real, 2, 2>(columns, sums, divisor, writable, y);
  if (columns.stride == 2) return average_windows<Real, 2, 0>(columns, sums, divisor, writable, y);
  if (columns.stride == 1) return average_windows<Real, 1, 0>(columns, sums, divisor, writable, y);
  for (int64_t ow = 0; ow < columns.outputs; ++ow) {
    const int64_t begin = columns.first[ow];
    y[ow] = sum_of(columns.last[ow] - begin, inside + begin) / (divisor * columns.divisor[ow]);
  }
}

template <class Real>
void forward(const AverageShape<Real>& shape, const Real* x, int64_t begin, int64_t end, Real* scratch,
             Real* y) {
  const int64_t OH = shape.rows.outputs, OW = shape.columns.outputs,
                pixels = shape.rows.size * shape.columns.size;
  std::memset(scratch, 0, static_cast<size_t>(shape.scratch) * sizeof(Real));
  int64_t plane = begin / OH, oh = begin % OH;
  for (int64_t i = begin; i < end; ++i, y += OW) {
    forward_row(shape, x + plane * pixels, oh, (end - i) * OW, scratch, y);
    if (++oh == OH) ++plane, oh = 0;
  }
}

// Windows of one size: grad_x of the columns stride * k + residue is the sum over the taps with this residue.
// `shares` begins `margin` windows before the first; what surrounds the windows is 0.
template <class Real, int kStride, int kKernel>
UNROLLED_INLINE void spread_windows(const AverageAxis<Real>& axis, const Real* shares, int64_t writable,
                                    Real* grad_x) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t kernel = kKernel ? kKernel : axis.kernel, padding = axis.padding, size = axis.size;
  for (int64_t w = 0; w < size; w += kStride * W) {
    Vec<Real> even_sum = {}, odd_sum = {};
    if (kKernel == 2 && padding == 0) {
      even_sum = odd_sum = load(shares + w / 2);
    } else {
      for (int64_t q = 0; q < kernel; ++q) {
        const int64_t offset = q - padding, residue = kStride == 1 ? 0 : offset & 1;
        const Vec<Real> share = load(shares + w / kStride - (offset - residue) / kStride);
        if (residue) {
          odd_sum += share;
        } else {
          even_sum += share;
        }
      }
    }
    if constexpr (kStride == 1) {
      store_some(grad_x + w, writable - w, even_sum);
    } else {
      store_some(grad_x + w, writable - w, zip_low<Real>(even_sum, odd_sum));
      if (writable - w > W) store_some(grad_x + w + W, writable - w - W, zip_high<Real>(even_sum, odd_sum));
    }
  }
}

// shares[ow] = the gradient of each element of window ow of the rows first .. last - 1.
template <class Real>
void take_shares(const AverageShape<Real>& shape, const Real* grad_y, int64_t first, int64_t last,
                 Real* shares) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t OW = shape.columns.outputs;
  for (int64_t ow = 0; ow < OW; ow += W) {
    const int64_t count = OW - ow < W ? OW - ow : W;
    const auto read = [&](const Real* p, Real fill) {
      return count == W ? load(p) : load_partial(p, count, fill);
    };
    Vec<Real> sum = {};
    for (int64_t oh = first; oh < last; ++oh) {
      sum += read(grad_y + oh * OW + ow, 0) / (read(shape.columns.divisor + ow, 1) * shape.rows.divisor[oh]);
    }
    store(shares + ow, sum);
  }
}

template <class Real>
void backward_row(const AverageShape<Real>& shape, const Real* grad_y, int64_t h, int64_t writable,
                  Real* scratch, Real* grad_x) {
  const AverageAxis<Real>& columns = shape.columns;
  Real* shares = scratch + columns.kernel;  // as many windows before the first are read, all 0
  take_shares(shape, grad_y, shape.rows.holders[h], shape.rows.holders_end[h], shares);
  if (columns.stride == 2 && columns.kernel == 2)
    return spread_windows<Real, 2, 2>(columns, shares, writable, grad_x);
  if (columns.stride == 2) return spread_windows<Real, 2, 0>(columns, shares, writable, grad_x);
  if (columns.stride == 1) return spread_windows<Real, 1, 0>(columns, shares, writable, grad_x);
  for (int64_t w = 0; w < columns.size; ++w) {
    Real sum = 0;
    for (int64_t ow = columns.holders[w]; ow < columns.holders_end[w]; ++ow) sum += shares[ow];
    grad_x[w] = sum;
  }
}

template <class Real>
void backward(const AverageShape<Real>& shape, const Real* grad_y, int64_t begin, int64_t end, Real* scratch,
              Real* grad_x) {
  const AverageAxis<Real>& rows = shape.rows;
  const int64_t H = rows.size, W = shape.columns.size, outputs = rows.outputs * shape.columns.outputs;
  std::memset(scratch, 0, static_cast<size_t>(shape.scratch) * sizeof(Real));
  int64_t plane = begin / H, h = begin % H;
  for (int64_t i = begin; i < end; ++i, grad_x += W) {
    const bool like_above = i > begin && h > 0 && rows.holders[h] == rows.holders[h - 1] &&
                            rows.holders_end[h] == rows.holders_end[h - 1];
    if (like_above) {
      std::memcpy(grad_x, grad_x - W, static_cast<size_t>(W) * sizeof(Real));
    } else {
      backward_row(shape, grad_y + plane * outputs, h, (end - i) * W, scratch, grad_x);
    }
    if (++h == H) ++plane, h = 0;
  }
}

}  // namespace

template <class Real>
AveragePoolKernels<Real> average_pool_kernels() {
  return {forward<Real>, backward<Real>};
}
template AveragePoolKernels<float> average_pool_kernels();
template AveragePoolKernels<double> average_pool_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
