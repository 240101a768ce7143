#include "ops/conv_direct.h"

#include <algorithm>

#include "dispatch.h"
#include "memory.h"
#include "ops/conv_columns.h"
#include "ops/matmul.h"
#include "parallel.h"

namespace unrolled {
namespace {

ConvShape forward_shape(const Conv2dShape& s) {
  const int64_t columns = (s.OW - 1) * s.stride_w + (s.S - 1) * s.dilation_w + 1;
  return {.C = s.C,
          .H = s.H,
          .W = s.W,
          .R = s.R,
          .S = s.S,
          .stride_h = s.stride_h,
          .stride_w = s.stride_w,
          .dilation_h = s.dilation_h,
          .dilation_w = s.dilation_w,
          .OH = s.OH,
          .OW = s.OW,
          .pad_top = s.pad_top,
          .pad_left = s.pad_left,
          .padded_h = (s.OH - 1) * s.stride_h + (s.R - 1) * s.dilation_h + 1,
          .padded_w = (columns + s.stride_w - 1) / s.stride_w};
}

}  // namespace

template <class Real>
void conv2d_direct(const Conv2dShape& s, const Real* x, const Real* weight, const Epilogue<Real>& epilogue,
                   Real* y) {
  convolve_columns(forward_shape(s), s.N, s.K, x, s.x_step, weight, epilogue, y, s.y_step);
}

namespace {

constexpr int64_t kWeightSlices = 16;                // partial sums of the weight gradient, added in order
constexpr int64_t kPixelsAtOnce = kMatmulDepth / 2;  // one term of those sums
constexpr int64_t kPixelsASlice = 2 * kPixelsAtOnce;
constexpr int64_t kRowPitch = kPixelsAtOnce + 16;  // rows that lie 4 KiB apart would share cache lines

// grad_weight (K, taps) = or += grad_y (K, pixels) times the columns matrix transposed, pixels [p, end).
template <class Real>
void accumulate_weight(const Kernels<Real>& kernels, const ConvShape& s, int64_t K, const Real* grad_y,
                       const Real* padded, const int64_t* offsets, int64_t p, int64_t end, bool accumulate,
                       Real* rows, Real* columns, Real* grad_weight) {
  const MatmulKernels<Real>& product = kernels.matmul;
  for (int64_t k = 0; k < K; ++k) {
    std::copy_n(grad_y + k * s.OH * s.OW + p, end - p, rows + k * kRowPitch);
  }
  kernels.conv.pack_taps(s, padded, offsets, p, end, product.tile_columns, columns);
  product.multiply_rows(K, s.taps(), end - p, rows, kRowPitch, columns, grad_weight, s.taps(),
                        {.accumulate = accumulate});
}

// A power of two by the shape alone; short slices would not repay the memory of their sums.
int64_t count_slices(int64_t units, int64_t pixels) {
  int64_t slices = 1;
  while (slices < kWeightSlices && 2 * slices <= units && 2 * slices * kPixelsASlice <= pixels) slices *= 2;
  return slices;
}

template <class Real>
void add_slices(int64_t n, int64_t slices, const Real* partial, Real* sum) {
  parallel_runs(n, 1 << 13, n * slices, [&](int64_t begin, int64_t end) {
    std::copy(partial + begin, partial + end, sum + begin);
    for (int64_t slice = 1; slice < slices; ++slice) {
      const Real* term = partial + slice * n;
      for (int64_t i = begin; i < end; ++i) sum[i] += term[i];
    }
  });
}

}  // namespace

template <class Real>
void conv2d_direct_backward_weight(const Conv2dShape& s, const Real* grad_y, const Real* x,
                                   Real* grad_weight) {
  const Kernels<Real>& kernel = kernels<Real>();
  const ConvShape shape = forward_shape(s);
  const int64_t weights = s.K * shape.taps(), chunks = (s.pixels() + kPixelsAtOnce - 1) / kPixelsAtOnce;
  const int64_t units = s.N * chunks;  // (image, chunk of its pixels)
  const int64_t slices = count_slices(units, s.N * s.pixels());
  const int64_t depth = std::min(s.pixels(), kPixelsAtOnce);
  const Buffer<int64_t> offsets = tap_offsets(shape);
  Buffer<Real> partial(slices * weights);
  const int64_t work = s.N * s.pixels() * weights / kMultiplyAddsPerOperation;
  parallel_for(slices, work, [&](int64_t slice) {
    Buffer<Real> padded(shape.padded_size() + kConvSlack);
    Buffer<Real> rows(s.K * kRowPitch);
    Buffer<Real> columns(round_up(shape.taps(), kernel.matmul.tile_columns) * depth +
                         kConvSlack * kernel.matmul.tile_columns);
    const int64_t first = slice * units / slices, end = (slice + 1) * units / slices;
    for (int64_t unit = first; unit < end; ++unit) {
      const int64_t n = unit / chunks, p = unit % chunks * kPixelsAtOnce;
      if (unit == first || p == 0) kernel.conv.pad_image(shape, x + n * s.x_step, padded.data());
      accumulate_weight(kernel, shape, s.K, grad_y + n * s.y_step, padded.data(), offsets.data(), p,
                        std::min(p + kPixelsAtOnce, s.pixels()), unit > first, rows.data(), columns.data(),
                        partial.data() + slice * weights);
    }
  });
  add_slices(weights, slices, partial.data(), grad_weight);
}

#define UNROLLED_INSTANTIATE(Real)                                                                         \
  template void conv2d_direct(const Conv2dShape&, const Real*, const Real*, const Epilogue<Real>&, Real*); \
  template void conv2d_direct_backward_weight(const Conv2dShape&, const Real*, const Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
