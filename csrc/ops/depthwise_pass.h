// Geometry of a correlation of planes: one band of their rows after the other, read from a padded copy.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dispatch.h"
#include "memory.h"

namespace unrolled {

// `outputs` windows of `taps` elements over an axis of `size` with `pad` zeros before it; a negative pad cuts
// elements off.
struct WindowAxis {
  int64_t size, outputs, taps, stride, dilation, pad;

  // Padded elements that `n` windows reach.
  int64_t reach(int64_t n) const {
    return std::max<int64_t>(0, (n - 1) * stride + (taps - 1) * dilation + 1);
  }
  int64_t zeros() const { return std::max<int64_t>(0, pad); }
  int64_t skipped() const { return std::clamp<int64_t>(-pad, 0, size); }
  int64_t used() const { return std::clamp<int64_t>(reach(outputs) - zeros(), 0, size - skipped()); }
};

class DepthwisePass {
 public:
  DepthwisePass(const WindowAxis& rows, const WindowAxis& columns, int64_t element_size);

  const WindowAxis& rows() const { return rows_; }
  const WindowAxis& columns() const { return columns_; }
  const PaddedPlane& plane() const { return plane_; }
  int64_t rows_at_once() const { return rows_at_once_; }  // of the result
  std::vector<int64_t> tap_columns() const;

  // Zeros: the margins stay so.
  template <class Real>
  Buffer<Real> make_band() const {
    const int64_t size = rows_.reach(rows_at_once_) * plane_.row_pitch() + 2 * kDepthwiseLanes;
    Buffer<Real> band(size);
    std::fill_n(band.data(), size, Real(0));
    return band;
  }

  // What the rows [first, first + count) of the result meet in the plane x.
  template <class Real>
  void fill_band(int64_t first, int64_t count, const Real* x, Buffer<Real>& band) const {
    kernels<Real>().depthwise.pad_rows(plane_, first * rows_.stride, rows_.reach(count),
                                       x + rows_.skipped() * columns_.size + columns_.skipped(), band.data());
  }

  // Calls run(first, count) for each band of the result's rows.
  template <class Run>
  void for_each_band(Run&& run) const {
    for (int64_t i = 0; i < rows_.outputs; i += rows_at_once_) {
      run(i, std::min(rows_at_once_, rows_.outputs - i));
    }
  }

 private:
  WindowAxis rows_, columns_;
  PaddedPlane plane_{};
  int64_t rows_at_once_ = 1;
};

// Starts to bring rows into the cache that blocks of seven of them will go through side by side: the
// processor's own prefetching loses its way there. Short rows lie together as one.
template <class Real>
inline __attribute__((always_inline)) void prefetch_rows(int64_t rows, int64_t columns, const Real* from) {
  constexpr int64_t kLine = 64, kLongRow = 256, kMost = 1 << 13;
  if (columns * static_cast<int64_t>(sizeof(Real)) < kLongRow) return;
  const auto first = reinterpret_cast<uintptr_t>(from);
  const int64_t bytes = std::min(rows * columns * static_cast<int64_t>(sizeof(Real)), kMost);
  for (int64_t i = 0; i < bytes; i += kLine) {
    __builtin_prefetch(reinterpret_cast<const void*>(first + static_cast<uintptr_t>(i)), 0, 2);
  }
}

}  // namespace unrolled
