#include "kernels/winograd.h"

#include "kernels/channel_strip.h"
#include "kernels/winograd_points.h"
#include "kernels/winograd_products.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// Lanes are output channels.
template <class Real, int m>
void transform_weight(int64_t K, int64_t C, const Real* weight, int64_t k_stride, int64_t c_stride, bool flip,
                      Real* u) {
  using P = Points<Real, m>;
  constexpr int64_t W = kWidth<Real>;
  Real taps[9 * W];
  const int64_t plane = C * padded<Real>(K);
  for (int64_t k0 = 0; k0 < K; k0 += W) {
    const int64_t panel = k0 / kPanel<Real> * kPanel<Real>;
    const int64_t width = padded<Real>(K) - panel < kPanel<Real> ? padded<Real>(K) - panel : kPanel<Real>;
    for (int64_t c = 0; c < C; ++c) {
      Vec<Real> w[3][3], columns[P::n][3];
      gather_channels(weight + k0 * k_stride + c * c_stride, k_stride, K - k0 < W ? K - k0 : W, 9, taps);
      for (int tap = 0; tap < 9; ++tap) w[tap / 3][tap % 3] = load(taps + (flip ? 8 - tap : tap) * W);
      for (int q = 0; q < 3; ++q) {
        const Vec<Real> column[3] = {w[0][q], w[1][q], w[2][q]};
        Vec<Real> out[P::n];
        P::kernel(column, out);
        for (int i = 0; i < P::n; ++i) columns[i][q] = out[i];
      }
      Real* to = u + panel * C + c * width + (k0 - panel);
      for (int i = 0; i < P::n; ++i) {
        Vec<Real> out[P::n];
        P::kernel(columns[i], out);
        for (int j = 0; j < P::n; ++j) store(to + (i * P::n + j) * plane, out[j]);
      }
    }
  }
}

// What a tile transform reads: windows of m + 2 or m rows and columns, m apart, of an image with zeros
// around.
struct Windows {
  int64_t C, H, W;
  int64_t top, left;  // of the first tile
};

template <class Real, int m>
struct InputTransform {
  static constexpr int size = m + 2;
  template <class In, class Out>
  static UNROLLED_INLINE void run(bool narrow, const In& in, Out& out) {
    narrow ? Points<Real, m>::narrow_input(in, out) : Points<Real, m>::input(in, out);
  }
};

template <class Real, int m>
struct GradTransform {
  static constexpr int size = m;
  template <class In, class Out>
  static UNROLLED_INLINE void run(bool narrow, const In& in, Out& out) {
    narrow ? Points<Real, m>::narrow_output_transposed(in, out) : Points<Real, m>::output_transposed(in, out);
  }
};

// Rows [begin, end) of W channels of the image, zeros outside of it, to strip (end - begin, columns, W).
template <class Real>
void gather_rows(const Windows& w, const Real* channels, int64_t count, int64_t begin, int64_t end,
                 Real* strip) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t row0 = begin < 0 ? 0 : begin, row1 = end < w.H ? end : w.H;
  for (int64_t row = begin; row < end; ++row) {
    if (row >= row0 && row < row1) continue;
    std::memset(strip + (row - begin) * w.W * W, 0, static_cast<size_t>(w.W * W) * sizeof(Real));
  }
  if (row1 <= row0) return;
  gather_channels(channels + row0 * w.W, w.H * w.W, count, (row1 - row0) * w.W,
                  strip + (row0 - begin) * w.W * W);
}

// Every column of a strip once, since neighbouring tiles share them: half (columns, n, W).
template <class Real, int m, class Transform>
UNROLLED_INLINE void transform_columns(const Windows& w, int64_t columns, bool narrow, const Real* strip,
                                       Real* half) {
  constexpr int64_t W = kWidth<Real>;
  constexpr int n = m + 2, size = Transform::size;
  for (int64_t j = 0; j < columns; ++j, half += n * W) {
    const int64_t column = w.left + j;
    if (column < 0 || column >= w.W) {
      std::memset(half, 0, n * W * sizeof(Real));
      continue;
    }
    Vec<Real> in[size], out[n];
#pragma GCC unroll 8
    for (int i = 0; i < size; ++i) in[i] = load(strip + (i * w.W + column) * W);
    Transform::run(narrow, in, out);
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i) store(half + i * W, out[i]);
  }
}

// One tile from its columns: to planes of points, `plane` apart.
template <class Real, int m, class Transform>
UNROLLED_INLINE void transform_tile(bool narrow, const Real* half, int64_t plane, Real* to) {
  constexpr int64_t W = kWidth<Real>;
  constexpr int n = m + 2, size = Transform::size;
#pragma GCC unroll 8
  for (int i = 0; i < n; ++i) {
    Vec<Real> in[size], out[n];
#pragma GCC unroll 8
    for (int j = 0; j < size; ++j) in[j] = load(half + (j * n + i) * W);
    Transform::run(narrow, in, out);
#pragma GCC unroll 8
    for (int j = 0; j < n; ++j) store(to + (i * n + j) * plane, out[j]);
  }
}

// Tile rows of one image: blocks of W channels are brought into channel-last order, strip by strip; rows that
// two strips share are kept.
template <class Real, int m, class Transform>
UNROLLED_INLINE void transform_tiles(const WinogradShape& s, const Windows& w, const Real* image,
                                     int64_t begin, int64_t end, const WinogradPlace* places, int64_t plane,
                                     Real* to, Real* scratch) {
  constexpr int64_t W = kWidth<Real>;
  constexpr int n = m + 2, size = Transform::size, shared = size - m;
  const int64_t stride = padded<Real>(w.C), columns = (s.tile_columns - 1) * m + size, pitch = w.W * W;
  Real *strip = scratch, *half = scratch + size * pitch;
  for (int64_t c = 0; c < w.C; c += W) {
    const Real* channels = image + c * w.H * w.W;
    const int64_t count = w.C - c < W ? w.C - c : W;
    for (int64_t row = begin; row < end; ++row) {
      const int64_t top = row * m + w.top, kept = row > begin ? shared : 0;
      std::memmove(strip, strip + m * pitch, static_cast<size_t>(kept * pitch) * sizeof(Real));
      gather_rows(w, channels, count, top + kept, top + size, strip + kept * pitch);
      transform_columns<Real, m, Transform>(w, columns, s.narrow_row && row + 1 == s.tile_rows, strip, half);
      const WinogradPlace& place = places[row - begin];
      for (int64_t t = 0; t < s.tile_columns; ++t) {
        const bool narrow = s.narrow_column && t + 1 == s.tile_columns;
        const int64_t tile = narrow ? place.narrow : place.first + t;
        transform_tile<Real, m, Transform>(narrow, half + t * m * n * W, plane, to + tile * stride + c);
      }
    }
  }
}

template <class Real, int m>
void transform_input(const WinogradShape& s, const Real* x, int64_t begin, int64_t end,
                     const WinogradPlace* places, int64_t plane, Real* v, Real* scratch) {
  const Windows windows = {s.C, s.H, s.W, -s.pad_top, -s.pad_left};
  transform_tiles<Real, m, InputTransform<Real, m>>(s, windows, x, begin, end, places, plane, v, scratch);
}

template <class Real, int m>
void transform_grad_y(const WinogradShape& s, const Real* grad_y, int64_t begin, int64_t end,
                      const WinogradPlace* places, int64_t plane, Real* z, Real* scratch) {
  const Windows windows = {s.K, s.OH, s.OW, 0, 0};
  transform_tiles<Real, m, GradTransform<Real, m>>(s, windows, grad_y, begin, end, places, plane, z, scratch);
}

template <class Real, int m>
int64_t strip_size(int64_t columns, int64_t tile_columns) {
  return ((m + 2) * columns + (tile_columns * m + 2) * (m + 2)) * kWidth<Real>;
}

// One tile of W channels: products (points), `plane` apart, to its place in a strip (m, OW, W).
template <class Real, int m>
UNROLLED_INLINE void transform_output_tile(const Real* products, int64_t plane, bool narrow_row,
                                           bool narrow_column, Vec<Real> bias, bool relu, int64_t inside,
                                           int64_t strip_row, Real* strip) {
  using P = Points<Real, m>;
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> half[m][P::n];
#pragma GCC unroll 8
  for (int j = 0; j < P::n; ++j) {
    Vec<Real> in[P::n], out[m];
#pragma GCC unroll 8
    for (int i = 0; i < P::n; ++i) in[i] = load(products + (i * P::n + j) * plane);
    narrow_row ? P::narrow_output(in, out) : P::output(in, out);
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 8
  for (int i = 0; i < m; ++i) {
    Vec<Real> out[m];
    narrow_column ? P::narrow_output(half[i], out) : P::output(half[i], out);
#pragma GCC unroll 8
    for (int j = 0; j < m; ++j) {
      Vec<Real> y = out[j] + bias;
      if (relu) y = y <= Real(0) ? Vec<Real>{} : y;
      if (j < inside) store(strip + i * strip_row + j * W, y);
    }
  }
}

template <class Real, int m>
void transform_output(const WinogradShape& s, const Real* products, int64_t plane, int64_t columns,
                      int64_t row, const WinogradPlace& place, int64_t first, int64_t channels,
                      const Real* bias, bool relu, Real* y, Real* scratch) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t rows = s.OH - row * m < m ? s.OH - row * m : m;
  const bool narrow_row = s.narrow_row && row + 1 == s.tile_rows;
  for (int64_t k = 0; k < channels; k += W) {
    const int64_t count = channels - k < W ? channels - k : W;
    const Vec<Real> b = bias ? load_partial(bias + first + k, count, Real(0)) : Vec<Real>{};
    for (int64_t t = 0; t < s.tile_columns; ++t) {
      const bool narrow = s.narrow_column && t + 1 == s.tile_columns;
      const Real* from = products + (narrow ? place.narrow : place.first + t) * columns + k;
      transform_output_tile<Real, m>(from, plane, narrow_row, narrow, b, relu, s.OW - t * m, s.OW * W,
                                     scratch + t * m * W);
    }
    scatter_channels(scratch, rows * s.OW, count, s.past, y + (first + k) * s.OH * s.OW + row * m * s.OW,
                     s.OH * s.OW);
  }
}

template <class Real, int m>
void transform_grad_u(int64_t C, int64_t K, const Real* grad_u, Real* taps) {
  using P = Points<Real, m>;
  constexpr int64_t W = kWidth<Real>;
  const int64_t Kp = padded<Real>(K), plane = C * Kp;
  for (int64_t c = 0; c < C; ++c) {
    for (int64_t k = 0; k < Kp; k += W) {
      Vec<Real> half[3][P::n];
#pragma GCC unroll 8
      for (int j = 0; j < P::n; ++j) {
        Vec<Real> in[P::n], out[3];
#pragma GCC unroll 8
        for (int i = 0; i < P::n; ++i) in[i] = load(grad_u + (i * P::n + j) * plane + c * Kp + k);
        P::kernel_transposed(in, out);
        for (int i = 0; i < 3; ++i) half[i][j] = out[i];
      }
      for (int i = 0; i < 3; ++i) {
        Vec<Real> out[3];
        P::kernel_transposed(half[i], out);
        for (int j = 0; j < 3; ++j) store(taps + (c * 9 + i * 3 + j) * Kp + k, out[j]);
      }
    }
  }
}

// Points (i, j) of F(m x m, 3x3).
template <class Real, int m>
struct PlanePoints {
  static constexpr int n = m + 2, count = n * n;

  static UNROLLED_INLINE TileRange tiles_with(const WinogradBlock& block, int64_t point) {
    const bool low = Points<Real, m>::narrow_has(static_cast<int>(point / n));
    const bool thin = Points<Real, m>::narrow_has(static_cast<int>(point % n));
    const int64_t begin = low ? 0 : block.low, end = block.low + block.whole;
    return {begin, (!thin ? end : low ? block.tiles() : end + block.thin) - begin};
  }
};

template <class Real, int m>
WinogradKernels<Real> kernels_of() {
  return {.tile = m,
          .points = (m + 2) * (m + 2),
          .taps = 9,
          .one_axis = false,
          .channels = kWidth<Real>,
          .panel_columns = kPanel<Real>,
          .transform_weight = transform_weight<Real, m>,
          .transform_input = transform_input<Real, m>,
          .transform_grad_y = transform_grad_y<Real, m>,
          .strip_size = strip_size<Real, m>,
          .multiply = multiply<Real, PlanePoints<Real, m>>,
          .transform_output = transform_output<Real, m>,
          .multiply_transposed = multiply_transposed<Real, PlanePoints<Real, m>>,
          .transform_grad_u = transform_grad_u<Real, m>};
}

}  // namespace

template <class Real>
WinogradKernels<Real> winograd_f2_kernels() {
  return kernels_of<Real, 2>();
}
template <class Real>
WinogradKernels<Real> winograd_f4_kernels() {
  return kernels_of<Real, 4>();
}
template WinogradKernels<float> winograd_f2_kernels();
template WinogradKernels<double> winograd_f2_kernels();
template WinogradKernels<float> winograd_f4_kernels();
template WinogradKernels<double> winograd_f4_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
