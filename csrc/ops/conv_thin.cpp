#include "ops/conv_thin.h"

#include <algorithm>
#include <vector>

#include "dispatch.h"
#include "memory.h"
#include "ops/lane_sums.h"
#include "ops/matmul.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kMaxChannels = 4, kMaxOtherChannels = 12;  // Winograd's algorithm is faster from five on
constexpr int64_t kMaxTaps = 108;
constexpr int64_t kPlaneBytes = 24 << 10;  // of shifted planes, which stay in the L1 cache
constexpr int64_t kPartBytes = 96 << 10;   // of the parts of grad_x, in the L2 cache
constexpr int64_t kTaskRows = 32;    // of grad_x: a task makes the parts of R - 1 rows that others make too
constexpr int64_t kChainUnits = 64;  // bands between two stages of the weight gradient's sums
constexpr int64_t kMaxSlices = 16;   // partial sums of the weight gradient, added in order

ThinShape thin_shape(const Conv2dShape& s) {
  return {s.C, s.H, s.W, s.R, s.S, s.OH, s.OW, s.pad_top, s.pad_left};
}

// The shifted planes of a band of rows.
struct Planes {
  ThinShape shape;
  int64_t rows_at_once, step;
  std::vector<int64_t> offsets;  // of the taps, in the order of the weight

  // Bands of a multiple of so many rows where there are several.
  Planes(const Conv2dShape& s, int64_t element_size, int64_t multiple = 1) : shape(thin_shape(s)) {
    const int64_t rows = kPlaneBytes / element_size / (s.C * s.S * s.OW) - (s.R - 1);
    rows_at_once = std::clamp<int64_t>(rows / multiple * multiple, multiple, s.OH);
    step = round_up((rows_at_once + s.R - 1) * s.OW, kThinLanes) + kThinLanes;
    for (int64_t c = 0; c < s.C; ++c) {
      for (int64_t r = 0; r < s.R; ++r) {
        for (int64_t q = 0; q < s.S; ++q) offsets.push_back((c * s.S + q) * step + r * s.OW);
      }
    }
  }

  int64_t size() const { return shape.C * shape.S * step + 2 * kThinLanes; }
  int64_t bands() const { return (shape.OH + rows_at_once - 1) / rows_at_once; }
  int64_t rows_of(int64_t band) const { return std::min(rows_at_once, shape.OH - band * rows_at_once); }

  template <class Real>
  void fill(int64_t band, const Real* x, Buffer<Real>& planes) const {
    kernels<Real>().thin.shift_planes(shape, band * rows_at_once, rows_of(band), x, planes.data(), step);
  }
};

// (rows, columns), element (i, j) at from[i * row_step + j * column_step], in blocks of `tile` columns, the
// last one with those that are left: (blocks, rows, columns of the block).
template <class Real>
Buffer<Real> pack_blocks(int64_t rows, int64_t columns, const Real* from, int64_t row_step,
                         int64_t column_step, int64_t tile) {
  Buffer<Real> packed(rows * columns);
  Real* to = packed.data();
  for (int64_t j = 0; j < columns; j += tile) {
    const int64_t end = std::min(j + tile, columns);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t k = j; k < end; ++k) *to++ = from[i * row_step + k * column_step];
    }
  }
  return packed;
}

int64_t work_of(const Conv2dShape& s) {
  return s.N * s.pixels() * s.K * (1 + s.C * s.kernel() / kMultiplyAddsPerOperation);
}

}  // namespace

bool conv2d_thin_fits(const Conv2dShape& s) {
  const bool plain =
      s.groups == 1 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1;
  return plain && s.C <= (winograd_fits(s) ? kMaxChannels : kMaxOtherChannels) &&
         s.C * s.kernel() <= kMaxTaps;
}

template <class Real>
bool conv2d_thin_pools(const Conv2dShape& s, const MaxPoolShape& pool) {
  const Planes planes(s, sizeof(Real), std::min(pool.stride_h, s.OH));
  return planes.bands() == 1 || pools_bands(pool, planes.rows_at_once);
}

template <class Real>
void conv2d_thin(const Conv2dShape& s, const Real* x, const Real* weight, const Epilogue<Real>& epilogue,
                 const ConvOutput<Real>& y) {
  const ThinKernels<Real>& kernel = kernels<Real>().thin;
  const Planes planes(s, sizeof(Real), y.pool ? std::min(y.pool->stride_h, s.OH) : 1);
  const int64_t taps = s.C * s.kernel();
  const Buffer<Real> packed = pack_blocks(taps, s.K, weight, 1, taps, kernel.forward_rows);
  parallel_for(s.N * planes.bands(), work_of(s), [&](int64_t task) {
    const int64_t n = task / planes.bands(), band = task % planes.bands();
    Buffer<Real> shifted(planes.size());
    planes.fill(band, x + n * s.x_step, shifted);
    const int64_t row = band * planes.rows_at_once, rows = planes.rows_of(band), pixels = rows * s.OW;
    Buffer<Real> pooled(y.pool ? kernel.forward_rows * pixels : 0);
    for (int64_t k = 0; k < s.K; k += kernel.forward_rows) {
      const int64_t channels = std::min(kernel.forward_rows, s.K - k);
      Real* to = y.pool ? pooled.data() : y.y + n * y.step + row * s.OW + k * s.pixels();
      kernel.correlate(pixels, channels, taps, planes.offsets.data(), shifted.data(),
                       packed.data() + k * taps, epilogue.bias ? epilogue.bias + k : nullptr, epilogue.relu,
                       to, y.pool ? pixels : s.pixels());
      if (y.pool) y.pool_band(n, k, channels, row, rows, to);
    }
  });
}

namespace {

// What every tap adds to grad_x, for a window of rows of y that moves down: parts (taps, rows, OW).
template <class Real>
struct Parts {
  const Conv2dShape& s;
  const Real* packed;  // the weight (K, taps) in blocks of taps
  int64_t rows_at_once, step;
  Buffer<Real> parts;
  int64_t begin = 0, end = 0;  // the rows of y that are there

  Parts(const Conv2dShape& shape, const Real* weight_packed)
      : s(shape),
        packed(weight_packed),
        rows_at_once(rows(shape)),
        step(round_up((rows_at_once + s.R - 1) * s.OW, kThinLanes) + 2 * kThinLanes),
        parts(s.C * s.kernel() * step) {}

  static int64_t rows(const Conv2dShape& s) {
    const int64_t fit =
        kPartBytes / static_cast<int64_t>(sizeof(Real)) / (s.C * s.kernel() * s.OW) - (s.R - 1);
    return std::clamp<int64_t>(fit, 1, s.OH);
  }

  // Adds rows up to `last`, and keeps the R - 1 before them.
  void advance(int64_t last, const Real* grad_y) {
    const ThinKernels<Real>& kernel = kernels<Real>().thin;
    const int64_t taps = s.C * s.kernel(), kept = std::min(end - begin, s.R - 1);
    const int64_t n = (last - end) * s.OW;
    for (int64_t j = 0; j < taps; ++j) {
      Real* part = parts.data() + j * step;
      std::copy(part + (end - begin - kept) * s.OW, part + (end - begin) * s.OW, part);
    }
    for (int64_t j = 0; j < taps; j += kernel.project_taps) {
      kernel.project(n, s.K, std::min(kernel.project_taps, taps - j), packed + j * s.K, grad_y + end * s.OW,
                     s.pixels(), parts.data() + j * step + kept * s.OW, step);
    }
    begin = end - kept, end = last;
  }

  // Row h of grad_x (C, H, W); the rows of y that it meets are there.
  void gather(int64_t h, Real* grad_x) const {
    const int64_t row = h + s.pad_top;  // of y, that tap 0 meets
    const int64_t r0 = std::clamp<int64_t>(row - s.OH + 1, 0, s.R),
                  r1 = std::clamp<int64_t>(row + 1, r0, s.R);
    for (int64_t c = 0; c < s.C; ++c) {
      kernels<Real>().thin.gather_row(thin_shape(s), r0, r1,
                                      parts.data() + c * s.kernel() * step + (row - begin) * s.OW, step,
                                      grad_x + (c * s.H + h) * s.W);
    }
  }
};

}  // namespace

template <class Real>
void conv2d_thin_backward_input(const Conv2dShape& s, const ConvGradient<Real>& grad_y, const Real* weight,
                                Real* grad_x) {
  const int64_t taps = s.C * s.kernel();
  const Buffer<Real> packed = pack_blocks(s.K, taps, weight, taps, 1, kernels<Real>().thin.project_taps);
  const int64_t blocks = std::max<int64_t>(1, s.H / kTaskRows);
  parallel_for(s.N * blocks, work_of(s), [&](int64_t task) {
    const int64_t n = task / blocks, block = task % blocks;
    int64_t h = block * s.H / blocks;
    const int64_t h_end = (block + 1) * s.H / blocks;
    const int64_t last = std::clamp<int64_t>(h_end + s.pad_top, 0, s.OH);  // rows of y that these rows meet
    Parts<Real> parts(s, packed.data());
    GradientReader<Real> images(grad_y, s.OH);
    const Real* image = images.at(n);
    parts.begin = parts.end = std::clamp<int64_t>(h + s.pad_top - s.R + 1, 0, last);
    while (h < h_end) {
      if (parts.end < last) parts.advance(std::min(parts.end + parts.rows_at_once, last), image);
      for (; h < h_end && (h + s.pad_top < parts.end || parts.end == last); ++h) {
        parts.gather(h, grad_x + n * s.x_step);
      }
    }
  });
}

namespace {

// partial (slices, K, taps) and one more for the bias -> the gradients.
template <class Real>
void add_slices(const Conv2dShape& s, int64_t slices, int64_t row, const Real* partial, Real* grad_weight,
                Real* grad_bias) {
  const int64_t taps = s.C * s.kernel();
  const auto total = [&](int64_t k, int64_t i) {
    Real sum = partial[k * row + i];
    for (int64_t slice = 1; slice < slices; ++slice) sum += partial[(slice * s.K + k) * row + i];
    return sum;
  };
  for (int64_t k = 0; k < s.K; ++k) {
    for (int64_t j = 0; j < taps; ++j) grad_weight[k * taps + j] = total(k, j);
    if (grad_bias) grad_bias[k] = total(k, row - 1);
  }
}

}  // namespace

template <class Real>
void conv2d_thin_backward_weight(const Conv2dShape& s, const ConvGradient<Real>& grad_y, const Real* x,
                                 Real* grad_weight, Real* grad_bias) {
  const ThinKernels<Real>& kernel = kernels<Real>().thin;
  const Planes planes(s, sizeof(Real));
  std::vector<int64_t> offsets = planes.offsets;
  offsets.resize(round_up(static_cast<int64_t>(offsets.size()), kernel.weight_taps), 0);
  const int64_t taps = static_cast<int64_t>(offsets.size()), row = taps + 1;
  const int64_t units = s.N * planes.bands(), slices = std::min(units, kMaxSlices);
  Buffer<Real> partial(slices * s.K * row);
  parallel_for(slices, work_of(s), [&](int64_t slice) {
    Buffer<Real> shifted(planes.size());
    LaneSums<Real> sums(s.K * row);
    GradientReader<Real> images(grad_y, planes.rows_at_once);
    const int64_t first = slice * units / slices, last = (slice + 1) * units / slices;
    for (int64_t unit = first; unit < last; ++unit) {
      const int64_t n = unit / planes.bands(), band = unit % planes.bands();
      planes.fill(band, x + n * s.x_step, shifted);
      const int64_t row = band * planes.rows_at_once, pixels = planes.rows_of(band) * s.OW;
      const Real* grad = grad_y.pool ? images.band(n, row, planes.rows_of(band)) : images.at(n) + row * s.OW;
      kernel.correlate_taps(pixels, s.K, taps, offsets.data(), shifted.data(), grad,
                            grad_y.pool ? pixels : s.pixels(), sums.recent());
      if ((unit - first) % kChainUnits == kChainUnits - 1) sums.flush();
    }
    sums.finish(partial.data() + slice * s.K * row);
  });
  add_slices(s, slices, row, partial.data(), grad_weight, grad_bias);
}

#define UNROLLED_INSTANTIATE(Real)                                                                      \
  template bool conv2d_thin_pools<Real>(const Conv2dShape&, const MaxPoolShape&);                       \
  template void conv2d_thin(const Conv2dShape&, const Real*, const Real*, const Epilogue<Real>&,        \
                            const ConvOutput<Real>&);                                                   \
  template void conv2d_thin_backward_input(const Conv2dShape&, const ConvGradient<Real>&, const Real*,  \
                                           Real*);                                                      \
  template void conv2d_thin_backward_weight(const Conv2dShape&, const ConvGradient<Real>&, const Real*, \
                                            Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
