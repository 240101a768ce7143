#include "ops/conv_depthwise.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "dispatch.h"
#include "memory.h"
#include "ops/conv_depthwise_input.h"
#include "ops/conv_depthwise_weight.h"
#include "ops/depthwise_pass.h"
#include "ops/lane_sums.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kMaxStride = 4;
constexpr int64_t kTaskElements = 1 << 14;  // of the planes of one task
constexpr int64_t kWeightTasks = 32;  // of the weight gradient: channels first, then slices of the batch
constexpr int64_t kMaxSlices = 16;
constexpr int64_t kSumElements = 1 << 12;    // of the weight gradient's sums at a time
constexpr int64_t kChainElements = 1 << 14;  // of a plane or several, between two stages of the sums

// weight (K, R, S) -> (K, S, R).
template <class Real>
Buffer<Real> transpose_taps(const Conv2dShape& s, const Real* weight) {
  Buffer<Real> taps(s.K * s.kernel());
  Real* to = taps.data();
  for (int64_t k = 0; k < s.K; ++k, weight += s.kernel()) {
    for (int64_t q = 0; q < s.S; ++q) {
      for (int64_t r = 0; r < s.R; ++r) *to++ = weight[r * s.S + q];
    }
  }
  return taps;
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

namespace {

// Channel c of one image.
template <class Real>
class DepthwiseForward {
 public:
  DepthwiseForward(const Conv2dShape& s, const Real* weight, const Epilogue<Real>& epilogue)
      : s_(s),
        epilogue_(epilogue),
        pass_(forward_pass(s, sizeof(Real))),
        tap_columns_(pass_.tap_columns()),
        window_(forward_window(s, pass_, tap_columns_)),
        bands_(forward_bands<Real>(s)),
        taps_(transpose_taps(s, weight)) {}

  struct Scratch {
    Buffer<Real> band;
    BandWriter<Real> writer;
  };
  Scratch make_scratch() const {
    const int64_t rows = std::max(pass_.rows_at_once(), bands_.rows_at_once);
    return {pass_.make_band<Real>(), BandWriter<Real>(s_.N * s_.y_step, rows * s_.OW)};
  }

  // x (H, W) -> the channel's planes of y (K, OH, OW)
  void correlate(int64_t c, const Real* x, Scratch& scratch, Real* y) const {
    if (bands_.fit) {
      return bands_.for_each([&](const DepthwisePlane& band, int64_t i) {
        bands_.prefetch(band, i, x);
        for_each_kernel(c, y + i * s_.OW, band.rows, scratch.writer, [&](int64_t k, Real* to) {
          kernels<Real>().depthwise_plane.correlate(band, taps_.data() + k * s_.kernel(), ends(k), x, to);
        });
      });
    }
    pass_.for_each_band([&](int64_t i, int64_t rows) {
      pass_.fill_band(i, rows, x, scratch.band);
      pass_.prefetch_band(i + rows, x);
      for_each_kernel(c, y + i * s_.OW, rows, scratch.writer, [&](int64_t k, Real* to) {
        kernels<Real>().depthwise.correlate(window_, taps_.data() + k * s_.kernel(), ends(k), rows, s_.OW,
                                            scratch.band.data(), to, s_.OW);
      });
    });
  }

 private:
  DepthwiseEnds<Real> ends(int64_t k) const {
    return {epilogue_.bias ? epilogue_.bias[k] : Real(0), false, epilogue_.relu};
  }

  // Calls make(k, where its rows are made) for the channel's kernels; y: the rows of the first plane.
  template <class Make>
  void for_each_kernel(int64_t c, Real* y, int64_t rows, BandWriter<Real>& writer, Make&& make) const {
    const int64_t m = multiplier(s_);
    for (int64_t k = c * m; k < (c + 1) * m; ++k) {
      Real* const to = y + k * s_.pixels();
      make(k, writer.place(to));
      writer.write(rows * s_.OW, to);
    }
  }

  Conv2dShape s_;
  Epilogue<Real> epilogue_;
  DepthwisePass pass_;
  std::vector<int64_t> tap_columns_;
  DepthwiseWindow window_;
  DepthwiseBands bands_;
  Buffer<Real> taps_;
};

}  // namespace

template <class Real>
void conv2d_depthwise(const Conv2dShape& s, const Real* x, const Real* weight, const Epilogue<Real>& epilogue,
                      Real* y) {
  const DepthwiseForward<Real> forward(s, weight, epilogue);
  for_each_task(s, [&](int64_t n, int64_t begin, int64_t end) {
    auto scratch = forward.make_scratch();
    for (int64_t c = begin; c < end; ++c) {
      forward.correlate(c, x + n * s.x_step + c * s.H * s.W, scratch, y + n * s.y_step);
    }
  });
}

template <class Real>
void conv2d_depthwise_backward_input(const Conv2dShape& s, const Real* grad_y, const Real* weight,
                                     Real* grad_x) {
  const DepthwiseInputGradient<Real> gradient(s, weight);
  for_each_task(s, [&](int64_t n, int64_t begin, int64_t end) {
    auto scratch = gradient.make_scratch();
    for (int64_t c = begin; c < end; ++c) {
      gradient.correlate(c, grad_y + n * s.y_step, scratch, grad_x + n * s.x_step + c * s.H * s.W);
    }
  });
}

namespace {

// As many channels as have their sums in the L1 cache.
int64_t channels_of_sums(const Conv2dShape& s) {
  return std::clamp<int64_t>(kSumElements / (kDepthwiseLanes * multiplier(s) * (s.kernel() + 1)), 1,
                             channels_at_once(s));
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
void conv2d_depthwise_backward(const Conv2dShape& s, const Real* grad_y, const Real* x, const Real* weight,
                               Real* grad_x, Real* grad_weight, Real* grad_bias) {
  const DepthwiseWeightGradient<Real> by_weight(s);
  std::optional<DepthwiseInputGradient<Real>> by_input;
  if (grad_x) by_input.emplace(s, weight);
  const int64_t step = channels_of_sums(s), blocks = (s.C + step - 1) / step;
  const int64_t slices = std::min({(kWeightTasks + blocks - 1) / blocks, kMaxSlices, s.N});
  const int64_t m = multiplier(s), size = s.kernel() + 1, lanes = kernels<Real>().depthwise_weight.lanes;
  const int64_t images_of_chain = std::max<int64_t>(1, kChainElements / s.pixels());
  Buffer<Real> partial(slices * s.K * size);
  parallel_for(slices * blocks, total_work(s), [&](int64_t task) {
    const int64_t slice = task / blocks, c0 = task % blocks * step, c1 = std::min(c0 + step, s.C);
    const int64_t first = slice * s.N / slices, last = (slice + 1) * s.N / slices;
    LaneSums<Real> sums((c1 - c0) * m * size);
    auto scratch = by_weight.make_scratch();
    std::optional<typename DepthwiseInputGradient<Real>::Scratch> input_scratch;
    if (by_input) input_scratch.emplace(by_input->make_scratch());
    for (int64_t n = first; n < last; ++n) {
      const Real* g = grad_y + n * s.y_step;
      for (int64_t c = c0; c < c1; ++c) {
        const int64_t plane = n * s.x_step + c * s.H * s.W;
        by_weight.correlate(c, g, x + plane, scratch, sums.recent() + (c - c0) * m * size * lanes);
        if (by_input) by_input->correlate(c, g, *input_scratch, grad_x + plane);
      }
      if ((n - first) % images_of_chain == images_of_chain - 1) sums.flush();
    }
    sums.finish(partial.data() + (slice * s.K + c0 * m) * size);
  });
  add_slices(s, slices, partial.data(), grad_weight, grad_bias);
}

#define UNROLLED_INSTANTIATE(Real)                                                                          \
  template void conv2d_depthwise(const Conv2dShape&, const Real*, const Real*, const Epilogue<Real>&,       \
                                 Real*);                                                                    \
  template void conv2d_depthwise_backward_input(const Conv2dShape&, const Real*, const Real*, Real*);       \
  template void conv2d_depthwise_backward(const Conv2dShape&, const Real*, const Real*, const Real*, Real*, \
                                          Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
