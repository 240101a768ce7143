#include "kernels/pool_max.h"
#include "kernels/pool_rows.h"
#include "kernels/simd_bytes.h"
#include "kernels/simd_stream.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// Gradients and winners' places of the windows of one row, and how many windows there are from its first on
// to the last of all planes.
template <class Real>
struct WindowRow {
  const Real* grad_y;
  const uint8_t* window;
  int64_t readable;
};

template <class Real>
struct Windows {
  Vec<Real> grad;
  Bytes place;
};

// Windows first .. first + kWidth - 1 of a row of OW, those outside without a gradient. With kInner all may
// be read.
template <class Real, bool kInner>
UNROLLED_INLINE Windows<Real> load_windows(const WindowRow<Real>& row, int64_t first, int64_t OW) {
  constexpr int64_t W = kWidth<Real>;
  if constexpr (kInner) return {load(row.grad_y + first), load_bytes<Real>(row.window + first)};
  const Vec<Real> grad = load_between(row.grad_y + first, -first, OW - first, Real(0));
  if (first >= 0 && first + W <= row.readable) return {grad, load_bytes<Real>(row.window + first)};
  uint8_t places[W] = {};
  for (int64_t i = 0; i < W; ++i) {
    if (first + i >= 0 && first + i < OW) places[i] = row.window[first + i];
  }
  return {grad, load_bytes<Real>(places)};
}

// Windows that tile the image, kKernelW columns each: what they give to its rows first .. first + count - 1,
// counted from the windows' upper edge. `writable` elements may be written from grad_x on: a row's last
// vector goes beyond its end, and what follows is written later. kPast: past the caches.
template <class Real, int kKernelH, int kKernelW, bool kInner, bool kPast>
UNROLLED_INLINE void tile_block(const MaxPoolShape& s, const WindowRow<Real>& row, int64_t ow, int64_t first,
                                int64_t count, int64_t writable, Real* grad_x) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t columns = s.W;
  const Windows<Real> windows = load_windows<Real, kInner>(row, ow, s.OW);
  const auto put = [](Real* to, int64_t room, Vec<Real> v) {
    if constexpr (kPast) return store_past(to, v);
    store_some(to, kInner ? W : room, v);
  };
  if constexpr (kKernelW == 1) {
    const Places<Real> place = places_of<Real>(windows.place);
    for (int64_t r = 0; r < (kKernelH ? kKernelH : count); ++r, grad_x += columns, writable -= columns) {
      put(grad_x, writable, where_equal<Real>(place, same_place<Real>(first + r), windows.grad));
    }
  } else {
    const Vec<Real> low = zip_low<Real>(windows.grad, windows.grad);
    const Vec<Real> high = zip_high<Real>(windows.grad, windows.grad);
    Places<Real> place_low, place_high;
    places_twice<Real>(windows.place, place_low, place_high);
#pragma GCC unroll 2
    for (int64_t r = 0; r < (kKernelH ? kKernelH : count); ++r, grad_x += columns, writable -= columns) {
      const Places<Real> pair = alternating_places<Real>(2 * (first + r));
      put(grad_x, writable, where_equal<Real>(place_low, pair, low));
      if (kInner || writable > W) put(grad_x + W, writable - W, where_equal<Real>(place_high, pair, high));
    }
  }
}

// `count` rows of windows, whole vectors: of rows of one vector the only one, else the last comes first, for
// it writes beyond the row.
template <class Real, int kKernelH, int kKernelW, bool kPast>
__attribute__((noinline)) void tile_rows(const MaxPoolShape& shape, WindowRow<Real> row, int64_t count,
                                         Real* grad_x) {
  constexpr int64_t W = kWidth<Real>;
  const MaxPoolShape s = shape;
  const int64_t tail = (divide_up(s.W, kKernelW) - 1) / W * W, step = s.kernel_h * s.W;
  for (; count > 0; --count, grad_x += step, row.grad_y += s.OW, row.window += s.OW) {
    tile_block<Real, kKernelH, kKernelW, true, kPast>(s, row, tail, 0, s.kernel_h, 0,
                                                      grad_x + tail * kKernelW);
    for (int64_t ow = 0; ow < tail; ow += W) {
      tile_block<Real, kKernelH, kKernelW, true, kPast>(s, row, ow, 0, s.kernel_h, 0, grad_x + ow * kKernelW);
    }
  }
}

// `count` rows of the image that one row of windows gives to, whatever the sizes.
template <class Real, int kKernelW>
__attribute__((noinline)) void tile_some(const MaxPoolShape& s, WindowRow<Real> row, int64_t first,
                                         int64_t count, int64_t writable, Real* grad_x) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t tail = (divide_up(s.W, kKernelW) - 1) / W * W;
  for (int64_t block = 0; block <= tail; block += W) {
    const int64_t ow = block == 0 ? tail : block - W, w = ow * kKernelW;
    tile_block<Real, 0, kKernelW, false, false>(s, row, ow, first, count, writable - w, grad_x + w);
  }
}

template <class Real, int kKernelW>
void tile(const MaxPoolShape& s, const Real* grad_y, const uint8_t* window, int64_t begin, int64_t end,
          Real* grad_x) {
  int64_t plane = begin / s.H, h = begin % s.H;
  int64_t oh = h / s.kernel_h, first = h % s.kernel_h;
  const int64_t widest =
      divide_up(divide_up(s.W, kKernelW), kWidth<Real>) * kWidth<Real>;  // with the last vector
  for (int64_t i = begin, count; i < end; i += count, h += count, grad_x += count * s.W) {
    if (h == s.H) ++plane, h = oh = first = 0;
    const int64_t start = (plane * s.OH + oh) * s.OW, writable = (end - i) * s.W;
    const WindowRow<Real> row = {grad_y + start, window + start, s.planes * s.OH * s.OW - start};
    count = at_most(at_most(s.kernel_h - first, s.H - h), end - i);
    if (oh >= s.OH) {
      std::memset(grad_x, 0, static_cast<size_t>(count * s.W) * sizeof(Real));
      continue;
    }
    // Rows of windows whose last vector may be read and written whole.
    int64_t rows = at_most(at_most(end - i, s.H - h) / s.kernel_h, s.OH - oh);
    if (first > 0 || s.OW * kKernelW != s.W) rows = 0;
    while (rows > 0 && ((rows - 1) * s.OW + widest > row.readable ||
                        (rows * s.kernel_h - 1) * s.W + widest * kKernelW > writable)) {
      --rows;
    }
    if (rows > 0) {
      const auto run = [&]<bool kPast>() {
        if (s.kernel_h == 2) return tile_rows<Real, 2, kKernelW, kPast>(s, row, rows, grad_x);
        tile_rows<Real, 0, kKernelW, kPast>(s, row, rows, grad_x);
      };
      s.past&& starts_line(grad_x) ? run.template operator()<true>() : run.template operator()<false>();
      count = rows * s.kernel_h;
      oh += rows;
    } else {
      tile_some<Real, kKernelW>(s, row, first, count, writable, grad_x);
      ++oh, first = 0;
    }
  }
  if (s.past) stream_fence();
}

// Position stride * (o + shift) + residue of the image is this tap of window o.
struct TapPlaces {
  int64_t shift[256], residue[256];
  int64_t least, most;  // of all shifts
};

TapPlaces tap_places(int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  TapPlaces taps;
  const int64_t back = divide_up(padding, stride);
  for (int64_t q = 0; q < kernel; ++q) {
    const int64_t position = q * dilation - padding + back * stride;
    taps.shift[q] = position / stride - back;
    taps.residue[q] = position % stride;
  }
  taps.least = taps.shift[0], taps.most = taps.shift[kernel - 1];
  return taps;
}

// The rows of windows that have a tap on one row of the image, and which one.
template <class Real>
struct Rows {
  int64_t count, readable;  // windows from the last row's first on to the last of all planes
  int64_t tap[256];
  WindowRow<Real> row[256];
};

// What the windows give to the image's columns stride * (k + i), and with stride 2 to those after them;
// `residue` further with other strides. kRows, kKernelW: fixed where not 0, with the padding's parity.
template <class Real, int kStride, int kRows, int kKernelW, int kParity, bool kInner>
UNROLLED_INLINE void gather_columns(const MaxPoolShape& s, const TapPlaces& taps, const Rows<Real>& rows,
                                    int64_t k, int64_t residue, Vec<Real>& sum0, Vec<Real>& sum1) {
  const int64_t kernel_w = kKernelW ? kKernelW : s.kernel_w, count = kRows ? kRows : rows.count;
  sum0 = sum1 = Vec<Real>{};
#pragma GCC unroll 2
  for (int64_t i = 0; i < count; ++i) {
#pragma GCC unroll 3
    for (int64_t q = 0; q < kernel_w; ++q) {
      const int64_t e = kKernelW ? (q + kParity) % kStride : taps.residue[q];
      const int64_t shift = kKernelW ? taps.least + (q + kParity) / kStride : taps.shift[q];
      if (kStride == 0 && e != residue) continue;
      const Windows<Real> windows = load_windows<Real, kInner>(rows.row[i], k - shift, s.OW);
      const Places<Real> number = same_place<Real>(rows.tap[i] * kernel_w + q);
      const Vec<Real> given = where_equal<Real>(places_of<Real>(windows.place), number, windows.grad);
      if (kStride == 2 && e == 1) {
        sum1 += given;
      } else {
        sum0 += given;
      }
    }
  }
}

// At most `count` elements.
template <class Real, int kStride>
UNROLLED_INLINE void store_columns(Real* p, int64_t count, Vec<Real> a, Vec<Real> b) {
  constexpr int64_t W = kWidth<Real>;
  if constexpr (kStride == 1) {
    store_some(p, count, a);
  } else {
    store_some(p, count, zip_low<Real>(a, b));
    if (count > W) store_some(p + W, count - W, zip_high<Real>(a, b));
  }
}

template <class Real, int kStride, int kRows, int kKernelW, int kParity, bool kInner>
__attribute__((noinline)) void gather_blocks(const MaxPoolShape& shape, const TapPlaces& taps,
                                             const Rows<Real>& found, Range blocks, int64_t writable,
                                             Real* grad_x) {
  constexpr int64_t W = kWidth<Real>;
  const MaxPoolShape s = shape;  // copies that no store can change
  Rows<Real> rows;
  const int64_t count = kRows ? kRows : found.count;
  rows.count = count;
  for (int64_t i = 0; i < count; ++i) rows.tap[i] = found.tap[i], rows.row[i] = found.row[i];
  const int64_t stride = kStride ? kStride : s.stride_w;
  for (int64_t k = blocks.first * W; k < blocks.last * W; k += W) {
    Vec<Real> sum0, sum1;
    if constexpr (kStride != 0) {
      gather_columns<Real, kStride, kRows, kKernelW, kParity, kInner>(s, taps, rows, k, 0, sum0, sum1);
      store_columns<Real, kStride>(grad_x + stride * k, writable - stride * k, sum0, sum1);
      continue;
    }
    for (int64_t residue = 0; residue < stride; ++residue) {
      gather_columns<Real, kStride, kRows, kKernelW, kParity, kInner>(s, taps, rows, k, residue, sum0, sum1);
      for (int64_t i = 0; i < W; ++i) {
        const int64_t w = (k + i) * stride + residue;
        if (w < s.W) grad_x[w] = sum0[i];
      }
    }
  }
}

template <class Real, int kStride, int kKernelW, int kParity>
void gather_row(const MaxPoolShape& s, const TapPlaces& taps, const Rows<Real>& rows, Range inner,
                int64_t blocks, int64_t writable, Real* grad_x) {
  constexpr int64_t W = kWidth<Real>;
  while (inner.first < inner.last && inner.last * W - taps.least > rows.readable) --inner.last;
  if (inner.first >= inner.last) inner.first = inner.last = blocks;
  const auto run = [&]<int kRows>() {
    gather_blocks<Real, kStride, kRows, kKernelW, kParity, false>(s, taps, rows, {0, inner.first}, writable,
                                                                  grad_x);
    gather_blocks<Real, kStride, kRows, kKernelW, kParity, true>(s, taps, rows, inner, writable, grad_x);
    gather_blocks<Real, kStride, kRows, kKernelW, kParity, false>(s, taps, rows, {inner.last, blocks},
                                                                  writable, grad_x);
  };
  if (kKernelW && rows.count == 1) return run.template operator()<1>();
  if (kKernelW && rows.count == 2) return run.template operator()<2>();
  run.template operator()<0>();
}

template <class Real, int kStride, int kKernelW, int kParity>
void gather(const MaxPoolShape& s, const Real* grad_y, const uint8_t* window, int64_t begin, int64_t end,
            Real* grad_x) {
  constexpr int64_t W = kWidth<Real>;
  const TapPlaces columns = tap_places(s.kernel_w, s.stride_w, s.pad_w, s.dilation_w);
  const TapPlaces lines = tap_places(s.kernel_h, s.stride_h, s.pad_h, s.dilation_h);
  const int64_t groups = divide_up(s.W, s.stride_w), blocks = divide_up(groups, W);
  // Vectors all of whose windows are there.
  Range inner = {columns.most > 0 ? divide_up(columns.most, W) : 0, blocks};
  if (groups > s.OW + columns.least) inner.last = s.OW + columns.least > 0 ? (s.OW + columns.least) / W : 0;
  int64_t plane = begin / s.H, h = begin % s.H;
  int64_t quotient = h / s.stride_h, residue = h % s.stride_h;
  Rows<Real> rows;
  for (int64_t i = begin; i < end; ++i, grad_x += s.W) {
    rows.count = 0, rows.readable = 0;
    for (int64_t r = 0; r < s.kernel_h; ++r) {
      const int64_t oh = quotient - lines.shift[r];
      if (lines.residue[r] != residue || oh < 0 || oh >= s.OH) continue;
      const int64_t start = (plane * s.OH + oh) * s.OW, readable = s.planes * s.OH * s.OW - start;
      rows.tap[rows.count] = r;
      rows.row[rows.count++] = {grad_y + start, window + start, readable};
      if (rows.count == 1 || readable < rows.readable) rows.readable = readable;
    }
    gather_row<Real, kStride, kKernelW, kParity>(s, columns, rows, inner, blocks, (end - i) * s.W, grad_x);
    if (++residue == s.stride_h) ++quotient, residue = 0;
    if (++h == s.H) ++plane, h = quotient = residue = 0;
  }
}

template <class Real>
void backward(const MaxPoolShape& shape, const Real* grad_y, const uint8_t* window, int64_t begin,
              int64_t end, Real* grad_x) {
  const MaxPoolShape s = stacked(shape);
  const bool dense = s.dilation_h == 1 && s.dilation_w == 1;
  const bool tiles =
      dense && s.kernel_h == s.stride_h && s.kernel_w == s.stride_w && s.pad_h == 0 && s.pad_w == 0;
  if (tiles && s.kernel_w == 1) return tile<Real, 1>(s, grad_y, window, begin, end, grad_x);
  if (tiles && s.kernel_w == 2) return tile<Real, 2>(s, grad_y, window, begin, end, grad_x);
  if (dense && s.stride_w == 2 && s.kernel_w == 3 && s.pad_w == 1) {
    return gather<Real, 2, 3, 1>(s, grad_y, window, begin, end, grad_x);
  }
  if (s.stride_w == 1) return gather<Real, 1, 0, 0>(s, grad_y, window, begin, end, grad_x);
  if (s.stride_w == 2) return gather<Real, 2, 0, 0>(s, grad_y, window, begin, end, grad_x);
  return gather<Real, 0, 0, 0>(s, grad_y, window, begin, end, grad_x);
}

}  // namespace

template <class Real>
MaxPoolBackward<Real>* max_pool_backward() {
  return backward<Real>;
}
template MaxPoolBackward<float>* max_pool_backward();
template MaxPoolBackward<double>* max_pool_backward();

}  // namespace unrolled::UNROLLED_LEVEL
