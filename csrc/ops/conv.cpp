#include "ops/conv.h"

#include <algorithm>

#include "dispatch.h"
#include "memory.h"
#include "ops/matmul.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kPaddedElements = int64_t{1} << 21;  // padded images that lie ready at a time
constexpr int64_t kPixelTiles = 4;                     // register tiles of pixels in one task
constexpr int64_t kWeightSlices = 16;                  // partial sums of the weight gradient, added in order

ConvShape forward_shape(const Conv2dShape& s) {
  return {.C = s.C,
          .H = s.H,
          .W = s.W,
          .R = s.R,
          .S = s.S,
          .stride_h = s.stride_h,
          .stride_w = s.stride_w,
          .OH = s.OH,
          .OW = s.OW,
          .pad_top = s.pad_h,
          .pad_left = s.pad_w,
          .spread_h = 1,
          .spread_w = 1,
          .padded_h = s.H + 2 * s.pad_h,
          .padded_w = s.W + 2 * s.pad_w};
}

// The image is grad_y; every one of its pixels reaches R x S pixels of x.
ConvShape backward_shape(const Conv2dShape& s) {
  return {.C = s.K,
          .H = s.OH,
          .W = s.OW,
          .R = s.R,
          .S = s.S,
          .stride_h = 1,
          .stride_w = 1,
          .OH = s.H,
          .OW = s.W,
          .pad_top = s.R - 1 - s.pad_h,
          .pad_left = s.S - 1 - s.pad_w,
          .spread_h = s.stride_h,
          .spread_w = s.stride_w,
          .padded_h = s.H + s.R - 1,
          .padded_w = s.W + s.S - 1};
}

int64_t padded_size(const ConvShape& s) { return s.C * s.padded_h * s.padded_w; }

int64_t images_at_once(const ConvShape& s, int64_t N) {
  return std::clamp<int64_t>(kPaddedElements / std::max<int64_t>(1, padded_size(s)), 1,
                             std::max<int64_t>(1, N));
}

// The weight (K, depth) in panels of rows, one chunk of depth after the other.
template <class Real>
Buffer<Real> pack_weight(const MatmulKernels<Real>& kernel, int64_t K, int64_t depth, const Real* weight) {
  const int64_t padded = round_up(K, kernel.tile_rows);
  Buffer<Real> packed(padded * depth);
  for (int64_t p = 0; p < depth; p += kMatmulDepth) {
    kernel.pack_rows(K, std::min(kMatmulDepth, depth - p), weight + p, depth, 1, packed.data() + p * padded);
  }
  return packed;
}

// One image, pixels [j0, j1) of all K outputs.
template <class Real>
void convolve_pixels(const Kernels<Real>& kernels, const ConvShape& s, int64_t K, const Real* padded,
                     const Real* weight_packed, const Real* bias, int64_t j0, int64_t j1, Real* y) {
  const MatmulKernels<Real>& product = kernels.matmul;
  const int64_t depth = s.C * s.R * s.S, pixels = s.OH * s.OW;
  const int64_t K_padded = round_up(K, product.tile_rows);
  Buffer<Real> columns(round_up(j1 - j0, product.tile_columns) * std::min(depth, kMatmulDepth));
  for (int64_t k = 0; bias && k < K; ++k) std::fill(y + k * pixels + j0, y + k * pixels + j1, bias[k]);
  for (int64_t p = 0; p < depth; p += kMatmulDepth) {
    const int64_t end = std::min(p + kMatmulDepth, depth);
    kernels.conv.pack_pixels(s, padded, p, end, j0, j1, product.tile_columns, columns.data());
    product.multiply(K, j1 - j0, end - p, weight_packed + p * K_padded, columns.data(), y + j0, pixels,
                     bias || p > 0);
  }
}

template <class Real>
void convolve(const ConvShape& s, int64_t N, int64_t K, const Real* x, const Real* weight, const Real* bias,
              Real* y) {
  const Kernels<Real>& kernel = kernels<Real>();
  const int64_t pixels = s.OH * s.OW, step = kPixelTiles * kernel.matmul.tile_columns;
  if (s.C == 0) {
    for (int64_t i = 0; i < N * K; ++i) std::fill_n(y + i * pixels, pixels, bias ? bias[i % K] : Real(0));
    return;
  }
  const Buffer<Real> weight_packed = pack_weight(kernel.matmul, K, s.C * s.R * s.S, weight);
  const int64_t at_once = images_at_once(s, N), blocks = (pixels + step - 1) / step, size = padded_size(s);
  Buffer<Real> padded(at_once * size);
  const int64_t work = pixels * K * s.C * s.R * s.S / kMultiplyAddsPerOperation;
  for (int64_t n0 = 0; n0 < N; n0 += at_once) {
    const int64_t count = std::min(at_once, N - n0);
    parallel_for(count, count * size, [&](int64_t i) {
      kernel.conv.pad_image(s, x + (n0 + i) * s.C * s.H * s.W, padded.data() + i * size);
    });
    parallel_for(count * blocks, count * work, [&](int64_t task) {
      const int64_t i = task / blocks, j = task % blocks * step;
      convolve_pixels(kernel, s, K, padded.data() + i * size, weight_packed.data(), bias, j,
                      std::min(j + step, pixels), y + (n0 + i) * K * pixels);
    });
  }
}

// grad_weight (K, taps) += grad_y (K, pixels) times the columns matrix transposed, for one image.
template <class Real>
void accumulate_weight(const Kernels<Real>& kernels, const ConvShape& s, int64_t K, const Real* grad_y,
                       const Real* padded, bool first, Real* grad_weight) {
  const MatmulKernels<Real>& product = kernels.matmul;
  const int64_t pixels = s.OH * s.OW, taps = s.C * s.R * s.S;
  const int64_t depth = std::min(pixels, kMatmulDepth / 2);
  Buffer<Real> rows(round_up(K, product.tile_rows) * depth);
  Buffer<Real> columns(round_up(taps, product.tile_columns) * depth);
  Buffer<int64_t> offsets(product.tile_columns);
  for (int64_t p = 0; p < pixels; p += depth) {
    const int64_t end = std::min(p + depth, pixels);
    product.pack_rows(K, end - p, grad_y + p, pixels, 1, rows.data());
    kernels.conv.pack_taps(s, padded, p, end, product.tile_columns, offsets.data(), columns.data());
    product.multiply(K, taps, end - p, rows.data(), columns.data(), grad_weight, taps, !first || p > 0);
  }
}

template <class Real>
void accumulate_bias(const Kernels<Real>& kernels, int64_t K, int64_t pixels, const Real* grad_y,
                     double* sums) {
  for (int64_t k = 0; k < K; ++k) sums[k] += kernels.norm.sum(pixels, grad_y + k * pixels);
}

}  // namespace

template <class Real>
void conv2d(const Conv2dShape& s, const Real* x, const Real* weight, const Real* bias, Real* y) {
  convolve(forward_shape(s), s.N, s.K, x, weight, bias, y);
}

template <class Real>
void conv2d_backward_input(const Conv2dShape& s, const Real* grad_y, const Real* weight, Real* grad_x) {
  Buffer<Real> flipped(s.K * s.C * s.R * s.S);
  kernels<Real>().conv.flip_weight(s.K, s.C, s.R, s.S, weight, flipped.data());
  convolve<Real>(backward_shape(s), s.N, s.C, grad_y, flipped.data(), nullptr, grad_x);
}

template <class Real>
void conv2d_backward_weight(const Conv2dShape& s, const Real* grad_y, const Real* x, Real* grad_weight,
                            Real* grad_bias) {
  const Kernels<Real>& kernel = kernels<Real>();
  const ConvShape shape = forward_shape(s);
  const int64_t weights = s.K * s.C * s.R * s.S, pixels = s.OH * s.OW;
  const int64_t slices =
      std::min(s.N, kWeightSlices);  // by the shape alone: the sums are the same on any threads
  if (slices == 0 || pixels == 0) {
    std::fill_n(grad_weight, weights, Real(0));
    if (grad_bias) std::fill_n(grad_bias, s.K, Real(0));
    return;
  }
  Buffer<Real> partial(slices * weights);
  Buffer<double> partial_bias(slices * s.K);
  const int64_t work = s.N * pixels * weights / kMultiplyAddsPerOperation;
  parallel_for(slices, work, [&](int64_t slice) {
    Buffer<Real> padded(padded_size(shape));
    double* bias_sums = partial_bias.data() + slice * s.K;
    std::fill_n(bias_sums, s.K, 0.0);
    const int64_t begin = slice * s.N / slices, end = (slice + 1) * s.N / slices;
    for (int64_t n = begin; n < end; ++n) {
      const Real* g = grad_y + n * s.K * pixels;
      kernel.conv.pad_image(shape, x + n * s.C * s.H * s.W, padded.data());
      accumulate_weight(kernel, shape, s.K, g, padded.data(), n == begin, partial.data() + slice * weights);
      accumulate_bias(kernel, s.K, pixels, g, bias_sums);
    }
  });
  for (int64_t i = 0; i < weights; ++i) {
    Real sum = partial[i];
    for (int64_t slice = 1; slice < slices; ++slice) sum += partial[slice * weights + i];
    grad_weight[i] = sum;
  }
  for (int64_t k = 0; grad_bias && k < s.K; ++k) {
    double sum = 0;
    for (int64_t slice = 0; slice < slices; ++slice) sum += partial_bias[slice * s.K + k];
    grad_bias[k] = static_cast<Real>(sum);
  }
}

template void conv2d(const Conv2dShape&, const float*, const float*, const float*, float*);
template void conv2d(const Conv2dShape&, const double*, const double*, const double*, double*);
template void conv2d_backward_input(const Conv2dShape&, const float*, const float*, float*);
template void conv2d_backward_input(const Conv2dShape&, const double*, const double*, double*);
template void conv2d_backward_weight(const Conv2dShape&, const float*, const float*, float*, float*);
template void conv2d_backward_weight(const Conv2dShape&, const double*, const double*, double*, double*);

}  // namespace unrolled
