// Winograd's algorithm along one axis: F(9 - r, r) at the points 0, 1/2, -1/2, 1, -1, 2, -2, infinity.
#include "kernels/channel_strip.h"
#include "kernels/winograd_products.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

// The transforms, as in winograd_points.h. The input's serves every r.
template <class Real, int r>
struct LinePoints {
  using V = Vec<Real>;
  static constexpr int n = 8, m = 9 - r, pairs = 3, count = n;

  static constexpr Real point(int pair) { return pair == 0 ? Real(0.5) : pair == 1 ? Real(1) : Real(2); }
  // 1 / M'(p), the same for p and -p.
  static constexpr Real factor(int pair) {
    return pair == 0 ? Real(1 / 1.40625L) : pair == 1 ? Real(-1 / 4.5L) : Real(1 / 90.0L);
  }
  static constexpr Real power(int pair, int exponent) {
    return exponent == 0 ? Real(1) : point(pair) * power(pair, exponent - 1);
  }

  static UNROLLED_INLINE TileRange tiles_with(const WinogradBlock& block, int64_t) {
    return {0, block.tiles()};
  }

  // (x^2 - p^2) over the other two pairs is x^4 - sum x^2 + product.
  static UNROLLED_INLINE void input(const V (&d)[n], V (&v)[n]) {
    constexpr Real sum[pairs] = {Real(5), Real(4.25), Real(1.25)};
    constexpr Real product[pairs] = {Real(4), Real(1), Real(0.25)};
    v[0] = (d[6] - d[0]) + Real(5.25) * (d[2] - d[4]);
#pragma GCC unroll 8
    for (int i = 0; i < pairs; ++i) {
      const V even = d[6] - sum[i] * d[4] + product[i] * d[2];
      const V odd = point(i) * (d[5] - sum[i] * d[3] + product[i] * d[1]);
      v[2 * i + 1] = even + odd;
      v[2 * i + 2] = even - odd;
    }
    v[7] = (d[7] - d[1]) + Real(5.25) * (d[3] - d[5]);
  }
  static UNROLLED_INLINE void output(const V (&p)[n], V (&y)[m]) {
#pragma GCC unroll 8
    for (int k = 0; k < m; ++k) {
      y[k] = k == 0 ? p[0] : V{};
#pragma GCC unroll 8
      for (int i = 0; i < pairs; ++i) {
        const V a = p[2 * i + 1], b = p[2 * i + 2];
        y[k] += power(i, k) * (k % 2 == 0 ? a + b : a - b);
      }
    }
    y[m - 1] += p[7];
  }
  static UNROLLED_INLINE void output_transposed(const V (&y)[m], V (&z)[n]) { spread<m>(y, z, false); }
  static UNROLLED_INLINE void kernel(const V (&w)[r], V (&u)[n]) {
    spread<r>(w, u, true);
    u[0] = -w[0];  // M'(0) = -1
  }
  static UNROLLED_INLINE void kernel_transposed(const V (&g)[n], V (&w)[r]) {
#pragma GCC unroll 8
    for (int k = 0; k < r; ++k) {
      w[k] = k == 0 ? -g[0] : V{};
#pragma GCC unroll 8
      for (int i = 0; i < pairs; ++i) {
        const V a = g[2 * i + 1], b = g[2 * i + 2];
        w[k] += (power(i, k) * factor(i)) * (k % 2 == 0 ? a + b : a - b);
      }
    }
    w[r - 1] += g[7];
  }

 private:
  // The polynomial with these coefficients at every point, divided by M'(p) if `scaled`.
  template <int size>
  static UNROLLED_INLINE void spread(const V (&c)[size], V (&out)[n], bool scaled) {
    out[0] = c[0];
#pragma GCC unroll 8
    for (int i = 0; i < pairs; ++i) {
      const Real scale = scaled ? factor(i) : Real(1);
      V even = {}, odd = {};
#pragma GCC unroll 8
      for (int k = 0; k < size; ++k) (k % 2 == 0 ? even : odd) += (power(i, k) * scale) * c[k];
      out[2 * i + 1] = even + odd;
      out[2 * i + 2] = even - odd;
    }
    out[7] = c[size - 1];
  }
};

// Lanes are output channels.
template <class Real, int r>
void transform_weight(int64_t K, int64_t C, const Real* weight, int64_t k_stride, int64_t c_stride, bool flip,
                      Real* u) {
  using P = LinePoints<Real, r>;
  constexpr int64_t W = kWidth<Real>;
  const int64_t Kp = padded<Real>(K), plane = C * Kp;
  for (int64_t k = 0; k < K; k += W) {
    const int64_t panel = k / kPanel<Real> * kPanel<Real>;
    const int64_t width = Kp - panel < kPanel<Real> ? Kp - panel : kPanel<Real>;
    for (int64_t c = 0; c < C; ++c) {
      Vec<Real> w[r] = {}, out[P::n];
      for (int lane = 0; lane < W && k + lane < K; ++lane) {
        const Real* taps = weight + (k + lane) * k_stride + c * c_stride;
        for (int tap = 0; tap < r; ++tap) w[tap][lane] = taps[flip ? r - 1 - tap : tap];
      }
      P::kernel(w, out);
      for (int i = 0; i < P::n; ++i) store(u + i * plane + panel * C + c * width + (k - panel), out[i]);
    }
  }
}

template <class Real, int r>
struct LineInput {
  static constexpr int size = LinePoints<Real, r>::n;
  template <class In, class Out>
  static UNROLLED_INLINE void run(const In& in, Out& out) {
    LinePoints<Real, r>::input(in, out);
  }
};

template <class Real, int r>
struct LineGrad {
  static constexpr int size = LinePoints<Real, r>::m;
  template <class In, class Out>
  static UNROLLED_INLINE void run(const In& in, Out& out) {
    LinePoints<Real, r>::output_transposed(in, out);
  }
};

// Rows of tiles of one sequence (C, length), whose first window starts at -pad.
template <class Real, int r, class Transform>
UNROLLED_INLINE void transform_tiles(const WinogradShape& s, int64_t C, int64_t length, int64_t pad,
                                     const Real* x, int64_t begin, int64_t end, const WinogradPlace* places,
                                     int64_t plane, Real* to, Real* strip) {
  constexpr int64_t W = kWidth<Real>;
  constexpr int n = LinePoints<Real, r>::n, m = LinePoints<Real, r>::m, size = Transform::size;
  const int64_t stride = padded<Real>(C), reach = (s.tile_columns - 1) * m + size;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t first = row * s.tile_columns * m - pad;
    const int64_t from = first < 0 ? 0 : first, until = first + reach < length ? first + reach : length;
    for (int64_t c = 0; c < C; c += W) {
      std::memset(strip, 0, static_cast<size_t>(reach * W) * sizeof(Real));
      if (until > from) {
        gather_channels(x + c * length + from, length, C - c < W ? C - c : W, until - from,
                        strip + (from - first) * W);
      }
      for (int64_t t = 0; t < s.tile_columns; ++t) {
        Vec<Real> in[size], out[n];
#pragma GCC unroll 8
        for (int i = 0; i < size; ++i) in[i] = load(strip + (t * m + i) * W);
        Transform::run(in, out);
        Real* tile = to + (places[row - begin].first + t) * stride + c;
#pragma GCC unroll 8
        for (int i = 0; i < n; ++i) store(tile + i * plane, out[i]);
      }
    }
  }
}

template <class Real, int r>
void transform_input(const WinogradShape& s, const Real* x, int64_t begin, int64_t end,
                     const WinogradPlace* places, int64_t plane, Real* v, Real* scratch) {
  transform_tiles<Real, r, LineInput<Real, r>>(s, s.C, s.W, s.pad_left, x, begin, end, places, plane, v,
                                               scratch);
}

template <class Real, int r>
void transform_grad_y(const WinogradShape& s, const Real* grad_y, int64_t begin, int64_t end,
                      const WinogradPlace* places, int64_t plane, Real* z, Real* scratch) {
  transform_tiles<Real, r, LineGrad<Real, r>>(s, s.K, s.OW, 0, grad_y, begin, end, places, plane, z, scratch);
}

template <class Real, int r>
int64_t strip_size(int64_t, int64_t tile_columns) {
  return (tile_columns * LinePoints<Real, r>::m + LinePoints<Real, r>::n) * kWidth<Real>;
}

template <class Real, int r>
void transform_output(const WinogradShape& s, const Real* products, int64_t plane, int64_t columns,
                      int64_t row, const WinogradPlace& place, int64_t first, int64_t channels,
                      const Real* bias, bool relu, Real* y, Real* scratch) {
  using P = LinePoints<Real, r>;
  constexpr int64_t W = kWidth<Real>;
  const int64_t begin = row * s.tile_columns * P::m;
  const int64_t pixels = s.OW - begin < s.tile_columns * P::m ? s.OW - begin : s.tile_columns * P::m;
  if (pixels <= 0) return;
  for (int64_t k = 0; k < channels; k += W) {
    const int64_t count = channels - k < W ? channels - k : W;
    const Vec<Real> b = bias ? load_partial(bias + first + k, count, Real(0)) : Vec<Real>{};
    for (int64_t t = 0; t < s.tile_columns; ++t) {
      const Real* from = products + (place.first + t) * columns + k;
      Vec<Real> in[P::n], out[P::m];
#pragma GCC unroll 8
      for (int i = 0; i < P::n; ++i) in[i] = load(from + i * plane);
      P::output(in, out);
#pragma GCC unroll 8
      for (int i = 0; i < P::m; ++i) {
        const Vec<Real> sum = out[i] + b;
        store(scratch + (t * P::m + i) * W, relu ? (sum <= Real(0) ? Vec<Real>{} : sum) : sum);
      }
    }
    scatter_channels(scratch, pixels, count, s.past, y + (first + k) * s.OW + begin, s.OW);
  }
}

template <class Real, int r>
void transform_grad_u(int64_t C, int64_t K, const Real* grad_u, Real* taps) {
  using P = LinePoints<Real, r>;
  constexpr int64_t W = kWidth<Real>;
  const int64_t Kp = padded<Real>(K), plane = C * Kp;
  for (int64_t c = 0; c < C; ++c) {
    for (int64_t k = 0; k < Kp; k += W) {
      Vec<Real> in[P::n], out[r];
      for (int i = 0; i < P::n; ++i) in[i] = load(grad_u + i * plane + c * Kp + k);
      P::kernel_transposed(in, out);
      for (int i = 0; i < r; ++i) store(taps + (c * r + i) * Kp + k, out[i]);
    }
  }
}

template <class Real, int r>
WinogradKernels<Real> kernels_of() {
  return {.tile = 9 - r,
          .points = 8,
          .taps = r,
          .one_axis = true,
          .channels = kWidth<Real>,
          .panel_columns = kPanel<Real>,
          .transform_weight = transform_weight<Real, r>,
          .transform_input = transform_input<Real, r>,
          .transform_grad_y = transform_grad_y<Real, r>,
          .strip_size = strip_size<Real, r>,
          .multiply = multiply<Real, LinePoints<Real, r>>,
          .transform_output = transform_output<Real, r>,
          .multiply_transposed = multiply_transposed<Real, LinePoints<Real, r>>,
          .transform_grad_u = transform_grad_u<Real, r>};
}

}  // namespace

template <class Real>
WinogradLineKernels<Real> winograd_line_kernels() {
  return {kernels_of<Real, 3>(), kernels_of<Real, 5>(), kernels_of<Real, 7>()};
}
template WinogradLineKernels<float> winograd_line_kernels();
template WinogradLineKernels<double> winograd_line_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
