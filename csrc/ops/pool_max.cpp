#include "ops/pool_max.h"

#include <algorithm>
#include <stdexcept>

#include "dispatch.h"
#include "ops/pool_rows.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kPlacesPerOperation = 16;  // checked in the time of one element operation

struct Inside {
  int64_t first, last;
};

// The taps of window `o` that lie inside 0 .. size - 1.
Inside taps_inside(int64_t o, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                   int64_t size) {
  const int64_t start = o * stride - padding;
  const int64_t first = start < 0 ? (-start + dilation - 1) / dilation : 0;
  const int64_t last = start < size ? std::min((size - start + dilation - 1) / dilation, kernel) : 0;
  return {first, std::max(first, last)};
}

bool fits(const MaxPoolShape& s, int64_t oh, int64_t ow, uint8_t window) {
  if (s.relu && window == kNoWinner) return true;
  const int64_t place = window;
  const Inside rows = taps_inside(oh, s.kernel_h, s.stride_h, s.pad_h, s.dilation_h, s.H);
  const Inside columns = taps_inside(ow, s.kernel_w, s.stride_w, s.pad_w, s.dilation_w, s.W);
  const int64_t r = place / s.kernel_w, q = place % s.kernel_w;
  if (rows.first == rows.last || columns.first == columns.last) return place == 0;
  return r >= rows.first && r < rows.last && q >= columns.first && q < columns.last;
}

// The windows whose taps are all inside 0 .. size - 1; they are side by side.
Inside whole_windows(int64_t outputs, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                     int64_t size) {
  const auto whole = [&](int64_t o) {
    return o * stride >= padding && o * stride - padding + (kernel - 1) * dilation < size;
  };
  Inside range = {0, outputs};
  while (range.first < range.last && !whole(range.first)) ++range.first;
  while (range.first < range.last && !whole(range.last - 1)) --range.last;
  return range;
}

uint8_t largest_place(const uint8_t* begin, const uint8_t* end, uint8_t more) {
  uint8_t largest = 0;
  for (const uint8_t* place = begin; place < end; ++place) {
    largest = std::max(largest, static_cast<uint8_t>(*place + more));
  }
  return largest;
}

// Whether the places of rows begin .. end - 1, counted through all planes, are inside their windows and the
// image.
bool places_fit(const MaxPoolShape& s, const uint8_t* window, int64_t begin, int64_t end) {
  if (!s.relu) {
    if (largest_place(window + begin * s.OW, window + end * s.OW, 0) >= s.kernel_h * s.kernel_w) return false;
  } else if (largest_place(window + begin * s.OW, window + end * s.OW, 1) > s.kernel_h * s.kernel_w) {
    return false;  // one more makes 0 of kNoWinner
  }
  const Inside rows = whole_windows(s.OH, s.kernel_h, s.stride_h, s.pad_h, s.dilation_h, s.H);
  const Inside columns = whole_windows(s.OW, s.kernel_w, s.stride_w, s.pad_w, s.dilation_w, s.W);
  if (rows.last - rows.first == s.OH && columns.last - columns.first == s.OW) return true;
  for (int64_t i = begin, oh = begin % s.OH; i < end; ++i, oh = oh + 1 == s.OH ? 0 : oh + 1) {
    const auto fit = [&](int64_t first, int64_t last) {
      for (int64_t ow = first; ow < last; ++ow) {
        if (!fits(s, oh, ow, window[i * s.OW + ow])) return false;
      }
      return true;
    };
    const bool cut = oh < rows.first || oh >= rows.last;
    if (!fit(0, cut ? s.OW : columns.first) || !fit(cut ? s.OW : columns.last, s.OW)) return false;
  }
  return true;
}

void require_places(const MaxPoolShape& s, const uint8_t* window, int64_t begin, int64_t end) {
  if (places_fit(s, window, begin, end)) return;
  throw std::invalid_argument("window does not belong to this input_size and kernel_size");
}

}  // namespace

void check_places(const MaxPoolShape& s, const uint8_t* window) {
  const int64_t rows = s.planes * s.OH;
  parallel_runs(rows, rows_per_task(s.OW), rows * s.OW / kPlacesPerOperation,
                [&](int64_t begin, int64_t end) { require_places(s, window, begin, end); });
}

namespace {

// Whether the windows lie side by side, and whether rows of them are whole vectors of any width.
bool is_tiled(const MaxPoolShape& s) {
  return s.kernel_h == s.stride_h && s.kernel_w == s.stride_w && s.kernel_w <= 2;
}
bool in_whole_vectors(const MaxPoolShape& s) {
  constexpr int64_t kLanes = 16;
  return is_tiled(s) && s.OW % kLanes == 0 && s.W == s.OW * s.kernel_w;
}

template <class Real>
bool is_large(int64_t elements) {
  return elements * static_cast<int64_t>(sizeof(Real)) >= kStreamBytes;
}

}  // namespace

template <class Real>
void max_pool2d(const MaxPoolShape& shape, const Real* x, Real* y, uint8_t* window) {
  const MaxPoolKernels<Real>& kernel = kernels<Real>().max_pool;
  MaxPoolShape s = shape;
  const int64_t rows = s.planes * s.OH;
  s.past = is_large<Real>(rows * s.OW) && in_whole_vectors(s);
  parallel_runs(rows, rows_per_task(s.stride_h * s.W), s.planes * s.H * s.W, [&](int64_t begin, int64_t end) {
    kernel.forward(s, x, begin, end, y + begin * s.OW, window + begin * s.OW);
  });
}

template <class Real>
void max_pool2d_backward(const MaxPoolShape& shape, const Real* grad_y, const uint8_t* window, Real* grad_x) {
  const MaxPoolKernels<Real>& kernel = kernels<Real>().max_pool;
  MaxPoolShape s = shape;
  const int64_t rows = s.planes * s.H, windows = s.planes * s.OH;
  const bool large = is_large<Real>(rows * s.W);
  s.past = large && in_whole_vectors(s);
  // The detour through the cache pays where the kernel is quick: with windows side by side.
  const bool staged = large && !s.past && is_tiled(s);
  const int64_t grain = rows_per_task(s.W), tasks = (rows + grain - 1) / grain;
  parallel_for(tasks, rows * s.W, [&](int64_t task) {
    const int64_t begin = task * grain, end = std::min(begin + grain, rows);
    // A task checks its share of the places, about those it will use.
    require_places(s, window, task * windows / tasks, (task + 1) * windows / tasks);
    if (!staged) return kernel.backward(s, grad_y, window, begin, end, grad_x + begin * s.W);
    stream_rows(begin, end, s.W, s.kernel_h, grad_x, [&](int64_t first, int64_t last, Real* to) {
      kernel.backward(s, grad_y, window, first, last, to);
    });
  });
}

template void max_pool2d(const MaxPoolShape&, const float*, float*, uint8_t*);
template void max_pool2d(const MaxPoolShape&, const double*, double*, uint8_t*);
template void max_pool2d_backward(const MaxPoolShape&, const float*, const uint8_t*, float*);
template void max_pool2d_backward(const MaxPoolShape&, const double*, const uint8_t*, double*);

}  // namespace unrolled
