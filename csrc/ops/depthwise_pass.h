// Geometry of a correlation of planes: one band of their rows after the other, read from a padded copy.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dispatch.h"
#include "memory.h"
#include "ops/conv.h"
#include "stream.h"

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

  // Brings into the cache what the rows from `first` on meet; behind the last it is the next plane.
  template <class Real>
  void prefetch_band(int64_t first, const Real* x) const;

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

// Starts to bring into the cache what follows in memory: between two planes or bands of rows the processor's
// own prefetching loses its way.
template <class Real>
inline __attribute__((always_inline)) void prefetch_run(int64_t elements, const Real* from) {
  constexpr int64_t kLine = 64, kMost = 1 << 13;
  const auto first = reinterpret_cast<uintptr_t>(from);
  const int64_t bytes = std::min(elements * static_cast<int64_t>(sizeof(Real)), kMost);
  for (int64_t i = 0; i < bytes; i += kLine) {
    __builtin_prefetch(reinterpret_cast<const void*>(first + static_cast<uintptr_t>(i)), 0, 2);
  }
}

template <class Real>
void DepthwisePass::prefetch_band(int64_t first, const Real* x) const {
  prefetch_run(
      rows_at_once_ * rows_.stride * columns_.size,
      x + std::min(first * rows_.stride + rows_.reach(1) - rows_.zeros(), rows_.size) * columns_.size);
}

// The passes of a 3x3 kernel with stride 1 go straight through the planes, where the processor has masks.
struct DepthwiseBands {
  bool fit = false;
  DepthwisePlane plane{};
  int64_t rows_at_once = 1;  // of the result

  // Calls run(band, its first row) for each band of the result's rows.
  template <class Run>
  void for_each(Run&& run) const {
    for (int64_t i = 0; i < plane.rows; i += rows_at_once) {
      DepthwisePlane band = plane;
      band.rows = std::min(rows_at_once, plane.rows - i);
      band.pad_top -= i;
      run(band, i);
    }
  }

  // Brings into the cache what the band after this one meets of x; behind the last it is the next plane.
  template <class Real>
  void prefetch(const DepthwisePlane& band, int64_t first, const Real* x) const {
    const int64_t row = first + band.rows < plane.rows ? first + band.rows - plane.pad_top + 2 : plane.H;
    prefetch_run(rows_at_once * plane.W, x + row * plane.W);
  }
};

DepthwisePass forward_pass(const Conv2dShape& shape, int64_t element_size);
DepthwiseWindow forward_window(const Conv2dShape& shape, const DepthwisePass& pass,
                               const std::vector<int64_t>& columns);
// x to y, and grad_y to grad_x.
template <class Real>
DepthwiseBands forward_bands(const Conv2dShape& shape);
template <class Real>
DepthwiseBands backward_bands(const Conv2dShape& shape);

// Where bands of rows are made: in place, or in the cache, to be written past it.
template <class Real>
class BandWriter {
 public:
  // For results of so many elements, made in bands of up to `band`.
  BandWriter(int64_t elements, int64_t band)
      : staged_(elements * static_cast<int64_t>(sizeof(Real)) >= kStreamConvBytes ? band : 0),
        past_(elements * static_cast<int64_t>(sizeof(Real)) >= kStreamConvBytes) {}
  ~BandWriter() {
    if (past_) stream_done();
  }
  BandWriter(BandWriter&&) noexcept = default;
  BandWriter(const BandWriter&) = delete;
  BandWriter& operator=(const BandWriter&) = delete;

  Real* place(Real* to) { return past_ ? staged_.data() : to; }
  void write(int64_t elements, Real* to) {
    if (past_) kernels<Real>().depthwise.write_past(elements, staged_.data(), to);
  }

 private:
  Buffer<Real> staged_;
  bool past_;
};

}  // namespace unrolled
