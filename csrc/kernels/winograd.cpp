#include "kernels/winograd.h"

#include "kernels/product_tile.h"
#include "kernels/winograd_points.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
constexpr int64_t kPanel = kProductVectors * kWidth<Real>;

template <class Real>
UNROLLED_INLINE int64_t padded(int64_t channels) {
  return (channels + kWidth<Real> - 1) / kWidth<Real> * kWidth<Real>;
}

// Lanes are output channels.
template <class Real, int m>
void transform_weight(int64_t K, int64_t C, const Real* weight, int64_t k_stride, int64_t c_stride, bool flip,
                      Real* u) {
  using P = Points<Real, m>;
  constexpr int64_t W = kWidth<Real>;
  const int64_t plane = C * padded<Real>(K);
  for (int64_t k0 = 0; k0 < K; k0 += W) {
    const int64_t panel = k0 / kPanel<Real> * kPanel<Real>;
    const int64_t width = padded<Real>(K) - panel < kPanel<Real> ? padded<Real>(K) - panel : kPanel<Real>;
    for (int64_t c = 0; c < C; ++c) {
      Vec<Real> w[3][3] = {}, columns[P::n][3];
      for (int lane = 0; lane < W && k0 + lane < K; ++lane) {
        const Real* kernel = weight + (k0 + lane) * k_stride + c * c_stride;
        for (int tap = 0; tap < 9; ++tap) w[tap / 3][tap % 3][lane] = kernel[flip ? 8 - tap : tap];
      }
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

// `pixels` of W planes, plane_stride apart, to strip (pixels, W); planes from `count` on are zero.
template <class Real>
void gather_channels(const Real* planes, int64_t plane_stride, int64_t count, int64_t pixels, Real* strip) {
  constexpr int64_t W = kWidth<Real>;
  if (pixels < W) {
    for (int64_t p = 0; p < pixels; ++p) {
      for (int64_t lane = 0; lane < W; ++lane) {
        strip[p * W + lane] = lane < count ? planes[lane * plane_stride + p] : Real(0);
      }
    }
    return;
  }
  for (int64_t p = 0; p < pixels; p += W) {
    const int64_t first = p + W <= pixels ? p : pixels - W;  // the last block overlaps the one before
    const auto row = [=](int lane) {
      return lane < count ? load(planes + lane * plane_stride + first) : Vec<Real>{};
    };
    transpose_block<Real>(row, strip + first * W, W);
  }
}

// The reverse: strip (pixels, W) to `pixels` of `count` planes.
template <class Real>
void scatter_channels(const Real* strip, int64_t pixels, int64_t count, Real* planes, int64_t plane_stride) {
  constexpr int64_t W = kWidth<Real>;
  if (pixels < W) {
    for (int64_t lane = 0; lane < count; ++lane) {
      for (int64_t p = 0; p < pixels; ++p) planes[lane * plane_stride + p] = strip[p * W + lane];
    }
    return;
  }
  for (int64_t p = 0; p < pixels; p += W) {
    const int64_t first = p + W <= pixels ? p : pixels - W;
    const auto row = [=](int i) { return load(strip + (first + i) * W); };
    if (count >= W) {
      transpose_block<Real>(row, planes + first, plane_stride);
      continue;
    }
    Real block[W * W];
    transpose_block<Real>(row, block, W);
    for (int64_t lane = 0; lane < count; ++lane)
      store(planes + lane * plane_stride + first, load(block + lane * W));
  }
}

// What a tile transform reads: windows of `size` rows and columns, `m` apart, of an image with zeros around.
struct Windows {
  int64_t C, H, W;
  int64_t top, left;  // of the first tile
  int64_t count;      // tiles in the row
};

// One row of tiles: each channel block is brought into channel-last order, every column of its strip is
// transformed once (neighbouring tiles share them), then the rows of every tile.
template <class Real, int m, int size, class Transform>
UNROLLED_INLINE void transform_tiles(const Windows& w, const Real* image, int64_t plane, Real* to,
                                     Real* scratch, Transform transform) {
  constexpr int64_t W = kWidth<Real>;
  constexpr int n = m + 2;
  const int64_t stride = padded<Real>(w.C), columns = (w.count - 1) * m + size;
  Real* strip = scratch;
  Real* half = scratch + size * w.W * W;  // (columns, n): transformed along the rows
  const int64_t row0 = w.top < 0 ? 0 : w.top, row1 = w.top + size < w.H ? w.top + size : w.H;
  const int64_t pitch = w.W * W;
  for (int64_t c = 0; c < w.C; c += W) {
    const int64_t count = w.C - c < W ? w.C - c : W;
    for (int64_t i = 0; i < size; ++i) {
      const bool outside = w.top + i < row0 || w.top + i >= row1;
      if (outside) std::memset(strip + i * pitch, 0, static_cast<size_t>(pitch) * sizeof(Real));
    }
    if (row1 > row0) {
      gather_channels(image + (c * w.H + row0) * w.W, w.H * w.W, count, (row1 - row0) * w.W,
                      strip + (row0 - w.top) * pitch);
    }
    for (int64_t j = 0; j < columns; ++j) {
      const int64_t column = w.left + j;
      if (column < 0 || column >= w.W) {
        std::memset(half + j * n * W, 0, n * W * sizeof(Real));
        continue;
      }
      Vec<Real> in[size], out[n];
#pragma GCC unroll 8
      for (int i = 0; i < size; ++i) in[i] = load(strip + i * pitch + column * W);
      transform(in, out);
#pragma GCC unroll 8
      for (int i = 0; i < n; ++i) store(half + (j * n + i) * W, out[i]);
    }
    for (int64_t t = 0; t < w.count; ++t) {
#pragma GCC unroll 8
      for (int i = 0; i < n; ++i) {
        Vec<Real> in[size], out[n];
#pragma GCC unroll 8
        for (int j = 0; j < size; ++j) in[j] = load(half + ((t * m + j) * n + i) * W);
        transform(in, out);
#pragma GCC unroll 8
        for (int j = 0; j < n; ++j) store(to + (i * n + j) * plane + t * stride + c, out[j]);
      }
    }
  }
}

template <class Real, int m>
void transform_input(const WinogradShape& s, const Real* x, int64_t row, int64_t plane, Real* v,
                     Real* scratch) {
  const Windows windows = {s.C, s.H, s.W, row * m - s.pad_top, -s.pad_left, s.tile_columns};
  transform_tiles<Real, m, m + 2>(windows, x, plane, v, scratch,
                                  [](const auto& in, auto& out) { Points<Real, m>::input(in, out); });
}

template <class Real, int m>
void transform_grad_y(const WinogradShape& s, const Real* grad_y, int64_t row, int64_t plane, Real* z,
                      Real* scratch) {
  const Windows windows = {s.K, s.OH, s.OW, row * m, 0, s.tile_columns};
  transform_tiles<Real, m, m>(windows, grad_y, plane, z, scratch,
                              [](const auto& in, auto& out) { Points<Real, m>::output_transposed(in, out); });
}

template <class Real, int m>
int64_t strip_size(int64_t columns, int64_t tile_columns) {
  return ((m + 2) * columns + (tile_columns * m + 2) * (m + 2)) * kWidth<Real>;
}

// C (rows, vectors * W) = or += A B, for the few rows and vectors of a block of tiles.
template <class Real, int vectors, class Line>
void product_panel(int64_t rows, int64_t depth, ProductRows<Real> a, Line line, Real* c, int64_t c_row,
                   bool accumulate) {
  constexpr int R = kProductRows;
  const ProductEnd<Real> end = {.accumulate = accumulate};
  int64_t i = 0;
  for (; i + R <= rows; i += R, a.a += R * a.row_stride, c += R * c_row) {
    product_tile<Real, R, vectors>(depth, a, line, c, c_row, end);
  }
  switch (rows - i) {
    case 5:
      return product_tile<Real, 5, vectors>(depth, a, line, c, c_row, end);
    case 4:
      return product_tile<Real, 4, vectors>(depth, a, line, c, c_row, end);
    case 3:
      return product_tile<Real, 3, vectors>(depth, a, line, c, c_row, end);
    case 2:
      return product_tile<Real, 2, vectors>(depth, a, line, c, c_row, end);
    case 1:
      return product_tile<Real, 1, vectors>(depth, a, line, c, c_row, end);
    default:
      return;
  }
}

template <class Real, int m>
void multiply(int64_t tiles, int64_t C, int64_t K, const Real* v, int64_t v_plane, const Real* u,
              int64_t first, int64_t columns, Real* products, int64_t products_plane) {
  constexpr int64_t W = kWidth<Real>, kPoints = (m + 2) * (m + 2);
  const int64_t Cp = padded<Real>(C), Kp = padded<Real>(K), end = first + columns;
  for (int64_t point = 0; point < kPoints; ++point) {
    for (int64_t k = first; k < end; k += kPanel<Real>) {
      const int64_t width = Kp - k < kPanel<Real> ? Kp - k : kPanel<Real>;
      const Real* panel = u + point * C * Kp + k * C;
      const auto line = [=](int64_t p) { return panel + p * width; };
      Real* to = products + point * products_plane + (k - first);
      with_vectors(width / W, [&](auto vectors) {
        product_panel<Real, vectors.value>(tiles, C, {v + point * v_plane, Cp, 1}, line, to, columns, false);
      });
    }
  }
}

// One tile of W channels: products (points), `plane` apart, to rows of `strip` (m, OW, W).
template <class Real, int m>
UNROLLED_INLINE void transform_output_tile(const Real* products, int64_t plane, Vec<Real> bias, bool relu,
                                           int64_t valid_columns, int64_t strip_row, Real* strip) {
  using P = Points<Real, m>;
  constexpr int64_t W = kWidth<Real>;
  Vec<Real> half[m][P::n];
#pragma GCC unroll 8
  for (int j = 0; j < P::n; ++j) {
    Vec<Real> in[P::n], out[m];
#pragma GCC unroll 8
    for (int i = 0; i < P::n; ++i) in[i] = load(products + (i * P::n + j) * plane);
    P::output(in, out);
#pragma GCC unroll 8
    for (int i = 0; i < m; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 8
  for (int i = 0; i < m; ++i) {
    Vec<Real> out[m];
    P::output(half[i], out);
#pragma GCC unroll 8
    for (int j = 0; j < m; ++j) {
      Vec<Real> y = out[j] + bias;
      if (relu) y = y <= Real(0) ? Vec<Real>{} : y;
      if (j < valid_columns) store(strip + i * strip_row + j * W, y);
    }
  }
}

template <class Real, int m>
void transform_output(const WinogradShape& s, const Real* products, int64_t plane, int64_t columns,
                      int64_t row, int64_t first, int64_t channels, const Real* bias, bool relu, Real* y,
                      Real* scratch) {
  constexpr int64_t W = kWidth<Real>;
  const int64_t rows = s.OH - row * m < m ? s.OH - row * m : m;
  for (int64_t k = 0; k < channels; k += W) {
    const int64_t count = channels - k < W ? channels - k : W;
    const Vec<Real> b = bias ? load_partial(bias + first + k, count, Real(0)) : Vec<Real>{};
    for (int64_t t = 0; t < s.tile_columns; ++t) {
      const Real* from = products + t * columns + k;
      const int64_t valid = s.OW - t * m;
      transform_output_tile<Real, m>(from, plane, b, relu, valid, s.OW * W, scratch + t * m * W);
    }
    Real* to = y + (first + k) * s.OH * s.OW + row * m * s.OW;
    scatter_channels(scratch, rows * s.OW, count, to, s.OH * s.OW);
  }
}

template <class Real, int m>
void multiply_transposed(int64_t tiles, int64_t C, int64_t K, const Real* v, int64_t v_plane, const Real* z,
                         int64_t z_plane, bool accumulate, Real* grad_u) {
  constexpr int64_t W = kWidth<Real>, kPoints = (m + 2) * (m + 2);
  const int64_t Cp = padded<Real>(C), Kp = padded<Real>(K);
  for (int64_t point = 0; point < kPoints; ++point) {
    for (int64_t k = 0; k < Kp; k += kPanel<Real>) {
      const int64_t width = Kp - k < kPanel<Real> ? Kp - k : kPanel<Real>;
      const Real* panel = z + point * z_plane + k;
      const auto line = [=](int64_t p) { return panel + p * Kp; };
      Real* to = grad_u + point * C * Kp + k;
      with_vectors(width / W, [&](auto vectors) {
        product_panel<Real, vectors.value>(C, tiles, {v + point * v_plane, 1, Cp}, line, to, Kp, accumulate);
      });
    }
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

template <class Real, int m>
WinogradKernels<Real> kernels_of() {
  return {.tile = m,
          .points = (m + 2) * (m + 2),
          .channels = kWidth<Real>,
          .panel_columns = kPanel<Real>,
          .transform_weight = transform_weight<Real, m>,
          .transform_input = transform_input<Real, m>,
          .transform_grad_y = transform_grad_y<Real, m>,
          .strip_size = strip_size<Real, m>,
          .multiply = multiply<Real, m>,
          .transform_output = transform_output<Real, m>,
          .multiply_transposed = multiply_transposed<Real, m>,
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
