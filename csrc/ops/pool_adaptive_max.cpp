#include "ops/pool_adaptive_max.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "ops/pool_max.h"
#include "ops/pool_rows.h"
#include "parallel.h"

namespace unrolled {
namespace {

// Elements first .. first + size - 1 of an axis.
struct Window {
  int64_t first, size;
};

Window window_of(int64_t o, int64_t size, int64_t outputs) {
  const int64_t first = o * size / outputs, last = ((o + 1) * size + outputs - 1) / outputs;
  return {first, last - first};
}

// Windows of one size, several side by side, are what the kernel of plain max pooling is for.
bool is_plain(const AdaptiveShape& s) {
  constexpr int64_t kEnough = 4;  // windows in a row
  return s.H % s.OH == 0 && s.W % s.OW == 0 && s.OW >= kEnough;
}

MaxPoolShape plain_shape(const AdaptiveShape& s) {
  const int64_t kernel_h = s.H / s.OH, kernel_w = s.W / s.OW;
  return {s.planes, s.H, s.W, kernel_h, kernel_w, kernel_h, kernel_w, 0, 0, 1, 1, s.OH, s.OW};
}

// The maximum of one window of rows `width` apart: the first of equal values, the last NaN of all.
template <class Real, class Place>
void find_maximum(const Real* corner, int64_t width, int64_t rows, int64_t columns, Real& y, Place& window) {
  Real best = -std::numeric_limits<Real>::infinity();
  int64_t place = 0;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t q = 0; q < columns; ++q) {
      const Real value = corner[r * width + q];
      if (!(value > best || value != value)) continue;
      best = value;
      place = r * columns + q;
    }
  }
  y = best;
  window = static_cast<Place>(place);
}

template <class Real, class Place>
void scatter_plane(const AdaptiveShape& s, const Real* grad_y, const Place* window, Real* grad_x) {
  std::fill(grad_x, grad_x + s.H * s.W, Real(0));
  for (int64_t oh = 0; oh < s.OH; ++oh) {
    const Window rows = window_of(oh, s.H, s.OH);
    for (int64_t ow = 0; ow < s.OW; ++ow, ++grad_y, ++window) {
      const Window columns = window_of(ow, s.W, s.OW);
      const int64_t place = *window;
      if (place < 0 || place >= rows.size * columns.size) {
        throw std::invalid_argument("window does not belong to this input_size and output_size");
      }
      grad_x[(rows.first + place / columns.size) * s.W + columns.first + place % columns.size] += *grad_y;
    }
  }
}

}  // namespace

int64_t largest_window(const AdaptiveShape& s) {
  int64_t rows = 0, columns = 0;
  for (int64_t o = 0; o < s.OH; ++o) rows = std::max(rows, window_of(o, s.H, s.OH).size);
  for (int64_t o = 0; o < s.OW; ++o) columns = std::max(columns, window_of(o, s.W, s.OW).size);
  return rows * columns;
}

template <class Real, class Place>
void adaptive_max_pool2d(const AdaptiveShape& s, const Real* x, Real* y, Place* window) {
  if constexpr (sizeof(Place) == 1) {
    if (is_plain(s)) return max_pool2d(plain_shape(s), x, y, window);
  }
  const int64_t rows = s.planes * s.OH, work = std::max(s.H * s.W, s.OH * s.OW);
  parallel_runs(rows, rows_per_task(work / s.OH), s.planes * work, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Window r = window_of(i % s.OH, s.H, s.OH);
      const Real* image = x + i / s.OH * s.H * s.W + r.first * s.W;
      for (int64_t ow = 0; ow < s.OW; ++ow) {
        const Window q = window_of(ow, s.W, s.OW);
        find_maximum(image + q.first, s.W, r.size, q.size, y[i * s.OW + ow], window[i * s.OW + ow]);
      }
    }
  });
}

template <class Real, class Place>
void adaptive_max_pool2d_backward(const AdaptiveShape& s, const Real* grad_y, const Place* window,
                                  Real* grad_x) {
  if constexpr (sizeof(Place) == 1) {
    if (is_plain(s)) return max_pool2d_backward(plain_shape(s), grad_y, window, grad_x);
  }
  const int64_t work = std::max(s.H * s.W, s.OH * s.OW);
  parallel_runs(s.planes, rows_per_task(work), s.planes * work, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t outputs = s.OH * s.OW;
      scatter_plane(s, grad_y + i * outputs, window + i * outputs, grad_x + i * s.H * s.W);
    }
  });
}

#define UNROLLED_INSTANTIATE(Real, Place)                                              \
  template void adaptive_max_pool2d(const AdaptiveShape&, const Real*, Real*, Place*); \
  template void adaptive_max_pool2d_backward(const AdaptiveShape&, const Real*, const Place*, Real*);
UNROLLED_INSTANTIATE(float, uint8_t)
UNROLLED_INSTANTIATE(float, int32_t)
UNROLLED_INSTANTIATE(double, uint8_t)
UNROLLED_INSTANTIATE(double, int32_t)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
