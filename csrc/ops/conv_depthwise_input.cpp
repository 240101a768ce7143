#include "ops/conv_depthwise_input.h"

#include <algorithm>

#include "dispatch.h"

namespace unrolled {
namespace {

std::vector<AxisPhase> axis_phases(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                                   int64_t pad) {
  std::vector<AxisPhase> phases(stride);
  for (int64_t i = 0; i < stride; ++i) {
    phases[i].pixels = size > i ? (size - i + stride - 1) / stride : 0;
    for (int64_t tap = kernel - 1; tap >= 0; --tap) {
      const int64_t distance = i + pad - tap * dilation;
      if (distance % stride != 0) continue;
      if (phases[i].taps.empty()) phases[i].begin = distance / stride;
      phases[i].taps.push_back(tap);
    }
  }
  return phases;
}

// The correlation over grad_y whose windows hold those of all phases. There is no dilation with a stride.
WindowAxis all_phases(const std::vector<AxisPhase>& phases, int64_t size, int64_t dilation) {
  int64_t begin = INT64_MAX, end = INT64_MIN;
  for (const AxisPhase& phase : phases) {
    if (phase.taps.empty()) continue;
    begin = std::min(begin, phase.begin);
    end = std::max(end, phase.begin + (static_cast<int64_t>(phase.taps.size()) - 1) * dilation);
  }
  return {size, phases[0].pixels, (end - begin) / dilation + 1, 1, dilation, -begin};
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

}  // namespace

template <class Real>
DepthwiseInputGradient<Real>::DepthwiseInputGradient(const Conv2dShape& s, const Real* weight)
    : s_(s),
      row_phases_(axis_phases(s.H, s.R, s.stride_h, s.dilation_h, s.pad_top)),
      column_phases_(axis_phases(s.W, s.S, s.stride_w, s.dilation_w, s.pad_left)),
      pass_(all_phases(row_phases_, s.OH, s.dilation_h), all_phases(column_phases_, s.OW, s.dilation_w),
            sizeof(Real)),
      split_step_(pass_.rows_at_once() * pass_.columns().outputs),
      split_size_(s.stride_w > 1 ? s.stride_h * s.stride_w * split_step_ : 0),
      bands_(backward_bands<Real>(s)) {
  for (const AxisPhase& rows : row_phases_) {
    for (const AxisPhase& columns : column_phases_) phases_.push_back(make_phase(rows, columns, weight));
  }
}

template <class Real>
auto DepthwiseInputGradient<Real>::make_phase(const AxisPhase& rows, const AxisPhase& columns,
                                              const Real* weight) const -> Phase {
  const PaddedPlane& plane = pass_.plane();
  const auto R = static_cast<int64_t>(rows.taps.size()), S = static_cast<int64_t>(columns.taps.size());
  std::vector<int64_t> places(S);
  for (int64_t q = 0; q < S; ++q) {
    places[q] = plane.column(columns.begin + pass_.columns().pad + q * s_.dilation_w);
  }
  const int64_t offset = R > 0 ? (rows.begin + pass_.rows().pad) * plane.row_pitch() : 0;
  const DepthwiseWindow window = {R, S, 1, s_.dilation_h, plane.row_pitch(), places.data()};
  // A moved vector keeps its memory, which `window` points to.
  return {rows.pixels, columns.pixels, std::move(places), pick_taps(s_, rows.taps, columns.taps, weight),
          window,      offset};
}

template <class Real>
void DepthwiseInputGradient<Real>::correlate_phase(const Phase& phase, int64_t k, bool accumulate,
                                                   int64_t rows, const Buffer<Real>& band, Real* y,
                                                   int64_t pitch) const {
  const DepthwiseWindow& window = phase.window;
  kernels<Real>().depthwise.correlate(window, phase.taps.data() + k * window.R * window.S,
                                      {0, accumulate, false}, rows, phase.columns,
                                      band.data() + phase.band_offset, y, pitch);
}

template <class Real>
void DepthwiseInputGradient<Real>::interleave(int64_t rows, const Real* phases, Real* to) const {
  const int64_t columns = pass_.columns().outputs, pitch = s_.stride_h * s_.W;
  if (s_.stride_w == 2) {
    return kernels<Real>().depthwise.interleave(rows, s_.W, phases, phases + split_step_, columns, to, pitch);
  }
  for (int64_t i = 0; i < rows; ++i, phases += columns, to += pitch) {
    for (int64_t w = 0; w < s_.W; ++w) to[w] = phases[w % s_.stride_w * split_step_ + w / s_.stride_w];
  }
}

template <class Real>
void DepthwiseInputGradient<Real>::correlate_planes(int64_t c, const Real* grad_y, Scratch& scratch,
                                                    Real* grad_x) const {
  const int64_t m = s_.K / s_.C;
  bands_.for_each([&](const DepthwisePlane& band, int64_t i) {
    Real* const to = scratch.writer.place(grad_x + i * s_.W);
    for (int64_t k = c * m; k < (c + 1) * m; ++k) {
      const Real* from = grad_y + k * s_.pixels();
      bands_.prefetch(band, i, from);
      kernels<Real>().depthwise_plane.correlate(band, phases_[0].taps.data() + k * s_.kernel(),
                                                {0, k > c * m, false}, from, to);
    }
    scratch.writer.write(band.rows * s_.W, grad_x + i * s_.W);
  });
}

template <class Real>
void DepthwiseInputGradient<Real>::correlate(int64_t c, const Real* grad_y, Scratch& scratch,
                                             Real* grad_x) const {
  if (bands_.fit) return correlate_planes(c, grad_y, scratch, grad_x);
  const int64_t m = s_.K / s_.C, columns = pass_.columns().outputs;
  pass_.for_each_band([&](int64_t i, int64_t count) {
    Real* const result = grad_x + i * s_.stride_h * s_.W;
    Real* to = scratch.writer.place(result);
    const auto rows_of = [&](int64_t a) {  // the last phases may lack the last row
      return std::clamp<int64_t>(phases_[a * s_.stride_w].rows - i, 0, count);
    };
    for (int64_t k = c * m; k < (c + 1) * m; ++k) {
      pass_.fill_band(i, count, grad_y + k * s_.pixels(), scratch.band);
      pass_.prefetch_band(i + count, grad_y + k * s_.pixels());
      for (int64_t p = 0; p < s_.stride_h * s_.stride_w; ++p) {
        const int64_t a = p / s_.stride_w;
        const bool direct = s_.stride_w == 1;
        correlate_phase(phases_[p], k, k > c * m, rows_of(a), scratch.band,
                        direct ? to + a * s_.W : scratch.split.data() + p * split_step_,
                        direct ? s_.stride_h * s_.W : columns);
      }
    }
    for (int64_t a = 0; s_.stride_w > 1 && a < s_.stride_h; ++a) {
      interleave(rows_of(a), scratch.split.data() + a * s_.stride_w * split_step_, to + a * s_.W);
    }
    scratch.writer.write(std::min(count * s_.stride_h, s_.H - i * s_.stride_h) * s_.W, result);
  });
}

template class DepthwiseInputGradient<float>;
template class DepthwiseInputGradient<double>;

}  // namespace unrolled
