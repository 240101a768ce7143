#include "ops/conv_depthwise.h"

#include <algorithm>
#include <vector>

#include "dispatch.h"
#include "memory.h"
#include "ops/matmul.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kMaxStride = 4;
constexpr int64_t kBandBytes = 8 << 10;     // of padded rows, but at least one block
constexpr int64_t kTallBlock = 7;           // rows of most register blocks
constexpr int64_t kTaskElements = 1 << 14;  // of the planes of one task
constexpr int64_t kWeightTasks = 32;  // of the weight gradient: channels first, then slices of the batch
constexpr int64_t kMaxSlices = 16;

// `outputs` windows of `taps` elements over an axis of `size` with `pad` zeros before it; a negative pad
// cuts elements off.
struct Axis {
  int64_t size, outputs, taps, stride, dilation, pad;

  // Padded elements that `n` windows reach.
  int64_t reach(int64_t n) const {
    return std::max<int64_t>(0, (n - 1) * stride + (taps - 1) * dilation + 1);
  }
  int64_t zeros() const { return std::max<int64_t>(0, pad); }
  int64_t skipped() const { return std::clamp<int64_t>(-pad, 0, size); }
  int64_t used() const { return std::clamp<int64_t>(reach(outputs) - zeros(), 0, size - skipped()); }
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

// A correlation of planes, one band of their rows after the other.
struct Pass {
  Axis rows, columns;
  PaddedPlane plane{};
  int64_t rows_at_once = 1;  // of the result

  Pass(const Axis& r, const Axis& c, int64_t element_size) : rows(r), columns(c) {
    const int64_t before = c.zeros() / c.stride;
    plane.H = r.used(), plane.W = c.used(), plane.row_step = c.size;
    plane.pad_top = r.zeros(), plane.pad_left = c.zeros();
    plane.stride_w = c.stride;
    plane.lead = round_up(before, kDepthwiseLanes) - before;
    // Where columns are split, a run may end in a whole vector of zeros.
    const int64_t spare = c.stride > 1 ? kDepthwiseLanes : 1;
    plane.phase = round_up(plane.lead + c.reach(c.outputs) / c.stride + spare, kDepthwiseLanes);
    const int64_t most = std::max<int64_t>(1, r.outputs);
    const int64_t fit = kBandBytes / element_size / plane.row_pitch() - r.reach(1);
    rows_at_once = std::clamp<int64_t>(fit / r.stride + 1, std::min(kTallBlock, most), most);
    plane.whole = rows_at_once >= r.outputs;
    if (!plane.whole && rows_at_once > kTallBlock) rows_at_once -= rows_at_once % kTallBlock;
  }

  std::vector<int64_t> tap_columns() const {
    std::vector<int64_t> places(columns.taps);
    for (int64_t q = 0; q < columns.taps; ++q) places[q] = plane.column(q * columns.dilation);
    return places;
  }

  // Zeros: the margins stay so.
  template <class Real>
  Buffer<Real> make_band() const {
    const int64_t size = rows.reach(rows_at_once) * plane.row_pitch() + 2 * kDepthwiseLanes;
    Buffer<Real> band(size);
    std::fill_n(band.data(), size, Real(0));
    return band;
  }

  // What the rows [first, first + count) of the result meet in the plane x.
  template <class Real>
  void fill_band(int64_t first, int64_t count, const Real* x, Buffer<Real>& band) const {
    kernels<Real>().depthwise.pad_rows(plane, first * rows.stride, rows.reach(count),
                                       x + rows.skipped() * columns.size + columns.skipped(), band.data());
  }

  // Calls run(first, count) for each band of the result's rows.
  template <class Run>
  void for_each_band(Run&& run) const {
    for (int64_t i = 0; i < rows.outputs; i += rows_at_once) run(i, std::min(rows_at_once, rows.outputs - i));
  }
};

Pass forward_pass(const Conv2dShape& s, int64_t element_size) {
  return Pass({s.H, s.OH, s.R, s.stride_h, s.dilation_h, s.pad_top},
              {s.W, s.OW, s.S, s.stride_w, s.dilation_w, s.pad_left}, element_size);
}

// weight (K, R, S) -> (K, columns, rows): the taps that the two lists name.
template <class Real>
Buffer<Real> pick_taps(const Conv2dShape& s, const std::vector<int64_t>& rows,
                       const std::vector<int64_t>& columns, const Real* weight) {
  Buffer<Real> taps(s.K * static_cast<int64_t>(rows.size() * columns.size()));
  Real* to = taps.data();
  for (int64_t k = 0; k < s.K; ++k, weight += s.kernel()) {
    for (const int64_t q : columns) {
      for (const int64_t r : rows) *to++ = weight[r * s.S + q];
    }
  }
  return taps;
}

std::vector<int64_t> count_up(int64_t n) {
  std::vector<int64_t> numbers(n);
  for (int64_t i = 0; i < n; ++i) numbers[i] = i;
  return numbers;
}

int64_t multiplier(const Conv2dShape& s) { return s.K / s.C; }

int64_t channels_at_once(const Conv2dShape& s) {
  const int64_t plane = std::max(s.H * s.W, s.pixels() * multiplier(s));
  return std::clamp<int64_t>(kTaskElements / std::max<int64_t>(1, plane), 1, s.C);
}

int64_t total_work(const Conv2dShape& s) {
  return s.N * (s.C * s.H * s.W + s.K * s.pixels() * (1 + s.kernel() / kMultiplyAddsPerOperation));
}

// Calls run(n, first channel, end) on the threads.
template <class Run>
void for_each_task(const Conv2dShape& s, Run&& run) {
  const int64_t step = channels_at_once(s), blocks = (s.C + step - 1) / step;
  parallel_for(s.N * blocks, total_work(s), [&](int64_t task) {
    const int64_t c = task % blocks * step;
    run(task / blocks, c, std::min(c + step, s.C));
  });
}

}  // namespace

bool conv2d_depthwise_fits(const Conv2dShape& s) {
  const bool own_kernels = s.groups == s.C && (s.C > 1 || s.K == 1);
  const bool stride_1 = s.stride_h == 1 && s.stride_w == 1;
  const bool dilation_1 = s.dilation_h == 1 && s.dilation_w == 1;
  return own_kernels && (stride_1 || (dilation_1 && std::max(s.stride_h, s.stride_w) <= kMaxStride));
}

template <class Real>
void conv2d_depthwise(const Conv2dShape& s, const Real* x, const Real* weight, const Epilogue<Real>& epilogue,
                      Real* y) {
  const Pass pass = forward_pass(s, sizeof(Real));
  const std::vector<int64_t> tap_columns = pass.tap_columns();
  const DepthwiseWindow window = {
      s.R, s.S, s.stride_h, s.dilation_h, pass.plane.row_pitch(), tap_columns.data()};
  const Buffer<Real> taps = pick_taps(s, count_up(s.R), count_up(s.S), weight);
  for_each_task(s, [&](int64_t n, int64_t begin, int64_t end) {
    Buffer<Real> band = pass.make_band<Real>();
    const int64_t m = multiplier(s);
    for (int64_t c = begin; c < end; ++c) {
      pass.for_each_band([&](int64_t i, int64_t rows) {
        const Real* plane = x + n * s.x_step + c * s.H * s.W;
        pass.fill_band(i, rows, plane, band);
        for (int64_t k = c * m; k < (c + 1) * m; ++k) {
          const DepthwiseEnds<Real> ends = {epilogue.bias ? epilogue.bias[k] : Real(0), false, epilogue.relu};
          Real* to = y + n * s.y_step + k * s.pixels() + i * s.OW;
          prefetch_rows(rows, s.OW, to + rows * s.OW);
          kernels<Real>().depthwise.correlate(window, taps.data() + k * s.kernel(), ends, rows, s.OW,
                                              band.data(), to, s.OW);
        }
      });
    }
  });
}

namespace {

// Along one axis: the taps that reach the pixels phase, phase + stride, ... of x, the last first.
struct AxisPhase {
  std::vector<int64_t> taps;
  int64_t begin = 0;  // the pixel of y that the first of them joins to x's pixel `phase`
  int64_t pixels;     // of this phase

  AxisPhase(int64_t phase, int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad)
      : pixels(size > phase ? (size - phase + stride - 1) / stride : 0) {
    for (int64_t tap = kernel - 1; tap >= 0; --tap) {
      const int64_t distance = phase + pad - tap * dilation;
      if (distance % stride != 0) continue;
      if (taps.empty()) begin = distance / stride;
      taps.push_back(tap);
    }
  }
};

std::vector<AxisPhase> axis_phases(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                                   int64_t pad) {
  std::vector<AxisPhase> phases;
  for (int64_t i = 0; i < stride; ++i) phases.emplace_back(i, size, kernel, stride, dilation, pad);
  return phases;
}

// The correlation over grad_y whose windows hold those of all phases.
Axis all_phases(const std::vector<AxisPhase>& phases, int64_t size, int64_t dilation) {
  Axis axis{size, phases[0].pixels, 0, 1, dilation, 0};
  bool first = true;
  int64_t begin = 0, end = 0;
  for (const AxisPhase& phase : phases) {
    if (phase.taps.empty()) continue;
    const int64_t last = phase.begin + (static_cast<int64_t>(phase.taps.size()) - 1) * dilation;
    begin = first ? phase.begin : std::min(begin, phase.begin);
    end = first ? last : std::max(end, last);
    first = false;
  }
  axis.taps = (end - begin) / dilation + 1;  // dilation is 1 where there are several phases
  axis.pad = -begin;
  return axis;
}

// Pixels (a, b), (a, b + stride_w), ..., (a + stride_h, b), ... of grad_x.
template <class Real>
struct Phase {
  const AxisPhase &rows, &columns;
  std::vector<int64_t> tap_columns;
  Buffer<Real> taps;
  DepthwiseWindow window;
  int64_t band_offset;

  Phase(const Conv2dShape& s, const Pass& pass, const AxisPhase& r, const AxisPhase& c, const Real* weight)
      : rows(r), columns(c), taps(pick_taps(s, r.taps, c.taps, weight)) {
    for (size_t q = 0; q < c.taps.size(); ++q) {
      tap_columns.push_back(
          pass.plane.column(c.begin + pass.columns.pad + static_cast<int64_t>(q) * s.dilation_w));
    }
    window = {static_cast<int64_t>(r.taps.size()),
              static_cast<int64_t>(c.taps.size()),
              1,
              s.dilation_h,
              pass.plane.row_pitch(),
              tap_columns.data()};
    band_offset = window.R > 0 ? (r.begin + pass.rows.pad) * pass.plane.row_pitch() : 0;
  }
  Phase(Phase&&) = default;  // a moved vector keeps its memory, which `window` points to

  // Of `count` rows of all phases from `first` on: those that this one has.
  int64_t rows_of(int64_t first, int64_t count) const {
    return std::clamp<int64_t>(rows.pixels - first, 0, count);
  }

  void correlate(int64_t k, bool accumulate, int64_t count, const Buffer<Real>& band, Real* y,
                 int64_t pitch) const {
    kernels<Real>().depthwise.correlate(window, taps.data() + k * window.R * window.S, {0, accumulate, false},
                                        count, columns.pixels, band.data() + band_offset, y, pitch);
  }
};

template <class Real>
void interleave_rows(const Conv2dShape& s, int64_t rows, int64_t columns, int64_t phase_step,
                     const Real* phases, Real* to) {
  const int64_t pitch = s.stride_h * s.W;
  if (s.stride_w == 2) {
    return kernels<Real>().depthwise.interleave(rows, s.W, phases, phases + phase_step, columns, to, pitch);
  }
  for (int64_t i = 0; i < rows; ++i, phases += columns, to += pitch) {
    for (int64_t w = 0; w < s.W; ++w) to[w] = phases[w % s.stride_w * phase_step + w / s.stride_w];
  }
}

// One channel. phases (stride_h, stride_w); with stride_w 1 they are written to grad_x itself, otherwise
// through `split` (stride_w, rows_at_once, columns).
template <class Real>
void correlate_phases(const Conv2dShape& s, const Pass& pass, const std::vector<Phase<Real>>& phases,
                      int64_t c, const Real* grad_y, Buffer<Real>& band, Buffer<Real>& split, Real* grad_x) {
  const int64_t m = multiplier(s), columns = pass.columns.outputs, step = pass.rows_at_once * columns;
  pass.for_each_band([&](int64_t i, int64_t count) {
    prefetch_rows(count * s.stride_h, s.W, grad_x + (i + count) * s.stride_h * s.W);
    for (int64_t j = 0; j < m; ++j) {
      pass.fill_band(i, count, grad_y + (c * m + j) * s.pixels(), band);
      for (int64_t a = 0; a < s.stride_h; ++a) {
        Real* rows = grad_x + (i * s.stride_h + a) * s.W;
        for (int64_t b = 0; b < s.stride_w; ++b) {
          const Phase<Real>& phase = phases[a * s.stride_w + b];
          const int64_t own = phase.rows_of(i, count);
          if (s.stride_w == 1) {
            phase.correlate(c * m + j, j > 0, own, band, rows, s.stride_h * s.W);
          } else {
            phase.correlate(c * m + j, j > 0, own, band, split.data() + (a * s.stride_w + b) * step, columns);
          }
        }
      }
    }
    for (int64_t a = 0; s.stride_w > 1 && a < s.stride_h; ++a) {
      interleave_rows(s, phases[a * s.stride_w].rows_of(i, count), columns, step,
                      split.data() + a * s.stride_w * step, grad_x + (i * s.stride_h + a) * s.W);
    }
  });
}

}  // namespace

template <class Real>
void conv2d_depthwise_backward_input(const Conv2dShape& s, const Real* grad_y, const Real* weight,
                                     Real* grad_x) {
  const auto rows = axis_phases(s.H, s.R, s.stride_h, s.dilation_h, s.pad_top);
  const auto columns = axis_phases(s.W, s.S, s.stride_w, s.dilation_w, s.pad_left);
  const Pass pass(all_phases(rows, s.OH, s.dilation_h), all_phases(columns, s.OW, s.dilation_w),
                  sizeof(Real));
  std::vector<Phase<Real>> phases;
  for (const AxisPhase& r : rows) {
    for (const AxisPhase& c : columns) phases.emplace_back(s, pass, r, c, weight);
  }
  const int64_t split_size =
      s.stride_w > 1 ? s.stride_h * s.stride_w * pass.rows_at_once * pass.columns.outputs : 0;
  for_each_task(s, [&](int64_t n, int64_t begin, int64_t end) {
    Buffer<Real> band = pass.make_band<Real>(), split(split_size);
    for (int64_t c = begin; c < end; ++c) {
      correlate_phases(s, pass, phases, c, grad_y + n * s.y_step, band, split,
                       grad_x + n * s.x_step + c * s.H * s.W);
    }
  });
}

namespace {

// sums (K of the channels, S * R + 1, lanes) over the images [n0, n1), channels [c0, c1).
template <class Real>
void correlate_images(const Conv2dShape& s, const Pass& pass, const DepthwiseWindow& window, int64_t n0,
                      int64_t n1, int64_t c0, int64_t c1, const Real* grad_y, const Real* x, Real* sums) {
  const DepthwiseKernels<Real>& kernel = kernels<Real>().depthwise;
  const int64_t m = multiplier(s), size = (s.kernel() + 1) * kernel.lanes;
  Buffer<Real> band = pass.make_band<Real>();
  std::fill_n(sums, (c1 - c0) * m * size, Real(0));
  for (int64_t n = n0; n < n1; ++n) {
    for (int64_t c = c0; c < c1; ++c) {
      pass.for_each_band([&](int64_t i, int64_t rows) {
        const Real* plane = x + n * s.x_step + c * s.H * s.W;
        pass.fill_band(i, rows, plane, band);
        for (int64_t k = c * m; k < (c + 1) * m; ++k) {
          const Real* from = grad_y + n * s.y_step + k * s.pixels() + i * s.OW;
          prefetch_rows(rows, s.OW, from + rows * s.OW);
          kernel.correlate_taps(window, rows, s.OW, from, s.OW, band.data(), sums + (k - c0 * m) * size);
        }
      });
    }
  }
}

// partial (slices, K, S * R + 1) -> the gradients.
template <class Real>
void add_slices(const Conv2dShape& s, int64_t slices, const Real* partial, Real* grad_weight,
                Real* grad_bias) {
  const int64_t size = s.kernel() + 1;
  const auto total = [&](int64_t k, int64_t i) {
    Real sum = partial[k * size + i];
    for (int64_t slice = 1; slice < slices; ++slice) sum += partial[(slice * s.K + k) * size + i];
    return sum;
  };
  for (int64_t k = 0; k < s.K; ++k, grad_weight += s.kernel()) {
    for (int64_t q = 0; q < s.S; ++q) {
      for (int64_t r = 0; r < s.R; ++r) grad_weight[r * s.S + q] = total(k, q * s.R + r);
    }
    if (grad_bias) grad_bias[k] = total(k, s.kernel());
  }
}

}  // namespace

template <class Real>
void conv2d_depthwise_backward_weight(const Conv2dShape& s, const Real* grad_y, const Real* x,
                                      Real* grad_weight, Real* grad_bias) {
  const DepthwiseKernels<Real>& kernel = kernels<Real>().depthwise;
  const Pass pass = forward_pass(s, sizeof(Real));
  const std::vector<int64_t> tap_columns = pass.tap_columns();
  const DepthwiseWindow window = {
      s.R, s.S, s.stride_h, s.dilation_h, pass.plane.row_pitch(), tap_columns.data()};
  const int64_t step = channels_at_once(s), blocks = (s.C + step - 1) / step;
  const int64_t slices = std::min({(kWeightTasks + blocks - 1) / blocks, kMaxSlices, s.N});
  const int64_t m = multiplier(s), size = s.kernel() + 1;
  Buffer<Real> partial(slices * s.K * size);
  parallel_for(slices * blocks, total_work(s), [&](int64_t task) {
    const int64_t slice = task / blocks, c0 = task % blocks * step, c1 = std::min(c0 + step, s.C);
    Buffer<Real> sums((c1 - c0) * m * size * kernel.lanes);
    correlate_images(s, pass, window, slice * s.N / slices, (slice + 1) * s.N / slices, c0, c1, grad_y, x,
                     sums.data());
    kernel.add_lanes((c1 - c0) * m * size, sums.data(), partial.data() + (slice * s.K + c0 * m) * size);
  });
  add_slices(s, slices, partial.data(), grad_weight, grad_bias);
}

#define UNROLLED_INSTANTIATE(Real)                                                                    \
  template void conv2d_depthwise(const Conv2dShape&, const Real*, const Real*, const Epilogue<Real>&, \
                                 Real*);                                                              \
  template void conv2d_depthwise_backward_input(const Conv2dShape&, const Real*, const Real*, Real*); \
  template void conv2d_depthwise_backward_weight(const Conv2dShape&, const Real*, const Real*, Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
