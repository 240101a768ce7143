#include "kernels/pool_max.h"

#include "kernels/pool_rows.h"
#include "kernels/simd_bytes.h"
#include "kernels/simd_stream.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

constexpr int64_t kLine = 64;        // bytes of a cache line
constexpr int64_t kAhead = 4096;     // bytes between what is read and what is fetched for later
constexpr int64_t kLongRow = 384;    // bytes of a row from which on fetching pays
constexpr int64_t kTogether = 8192;  // bytes of the image that are read twice

template <class Real>
constexpr Real kLeast = -static_cast<Real>(__builtin_huge_val());

// The taps of a window from `start` on that lie inside 0 .. size - 1.
Range taps_inside(int64_t start, int64_t kernel, int64_t dilation, int64_t size) {
  const auto steps = [dilation](int64_t n) { return dilation == 1 ? n : divide_up(n, dilation); };
  const int64_t first = start < 0 ? steps(-start) : 0;
  const int64_t last = start < size ? at_most(steps(size - start), kernel) : 0;
  return {first, at_least(last, first)};
}

// The windows that lie wholly inside 0 .. size - 1.
Range windows_inside(int64_t windows, int64_t span, int64_t stride, int64_t padding, int64_t size) {
  const int64_t room = size - span + padding;  // the last start is below it
  const int64_t first = at_most(divide_up(padding, stride), windows);
  return {first, at_least(room > 0 ? at_most(divide_up(room, stride), windows) : 0, first)};
}

template <class Real>
struct Winners {
  Vec<Real> value;
  Bytes place;
};

// The window's shape, a constant where it is not 0, the distances between taps, what follows the maximum.
template <int kKernelH, int kKernelW>
struct Taps {
  int64_t kernel_h, kernel_w, down, right;
  bool relu;

  explicit Taps(const MaxPoolShape& s)
      : kernel_h(kKernelH ? kKernelH : s.kernel_h),
        kernel_w(kKernelW ? kKernelW : s.kernel_w),
        down(s.dilation_h * s.W),
        right(kKernelW ? 1 : s.dilation_w),
        relu(s.relu) {}
};

// How vectors are read: as they are where windows are inside, else -inf stands for columns outside
// first .. last - 1, counted from the corner of the first window.
template <class Real, bool kBorder>
struct Reader {
  Range columns;

  UNROLLED_INLINE Vec<Real> read(const Real* from, int64_t column) const {
    if constexpr (!kBorder) return keep(load(from + column));
    return keep(load_between(from + column, columns.first - column, columns.last - column, kLeast<Real>));
  }

  // Lane i: column q + stride * i. With stride 2 the pairs that the lanes come from are read whole, from an
  // even column on.
  template <int kStride>
  UNROLLED_INLINE Vec<Real> read_strided(const Real* from, int64_t stride, int64_t q) const {
    if constexpr (kStride == 1) {
      return read(from, q);
    } else if constexpr (kStride == 2) {
      const int64_t pair = q & ~int64_t{1};
      const Vec<Real> a = read(from, pair), b = read(from, pair + kWidth<Real>);
      return q & 1 ? odd_unsorted<Real>(a, b) : even_unsorted<Real>(a, b);
    } else {
      Real lanes[kWidth<Real>];
      for (int64_t i = 0; i < kWidth<Real>; ++i) {
        const int64_t column = q + i * stride;
        lanes[i] =
            kBorder && (column < columns.first || column >= columns.last) ? kLeast<Real> : from[column];
      }
      return load(lanes);
    }
  }

  // All taps of a row of windows whose width is fixed; every vector is read once.
  template <int kStride, int kKernelW>
  UNROLLED_INLINE void read_taps(const Real* from, Vec<Real>* values) const {
#pragma GCC unroll 3
    for (int q = 0; q < kKernelW; q += kStride) {
      const Vec<Real> a = read(from, q);
      if constexpr (kStride == 1) {
        values[q] = a;
      } else {
        const Vec<Real> b = read(from, q + kWidth<Real>);
        values[q] = even_unsorted<Real>(a, b);
        if (q + 1 < kKernelW) values[q + 1] = odd_unsorted<Real>(a, b);
      }
    }
  }
};

// kWidth windows side by side, over the taps `rows`; `from` is the first one's corner, and with kBorder
// `place` is the first tap inside. Without kNan a NaN is only noticed: it is in `sum`, to which all values
// are added.
template <class Real, int kStride, bool kNan, bool kBorder, int kKernelH, int kKernelW>
UNROLLED_INLINE Winners<Real> find_winners(Taps<kKernelH, kKernelW> taps, Reader<Real, kBorder> reader,
                                           int64_t stride, Range rows, const Real* from, Places<Real> place,
                                           Vec<Real>& sum) {
  if constexpr (kKernelH != 0) rows = {0, kKernelH};
  Vec<Real> best = broadcast(kLeast<Real>), total = {};
#pragma GCC unroll 3
  for (int64_t r = rows.first; r < rows.last; ++r) {
    const Real* row = from + r * taps.down;
    Vec<Real> values[kKernelW ? kKernelW : 1];
    if constexpr (kKernelW != 0) reader.template read_taps<kStride, kKernelW>(row, values);
#pragma GCC unroll 3
    for (int64_t q = 0; q < taps.kernel_w; ++q) {
      Vec<Real> value;
      if constexpr (kKernelW != 0) {
        value = values[q];
      } else {
        value = reader.template read_strided<kStride>(row, stride, q * taps.right);
      }
      if (!kBorder && r == rows.first && q == 0) {
        best = total = value;
        continue;
      }
      keep_greater<Real, kNan>(value, same_place<Real>(r * taps.kernel_w + q), best, place);
      total += value;
    }
  }
  if constexpr (!kNan) sum += total;
  if (taps.relu) {
    place = where_positive<Real>(best, place, same_place<Real>(kNoWinner));
    best = best <= Real(0) ? Vec<Real>{} : best;
  }
  if constexpr (kStride == 2) return {sorted(best), bytes_of<Real>(sorted_places<Real>(place))};
  return {best, bytes_of<Real>(place)};
}

// Lanes that do not fit into the `writable` elements left are dropped.
template <class Real>
UNROLLED_INLINE void store_winners(const Winners<Real>& best, int64_t writable, Real* y, uint8_t* window) {
  if (writable >= kWidth<Real>) [[likely]] {
    store(y, best.value);
    store_bytes<Real>(window, best.place);
  } else {
    store_partial(y, writable, best.value);
    store_bytes_partial<Real>(window, writable, best.place);
  }
}

// The first tap inside the image of kWidth windows from column `left` on.
template <class Real, int kStride>
Places<Real> first_places(const MaxPoolShape& s, Range rows, int64_t left) {
  Bytes place = {};
  for (int i = 0; i < kWidth<Real>; ++i) {
    const Range columns = taps_inside(left + i * s.stride_w, s.kernel_w, s.dilation_w, s.W);
    const bool none = rows.first == rows.last || columns.first == columns.last;
    place[i] = none ? 0 : static_cast<uint8_t>(rows.first * s.kernel_w + columns.first);
  }
  const Places<Real> places = places_of<Real>(place);
  return kStride == 2 ? sorted_places<Real>(places) : places;  // its own inverse
}

// Rows oh .. oh + count - 1 of the windows of one plane, all with the same taps inside, and of each the
// vectors blocks.first .. blocks.last - 1.
template <class Real>
struct Run {
  const Real* image;
  int64_t oh, count;
  Range blocks;
  int64_t writable;  // elements of y and window from the first row on
  Real* y;
  uint8_t* window;
};

// Vectors of windows some of which hang over the border. True: there is a NaN, and it was not minded.
template <class Real, int kStride, bool kNan, int kKernelH, int kKernelW>
__attribute__((noinline)) bool border_run(const MaxPoolShape& s, const Run<Real>& run) {
  constexpr int64_t W = kWidth<Real>;
  const Taps<kKernelH, kKernelW> taps(s);
  const int64_t stride = kStride ? kStride : s.stride_w, top = run.oh * s.stride_h - s.pad_h;
  const int64_t row_step = s.stride_h * s.W, OW = s.OW;
  const Range rows = taps_inside(top, s.kernel_h, s.dilation_h, s.H);
  Vec<Real> sum = {};
  for (int64_t ow = run.blocks.first * W; ow < run.blocks.last * W; ow += W) {
    const int64_t left = ow * stride - s.pad_w;
    const Reader<Real, true> reader = {{-left, s.W - left}};
    const Places<Real> place = first_places<Real, kStride>(s, rows, left);
    const Real* from = run.image + top * s.W + left;
    for (int64_t i = ow; i < run.count * OW; i += OW, from += row_step) {
      const Winners<Real> best =
          find_winners<Real, kStride, kNan>(taps, reader, stride, rows, from, place, sum);
      store_winners(best, OW - ow, run.y + i, run.window + i);
    }
  }
  return has_nan<Real>(sum);
}

// Vectors of windows inside the image. Two or three long rows are read at once, which the processor's
// prefetcher does not see through, so what comes `kAhead` later is fetched here, in the order of memory.
// Without kCareful a NaN is only noticed (true), and whole vectors are written.
template <class Real, int kStride, bool kCareful, int kKernelH, int kKernelW>
__attribute__((noinline)) bool inner_run(const MaxPoolShape& s, const Run<Real>& run) {
  constexpr int64_t W = kWidth<Real>, kBytes = W * static_cast<int64_t>(sizeof(Real));
  constexpr int64_t kLines = (kKernelH ? 2 : 1) * (kStride ? kStride : 1) * kBytes / kLine;
  const Taps<kKernelH, kKernelW> taps(s);
  const Reader<Real, false> reader = {};
  const Range rows = {0, s.kernel_h};
  const int64_t stride = kStride ? kStride : s.stride_w, row_step = s.stride_h * s.W, OW = s.OW;
  const int64_t first = run.blocks.first * W, windows = run.blocks.last * W - first;
  const Real* from = run.image + (run.oh * s.stride_h - s.pad_h) * s.W - s.pad_w + first * stride;
  Real* y = run.y + first;
  uint8_t* window = run.window + first;
  int64_t writable = run.writable - first;
  const bool fetch = s.W * static_cast<int64_t>(sizeof(Real)) >= kLongRow;
  const bool past = s.past && starts_line(y);
  Vec<Real> sum = {};
  for (int64_t row = run.count; row > 0; --row, from += row_step, y += OW, window += OW, writable -= OW) {
    const Real* corner = from;
    uintptr_t ahead = reinterpret_cast<uintptr_t>(from) + kAhead;
    for (int64_t i = 0; i < windows; i += W, corner += W * stride, ahead += kLines * kLine) {
#pragma GCC unroll 4
      for (int64_t line = 0; fetch && line < kLines; ++line) prefetch(ahead + line * kLine);
      const Winners<Real> best =
          find_winners<Real, kStride, kCareful>(taps, reader, stride, rows, corner, Places<Real>{}, sum);
      if (!kCareful && past) {
        store_past(y + i, best.value);
        store_bytes<Real>(window + i, best.place);
      } else {
        store_winners(best, kCareful ? writable - i : W, y + i, window + i);
      }
    }
  }
  if (past) stream_fence();
  return has_nan<Real>(sum);
}

// Which windows are inside, and how far the vectors of the lowest of them read beyond the plane.
struct Layout {
  Range rows, blocks;
  int64_t all_blocks, excess;
};

template <class Real, int kStride>
Layout layout_of(const MaxPoolShape& s) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t span_h = (s.kernel_h - 1) * s.dilation_h, span_w = (s.kernel_w - 1) * s.dilation_w;
  const Range columns = windows_inside(s.OW, span_w, s.stride_w, s.pad_w, s.W);
  Layout layout = {windows_inside(s.OH, span_h, s.stride_h, s.pad_h, s.H), {}, divide_up(s.OW, W), 0};
  layout.blocks.first = divide_up(columns.first, W);
  layout.blocks.last =
      at_least(columns.last == s.OW ? layout.all_blocks : columns.last / W, layout.blocks.first);
  const int64_t reach = kStride == 2 ? 2 * W + (span_w & ~int64_t{1}) : (W - 1) * s.stride_w + span_w + 1;
  const int64_t top = (layout.rows.last - 1) * s.stride_h - s.pad_h;
  const int64_t left = (layout.blocks.last - 1) * W * s.stride_w - s.pad_w;
  layout.excess = (top + span_h - s.H) * s.W + left + reach;
  return layout;
}

// The vectors of windows inside. The last one of a row may write past it, into rows that are written later,
// as long as there are any.
template <class Real, int kStride, int kKernelH, int kKernelW>
void inner_runs(const MaxPoolShape& s, Run<Real> run) {
  const int64_t room = run.writable - run.blocks.last * kWidth<Real>, count = run.count;
  run.count = room < 0 ? 0 : at_most(room / s.OW + 1, count);
  if (run.count > 0 && inner_run<Real, kStride, false, kKernelH, kKernelW>(s, run)) {
    inner_run<Real, kStride, true, 0, 0>(s, run);
  }
  run.oh += run.count, run.y += run.count * s.OW, run.window += run.count * s.OW;
  run.writable -= run.count * s.OW;
  run.count = count - run.count;
  if (run.count > 0) inner_run<Real, kStride, true, 0, 0>(s, run);
}

// All vectors of the rows; those of `inner` may be read whole.
template <class Real, int kStride, int kKernelH, int kKernelW>
void forward_run(const MaxPoolShape& s, Range inner, int64_t blocks, Run<Real> run) {
  run.blocks = inner;
  if (inner.first < inner.last) inner_runs<Real, kStride, kKernelH, kKernelW>(s, run);
  const Range borders[] = {{0, inner.first}, {inner.last, blocks}};
  for (const Range border : borders) {
    run.blocks = border;
    if (border.first < border.last && border_run<Real, kStride, false, kKernelH, kKernelW>(s, run)) {
      border_run<Real, kStride, true, 0, 0>(s, run);
    }
  }
}

template <class Real, int kStride, int kKernelH, int kKernelW>
void forward_rows(const MaxPoolShape& s, const Real* x, int64_t begin, int64_t end, Real* y,
                  uint8_t* window) {
  const Layout layout = layout_of<Real, kStride>(s);
  // The borders' vectors of some rows follow the inner ones of the same rows, while these are in the cache.
  const bool border = layout.blocks.first > 0 || layout.blocks.last < layout.all_blocks;
  const int64_t most =
      border ? kTogether / (s.stride_h * s.W * static_cast<int64_t>(sizeof(Real))) + 1 : INT64_MAX;
  int64_t plane = begin / s.OH, oh = begin % s.OH;
  while (begin < end) {
    const Real* image = x + plane * s.H * s.W;
    const int64_t last = at_most(oh + end - begin, s.OH);
    // Rows whose vectors would read beyond the end of x: their last ones are taken for the border's.
    const int64_t excess = at_least(layout.excess - (s.planes - 1 - plane) * s.H * s.W, 0);
    const int64_t safe = excess ? layout.rows.last - divide_up(excess, s.stride_h * s.W) : layout.rows.last;
    for (int64_t count; oh < last; oh += count, begin += count, y += count * s.OW, window += count * s.OW) {
      if (oh < layout.rows.first || oh >= layout.rows.last) {
        count = 1;
        forward_run<Real, kStride, 0, 0>(s, {0, 0}, layout.all_blocks, {image, oh, 1, {}, 0, y, window});
        continue;
      }
      Range inner = layout.blocks;
      count = at_most(at_most(last, oh < safe ? safe : layout.rows.last) - oh, most);
      if (oh >= safe && inner.first < inner.last) --inner.last;
      const Run<Real> run = {image, oh, count, {}, (end - begin) * s.OW, y, window};
      forward_run<Real, kStride, kKernelH, kKernelW>(s, inner, layout.all_blocks, run);
    }
    ++plane, oh = 0;
  }
}

template <class Real>
void forward(const MaxPoolShape& shape, const Real* x, int64_t begin, int64_t end, Real* y, uint8_t* window) {
  const MaxPoolShape s = stacked(shape);
  const auto is = [&](int64_t stride, int64_t kernel_h, int64_t kernel_w) {
    return s.stride_w == stride && s.kernel_h == kernel_h && s.kernel_w == kernel_w && s.dilation_w == 1;
  };
  if (is(2, 2, 2)) return forward_rows<Real, 2, 2, 2>(s, x, begin, end, y, window);
  if (is(2, 3, 3)) return forward_rows<Real, 2, 3, 3>(s, x, begin, end, y, window);
  if (is(1, 2, 1)) return forward_rows<Real, 1, 2, 1>(s, x, begin, end, y, window);
  if (s.stride_w == 1) return forward_rows<Real, 1, 0, 0>(s, x, begin, end, y, window);
  if (s.stride_w == 2) return forward_rows<Real, 2, 0, 0>(s, x, begin, end, y, window);
  return forward_rows<Real, 0, 0, 0>(s, x, begin, end, y, window);
}

}  // namespace

template <class Real>
MaxPoolForward<Real>* max_pool_forward() {
  return forward<Real>;
}
template MaxPoolForward<float>* max_pool_forward();
template MaxPoolForward<double>* max_pool_forward();

}  // namespace unrolled::UNROLLED_LEVEL
