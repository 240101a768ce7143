#include "kernels/depthwise.h"

#include "kernels/depthwise_block.h"
#include "kernels/simd_stream.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
UNROLLED_INLINE void clear(int64_t n, Real* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = 0;
}

// Rows of a plane that is not split; they end in a vector of zeros.
template <class Real>
void copy_rows(const PaddedPlane& p, int64_t rows, const Real* x, Real* to) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t whole = p.W - p.W % W, tail = p.W % W;
  for (int64_t i = 0; i < rows; ++i, x += p.row_step, to += p.row_pitch()) {
    for (int64_t j = 0; j < whole; j += W) store(to + j, load(x + j));
    if (tail > 0) store(to + whole, load_partial(x + whole, tail, Real(0)));
  }
}

// Columns 0, 2, ... to `even`, columns 1, 3, ... to `odd`.
template <class Real>
void split_rows(const PaddedPlane& p, int64_t rows, const Real* x, Real* even_to, Real* odd_to) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t whole = p.W - p.W % (2 * W), tail = p.W % (2 * W);
  for (int64_t i = 0; i < rows; ++i, x += p.row_step, even_to += p.row_pitch(), odd_to += p.row_pitch()) {
    for (int64_t j = 0; j < whole; j += 2 * W) {
      const Vec<Real> a = load(x + j), b = load(x + j + W);
      store(even_to + j / 2, even<Real>(a, b));
      store(odd_to + j / 2, odd<Real>(a, b));
    }
    if (tail == 0) continue;
    const Vec<Real> a = load_or_zero(x + whole, tail < W ? tail : W);
    const Vec<Real> b = tail > W ? load_partial(x + whole + W, tail - W, Real(0)) : Vec<Real>{};
    store(even_to + whole / 2, even<Real>(a, b));
    store(odd_to + whole / 2, odd<Real>(a, b));
  }
}

template <class Real>
void pad_rows(const PaddedPlane& p, int64_t first, int64_t rows, const Real* x, Real* band) {
  const int64_t pitch = p.row_pitch();
  int64_t begin = p.pad_top - first, end = begin + p.H;  // rows of the band that hold rows of the plane
  begin = begin < 0 ? 0 : begin > rows ? rows : begin;
  end = end < begin ? begin : end > rows ? rows : end;
  if (!p.whole) {
    clear(begin * pitch, band);
    clear((rows - end) * pitch, band + end * pitch);
  }
  const Real* from = x + (first + begin - p.pad_top) * p.row_step;
  Real* to = band + begin * pitch;
  if (p.stride_w == 1) return copy_rows(p, end - begin, from, to + p.column(p.pad_left));
  if (p.stride_w == 2) {
    return split_rows(p, end - begin, from, to + p.column(p.pad_left), to + p.column(p.pad_left + 1));
  }
  for (int64_t i = begin; i < end; ++i, from += p.row_step, to += pitch) {
    for (int64_t w = 0; w < p.W; ++w) to[p.column(p.pad_left + w)] = from[w];
  }
}

// Every loop over the sums is unrolled: one that is not spills the whole array to memory. Row i of the band
// meets row (i - r) / stride of the block by tap r: it is loaded once for all of them. R = 0: the window says
// how many rows of taps there are, and each loads for itself. The order of a pixel's sum is the same in all
// blocks.
template <class Real, int R, int stride, int rows, int vectors>
UNROLLED_INLINE void add_products(const DepthwiseWindow& w, int64_t pitch, const Real* taps, const Real* from,
                                  Vec<Real> (&sum)[rows][vectors]) {
  constexpr int64_t W = kWidth<Real>;
  for (int64_t q = 0; q < w.S; ++q) {
    const Real* column = from + w.columns[q];
    if constexpr (R == 0) {
      for (int64_t r = 0; r < w.R; ++r, ++taps, column += w.dilation_h * w.row_pitch) {
        const Vec<Real> tap = broadcast<Real>(*taps);
#pragma GCC unroll 8
        for (int b = 0; b < rows; ++b) {
#pragma GCC unroll 8
          for (int v = 0; v < vectors; ++v)
            sum[b][v] += tap * load(column + b * w.stride_h * w.row_pitch + v * W);
        }
      }
    } else {
      Vec<Real> tap[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) tap[r] = broadcast<Real>(taps[r]);
      taps += R;
#pragma GCC unroll 32
      for (int i = 0; i < (rows - 1) * stride + R; ++i) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) {
          const Vec<Real> x = keep(load(column + i * pitch + v * W));
#pragma GCC unroll 8
          for (int r = 0; r < R; ++r) {
            if (i >= r && (i - r) % stride == 0 && (i - r) / stride < rows)
              sum[(i - r) / stride][v] += tap[r] * x;
          }
        }
      }
    }
  }
}

// `count` columns of the last vector are stored.
template <class Real, int R, int stride, int rows, int vectors>
UNROLLED_INLINE void correlate_block(const DepthwiseWindow& w, const Real* taps,
                                     const DepthwiseEnds<Real>& ends, const Place<Real>& place,
                                     int64_t count) {
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> sum[rows][vectors];
  const Vec<Real> start = broadcast<Real>(ends.bias);
#pragma GCC unroll 8
  for (int b = 0; b < rows; ++b) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sum[b][v] = start;
  }
  add_products<Real, R, stride, rows, vectors>(w, place.band_pitch, taps, place.band, sum);
  Real* y = place.y;
  if (ends.accumulate) {
#pragma GCC unroll 8
    for (int b = 0; b < rows; ++b) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v)
        sum[b][v] += load_or_zero(y + b * place.y_pitch + v * W, v + 1 < vectors ? W : count);
    }
  }
  if (ends.relu) {
#pragma GCC unroll 8
    for (int b = 0; b < rows; ++b) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sum[b][v] = sum[b][v] <= Real(0) ? Vec<Real>{} : sum[b][v];
    }
  }
#pragma GCC unroll 8
  for (int b = 0; b < rows; ++b, y += place.y_pitch) {
#pragma GCC unroll 8
    for (int v = 0; v + 1 < vectors; ++v) store(y + v * W, sum[b][v]);
  }
  y = place.y + (vectors - 1) * W;
  if (count == W) {
#pragma GCC unroll 8
    for (int b = 0; b < rows; ++b) store(y + b * place.y_pitch, sum[b][vectors - 1]);
  } else {
#pragma GCC unroll 8
    for (int b = 0; b < rows; ++b) store_partial(y + b * place.y_pitch, count, sum[b][vectors - 1]);
  }
}

template <class Real, int R, int stride, int rows>
void correlate_row_block(const DepthwiseWindow& w, const Real* taps, const DepthwiseEnds<Real>& ends,
                         int64_t columns, const Place<Real>& place) {
  constexpr int64_t W = kWidth<Real>;
  constexpr int vectors = kBlockVectors<R, rows>;
  int64_t j = 0;
  while (j < columns) {
    const int64_t left = columns - j, many = left > (vectors - 1) * W ? vectors : 1;
    const int64_t rest = left - (many - 1) * W, count = rest < W ? rest : W;
    const Place<Real> own = place.moved(0, j);
    if (many == vectors) {
      correlate_block<Real, R, stride, rows, vectors>(w, taps, ends, own, count);
    } else {
      correlate_block<Real, R, stride, rows, 1>(w, taps, ends, own, count);
    }
    j += many * W;
  }
}

template <class Real, int R, int stride>
void correlate_rows(const DepthwiseWindow& w, const Real* taps, const DepthwiseEnds<Real>& ends, int64_t rows,
                    int64_t columns, const Place<Real>& place) {
  const int64_t step = R == 0 ? w.stride_h : stride;
  int64_t i = 0;
  for (; rows - i >= kTall; i += kTall) {
    correlate_row_block<Real, R, stride, kTall>(w, taps, ends, columns, place.moved(i, 0, step));
  }
  for (; rows - i >= kLow; i += kLow) {
    correlate_row_block<Real, R, stride, kLow>(w, taps, ends, columns, place.moved(i, 0, step));
  }
  for (; i < rows; ++i) {
    correlate_row_block<Real, R, stride, 1>(w, taps, ends, columns, place.moved(i, 0, step));
  }
}

// Rows that lie `dilation` apart meet the same rows of the band as those of a plane without dilation.
template <class Real, int R, int stride>
void correlate_dilated(const DepthwiseWindow& w, const Real* taps, const DepthwiseEnds<Real>& ends,
                       int64_t rows, int64_t columns, const Place<Real>& place) {
  const int64_t d = w.dilation_h;
  if (d == 1) return correlate_rows<Real, R, stride>(w, taps, ends, rows, columns, place);
  for (int64_t first = 0; first < d && first < rows; ++first) {
    const Place<Real> own = {place.band + first * place.band_pitch, d * place.band_pitch,
                             place.y + first * place.y_pitch, d * place.y_pitch};
    correlate_rows<Real, R, stride>(w, taps, ends, (rows - first + d - 1) / d, columns, own);
  }
}

template <class Real>
void correlate(const DepthwiseWindow& w, const Real* taps, const DepthwiseEnds<Real>& ends, int64_t rows,
               int64_t columns, const Real* band, Real* y, int64_t y_pitch) {
  const Place<Real> place = {band, w.row_pitch, y, y_pitch};
  if (w.stride_h == 1) {
    if (w.R == 2) return correlate_dilated<Real, 2, 1>(w, taps, ends, rows, columns, place);
    if (w.R == 3) return correlate_dilated<Real, 3, 1>(w, taps, ends, rows, columns, place);
    if (w.R == 4) return correlate_dilated<Real, 4, 1>(w, taps, ends, rows, columns, place);
    if (w.R == 5) return correlate_dilated<Real, 5, 1>(w, taps, ends, rows, columns, place);
    if (w.R == 7) return correlate_dilated<Real, 7, 1>(w, taps, ends, rows, columns, place);
  } else if (w.stride_h == 2 && w.dilation_h == 1) {
    if (w.R == 3) return correlate_rows<Real, 3, 2>(w, taps, ends, rows, columns, place);
    if (w.R == 5) return correlate_rows<Real, 5, 2>(w, taps, ends, rows, columns, place);
    if (w.R == 7) return correlate_rows<Real, 7, 2>(w, taps, ends, rows, columns, place);
  }
  correlate_rows<Real, 0, 0>(w, taps, ends, rows, columns, place);
}

template <class Real>
void interleave(int64_t rows, int64_t n, const Real* even, const Real* odd, int64_t from_pitch, Real* to,
                int64_t to_pitch) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t whole = n - n % (2 * W), tail = n % (2 * W);
  for (int64_t i = 0; i < rows; ++i, even += from_pitch, odd += from_pitch, to += to_pitch) {
    for (int64_t j = 0; j < whole; j += 2 * W) {
      store_zipped<Real>(to + j, load(even + j / 2), load(odd + j / 2));
    }
    if (tail == 0) continue;
    Real last[2 * W];
    store_zipped<Real>(last, load_partial(even + whole / 2, (tail + 1) / 2, Real(0)),
                       load_partial(odd + whole / 2, tail / 2, Real(0)));
    const int64_t low = tail < W ? tail : W;
    store_partial(to + whole, low, load(last));
    if (tail > W) store_partial(to + whole + W, tail - W, load(last + W));
  }
}

template <class Real>
void write_past(int64_t n, const Real* from, Real* to) {
  int64_t head = 0;
  while (head < n && !starts_line(to + head)) ++head;
  for (int64_t i = 0; i < head; ++i) to[i] = from[i];
  map_past(n - head, to + head,
           [from, head](int64_t i, int64_t count) { return load_or_zero(from + head + i, count); });
}

}  // namespace

template <class Real>
DepthwiseKernels<Real> depthwise_kernels() {
  return {pad_rows<Real>, correlate<Real>, interleave<Real>, write_past<Real>};
}
template DepthwiseKernels<float> depthwise_kernels();
template DepthwiseKernels<double> depthwise_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
