#include "ops/conv_winograd.h"

#include <algorithm>

#include "dispatch.h"
#include "memory.h"
#include "ops/matmul.h"
#include "parallel.h"
#include "stream.h"

namespace unrolled {
namespace {

// Transformed inputs and products of one block of tiles stay in the second-level cache together with a panel
// of kernels: at most kTilesAtOnce tiles, fewer where the channels are many.
constexpr int64_t kTilesAtOnce = 64, kFewestTiles = 24, kBlockElements = int64_t{1} << 17;
constexpr int64_t kChannelsAtOnce = 64;  // output channels of one product; a multiple of every panel

template <class Real>
const WinogradKernels<Real>& winograd_kernels(WinogradTile tile, int64_t taps) {
  const Kernels<Real>& all = kernels<Real>();
  if (tile == WinogradTile::f2) return all.winograd_f2;
  if (tile == WinogradTile::f4) return all.winograd_f4;
  return taps == 3 ? all.winograd_line.taps3 : taps == 5 ? all.winograd_line.taps5 : all.winograd_line.taps7;
}

int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class Real>
WinogradShape image_shape(const WinogradKernels<Real>& kernel, const Conv2dShape& s) {
  const int64_t m = kernel.tile;
  WinogradShape w{
      s.C,   s.H,   s.W,  s.K, s.OH, s.OW, s.pad_top, s.pad_left, ceil_divide(s.OH, m), ceil_divide(s.OW, m),
      false, false, false};
  if (kernel.one_axis) {
    w.tile_rows = ceil_divide(w.tile_columns, kTilesAtOnce);
    w.tile_columns = ceil_divide(w.tile_columns, w.tile_rows);
  } else if (s.algorithm == ConvAlgorithm::automatic && m > 2) {  // else tiles are alike everywhere
    w.narrow_row = s.OH % m > 0 && s.OH % m <= 2;
    w.narrow_column = s.OW % m > 0 && s.OW % m <= 2;
  }
  return w;
}

// The places of rows of tiles [begin, end), counted over all images.
struct BlockOfRows {
  int64_t begin, end;
  WinogradBlock block;
  Buffer<WinogradPlace> places;

  BlockOfRows(const WinogradShape& w, int64_t first_row, int64_t end_row)
      : begin(first_row), end(end_row), block{}, places(end_row - first_row) {
    const auto is_low = [&w](int64_t row) { return w.narrow_row && (row + 1) % w.tile_rows == 0; };
    const int64_t wide = w.tile_columns - w.narrow_column;
    for (int64_t row = begin; row < end; ++row) {
      (is_low(row) ? block.low : block.whole) += wide;
      (is_low(row) ? block.corner : block.thin) += w.narrow_column;
    }
    int64_t low = 0, whole = block.low, thin = block.low + block.whole, corner = thin + block.thin;
    for (int64_t row = begin; row < end; ++row) {
      int64_t &first = is_low(row) ? low : whole, &narrow = is_low(row) ? corner : thin;
      places[row - begin] = {first, narrow};
      first += wide, narrow += w.narrow_column;
    }
  }

  // Calls run(image, its first row of tiles here, the one behind its last, their places).
  template <class Run>
  void for_each_image(const WinogradShape& w, Run&& run) const {
    for (int64_t row = begin; row < end;) {
      const int64_t n = row / w.tile_rows, behind = std::min(end, (n + 1) * w.tile_rows);
      run(n, row - n * w.tile_rows, behind - n * w.tile_rows, places.data() + (row - begin));
      row = behind;
    }
  }
};

// Rows of tiles that one block holds, where each tile has so many channels before and behind the product.
int64_t rows_at_once(int64_t points, int64_t channels, int64_t tile_columns) {
  const int64_t tiles = std::clamp(kBlockElements / (points * channels), kFewestTiles, kTilesAtOnce);
  return std::max<int64_t>(1, tiles / tile_columns);
}

// Planes of a multiple of 4 KiB would fall on the same lines of the first-level cache.
template <class Real>
int64_t plane_size(int64_t tiles, int64_t channels) {
  return tiles * channels + static_cast<int64_t>(64 / sizeof(Real));
}

// The transformed weight of a convolution with `s.C` input and `s.K` output channels.
template <class Real>
struct WinogradWeight {
  const Real* weight;
  int64_t k_stride, c_stride;
  bool flip;
};

template <class Real>
Buffer<Real> transform_weight(const WinogradKernels<Real>& kernel, const Conv2dShape& s,
                              const WinogradWeight<Real>& w) {
  const int64_t Kp = round_up(s.K, kernel.channels);
  Buffer<Real> u(kernel.points * s.C * Kp);
  kernel.transform_weight(s.K, s.C, w.weight, w.k_stride, w.c_stride, w.flip, u.data());
  return u;
}

// Rows of tiles [begin, end), counted over all images, output channels [first, last), `at_once` rows at a
// time. With a pooling these are whole images.
template <class Real>
void convolve_block(const WinogradKernels<Real>& kernel, const WinogradShape& w, const Conv2dShape& s,
                    const ConvGradient<Real>& x, const Real* u, const Epilogue<Real>& epilogue, int64_t begin,
                    int64_t end, int64_t at_once, int64_t first, int64_t last, const ConvOutput<Real>& y) {
  at_once = std::min(at_once, end - begin);
  const int64_t most = at_once * w.tile_columns, Cp = round_up(s.C, kernel.channels);
  const int64_t v_plane = plane_size<Real>(most, Cp), p_plane = plane_size<Real>(most, kChannelsAtOnce);
  Buffer<Real> v(kernel.points * v_plane), products(kernel.points * p_plane);
  Buffer<Real> scratch(kernel.strip_size(std::max(s.W, s.OW), w.tile_columns));
  GradientReader<Real> images(x, s.H);
  const int64_t first_image = begin / w.tile_rows, step = y.pool ? s.K * s.pixels() : y.step;
  Buffer<Real> pooled(y.pool ? (end / w.tile_rows - first_image) * step : 0);
  Real* to = y.pool ? pooled.data() : y.y + first_image * step;
  for (int64_t row = begin; row < end; row += at_once) {
    const BlockOfRows rows(w, row, std::min(row + at_once, end));
    rows.for_each_image(w, [&](int64_t n, int64_t first_row, int64_t end_row, const WinogradPlace* places) {
      kernel.transform_input(w, images.at(n), first_row, end_row, places, v_plane, v.data(), scratch.data());
    });
    for (int64_t k = first; k < last; k += kChannelsAtOnce) {
      const int64_t channels = std::min(kChannelsAtOnce, last - k);
      const int64_t columns = round_up(channels, kernel.channels);
      kernel.multiply(rows.block, s.C, s.K, v.data(), v_plane, u, k, columns, products.data(), p_plane);
      for (int64_t i = rows.begin; i < rows.end; ++i) {
        kernel.transform_output(w, products.data(), p_plane, columns, i % w.tile_rows,
                                rows.places[i - rows.begin], k, channels, epilogue.bias, epilogue.relu,
                                to + (i / w.tile_rows - first_image) * step, scratch.data());
      }
    }
  }
  if (w.past) stream_done();
  for (int64_t n = first_image; y.pool && n < end / w.tile_rows; ++n) {
    y.pool_channels(n, first, last - first, to + (n - first_image) * step + first * s.pixels());
  }
}

template <class Real>
void convolve(const Conv2dShape& s, WinogradTile tile, const ConvGradient<Real>& x,
              const WinogradWeight<Real>& weight, const Epilogue<Real>& epilogue, const ConvOutput<Real>& y) {
  const WinogradKernels<Real>& kernel = winograd_kernels<Real>(tile, s.kernel());
  WinogradShape w = image_shape(kernel, s);
  w.past = !y.pool && s.N * s.K * s.pixels() * static_cast<int64_t>(sizeof(Real)) >= kStreamConvBytes;
  const Buffer<Real> u = transform_weight(kernel, s, weight);
  // How the work is cut changes no bit: every output is made by the same operations in every block.
  const int64_t threads = get_num_threads(), unit = x.pool || y.pool ? w.tile_rows : 1;  // rows kept together
  const int64_t units = s.N * w.tile_rows / unit;
  const int64_t fit = rows_at_once(kernel.points, s.C + kChannelsAtOnce, w.tile_columns);
  const int64_t at_once = std::max<int64_t>(fit / unit, 1);
  int64_t blocks = (units + at_once - 1) / at_once;
  if (blocks < 4 * threads) blocks = std::min(units, round_up(blocks, threads));
  const int64_t chunks = (s.K + kChannelsAtOnce - 1) / kChannelsAtOnce;
  const int64_t parts = blocks >= threads ? 1 : std::min(chunks, (threads + blocks - 1) / blocks);
  const int64_t work = s.N * s.pixels() * s.K * s.C * s.kernel() / 2 / kMultiplyAddsPerOperation;
  parallel_for(blocks * parts, work, [&](int64_t task) {
    const int64_t block = task / parts, part = task % parts;
    const int64_t first = part * chunks / parts * kChannelsAtOnce;
    const int64_t last = std::min(s.K, (part + 1) * chunks / parts * kChannelsAtOnce);
    convolve_block(kernel, w, s, x, u.data(), epilogue, block * units / blocks * unit,
                   (block + 1) * units / blocks * unit, fit, first, last, y);
  });
}

}  // namespace

template <class Real>
void conv2d_winograd(const Conv2dShape& s, WinogradTile tile, const Real* x, const Real* weight,
                     const Epilogue<Real>& epilogue, const ConvOutput<Real>& y) {
  convolve<Real>(s, tile, {x, s.x_step}, {weight, s.C * s.kernel(), s.kernel(), false}, epilogue, y);
}

template <class Real>
void conv2d_winograd_backward_input(const Conv2dShape& s, WinogradTile tile, const ConvGradient<Real>& grad_y,
                                    const Real* weight, Real* grad_x) {
  Conv2dShape transposed = s;
  transposed.C = s.K, transposed.H = s.OH, transposed.W = s.OW;
  transposed.K = s.C, transposed.OH = s.H, transposed.OW = s.W;
  transposed.pad_top = s.R - 1 - s.pad_top, transposed.pad_left = s.S - 1 - s.pad_left;
  transposed.x_step = s.y_step, transposed.y_step = s.x_step;
  convolve<Real>(transposed, tile, grad_y, {weight, s.kernel(), s.C * s.kernel(), true}, {},
                 {grad_x, s.x_step});
}

namespace {

// Partial sums of the weight gradient, a power of two by the shape alone, added in order. Each ends in a
// transform that costs as much as a few tiles.
constexpr int64_t kMostSlices = 16, kTilesASlice = 96;

int64_t count_slices(int64_t rows, int64_t tile_columns) {
  int64_t slices = 1;
  while (slices < kMostSlices && 2 * slices <= rows && rows * tile_columns >= 2 * slices * kTilesASlice) {
    slices *= 2;
  }
  return slices;
}

// Rows of tiles [begin, end) of all images: taps (C, R S, padded K), and of images that begin here the sums
// of grad_y's planes (N, K), which may be null.
template <class Real>
void weight_slice(const WinogradKernels<Real>& kernel, const WinogradShape& w, const Conv2dShape& s,
                  const ConvGradient<Real>& grad_y, const Real* x, int64_t begin, int64_t end, Real* taps,
                  double* sums) {
  const NormKernels<Real>& norm = kernels<Real>().norm;
  GradientReader<Real> images(grad_y, s.OH);
  const int64_t Cp = round_up(s.C, kernel.channels), Kp = round_up(s.K, kernel.channels);
  const int64_t at_once = std::min(end - begin, rows_at_once(kernel.points, s.C + s.K, w.tile_columns));
  const int64_t most = at_once * w.tile_columns;
  const int64_t v_plane = plane_size<Real>(most, Cp), z_plane = plane_size<Real>(most, Kp);
  Buffer<Real> v(kernel.points * v_plane), z(kernel.points * z_plane), grad_u(kernel.points * s.C * Kp);
  Buffer<Real> scratch(kernel.strip_size(std::max(s.W, s.OW), w.tile_columns));
  for (int64_t row = begin; row < end; row += at_once) {
    const int64_t count = std::min(at_once, end - row);
    const BlockOfRows rows(w, row, row + count);
    rows.for_each_image(w, [&](int64_t n, int64_t first_row, int64_t end_row, const WinogradPlace* places) {
      kernel.transform_input(w, x + n * s.x_step, first_row, end_row, places, v_plane, v.data(),
                             scratch.data());
      const Real* grad = images.at(n);
      kernel.transform_grad_y(w, grad, first_row, end_row, places, z_plane, z.data(), scratch.data());
      for (int64_t k = 0; sums && first_row == 0 && k < s.K; ++k) {
        sums[n * s.K + k] = norm.sum(s.pixels(), grad + k * s.pixels());
      }
    });
    kernel.multiply_transposed(rows.block, s.C, s.K, v.data(), v_plane, z.data(), z_plane, row > begin,
                               grad_u.data());
  }
  kernel.transform_grad_u(s.C, s.K, grad_u.data(), taps);
}

// Taps (slices, C, R S, padded K) to grad_weight (K, C, R S).
template <class Real>
void add_slices(const Conv2dShape& s, int64_t Kp, int64_t slices, const Real* taps, Real* grad_weight) {
  const int64_t taps_count = s.kernel(), n = taps_count * Kp;
  parallel_for(s.C, s.C * n * slices, [&](int64_t c) {
    Buffer<Real> sum(n);
    std::copy_n(taps + c * n, n, sum.data());
    for (int64_t slice = 1; slice < slices; ++slice) {
      const Real* term = taps + (slice * s.C + c) * n;
      for (int64_t i = 0; i < n; ++i) sum[i] += term[i];
    }
    for (int64_t k = 0; k < s.K; ++k) {
      Real* to = grad_weight + (k * s.C + c) * taps_count;
      for (int64_t tap = 0; tap < taps_count; ++tap) to[tap] = sum[tap * Kp + k];
    }
  });
}

}  // namespace

template <class Real>
void conv2d_winograd_backward_weight(const Conv2dShape& s, WinogradTile tile,
                                     const ConvGradient<Real>& grad_y, const Real* x, Real* grad_weight,
                                     Real* grad_bias) {
  const WinogradKernels<Real>& kernel = winograd_kernels<Real>(tile, s.kernel());
  const WinogradShape w = image_shape(kernel, s);
  const int64_t rows = s.N * w.tile_rows, slices = count_slices(rows, w.tile_columns);
  const int64_t Kp = round_up(s.K, kernel.channels), size = s.C * s.kernel() * Kp;
  Buffer<Real> taps(slices * size);
  Buffer<double> sums(grad_bias ? s.N * s.K : 0);
  const int64_t work = s.N * s.pixels() * s.K * s.C * s.kernel() / 2 / kMultiplyAddsPerOperation;
  parallel_for(slices, work, [&](int64_t slice) {
    weight_slice(kernel, w, s, grad_y, x, slice * rows / slices, (slice + 1) * rows / slices,
                 taps.data() + slice * size, grad_bias ? sums.data() : nullptr);
  });
  for (int64_t k = 0; grad_bias && k < s.K; ++k) {
    double sum = 0;
    for (int64_t n = 0; n < s.N; ++n) sum += sums[n * s.K + k];
    grad_bias[k] = static_cast<Real>(sum);
  }
  add_slices(s, Kp, slices, taps.data(), grad_weight);
}

#define UNROLLED_INSTANTIATE(Real)                                                                           \
  template void conv2d_winograd(const Conv2dShape&, WinogradTile, const Real*, const Real*,                  \
                                const Epilogue<Real>&, const ConvOutput<Real>&);                             \
  template void conv2d_winograd_backward_input(const Conv2dShape&, WinogradTile, const ConvGradient<Real>&,  \
                                               const Real*, Real*);                                          \
  template void conv2d_winograd_backward_weight(const Conv2dShape&, WinogradTile, const ConvGradient<Real>&, \
                                                const Real*, Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
