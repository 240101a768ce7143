#include "kernels/conv.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
void pad_image(const ConvShape& s, const Real* x, Real* padded) {
  std::memset(padded, 0, static_cast<size_t>(s.C * s.padded_h * s.padded_w) * sizeof(Real));
  for (int64_t c = 0; c < s.C; ++c) {
    for (int64_t h = 0; h < s.H; ++h) {
      const int64_t row = h * s.spread_h + s.pad_top;
      if (row < 0 || row >= s.padded_h) continue;
      const Real* from = x + (c * s.H + h) * s.W;
      Real* to = padded + (c * s.padded_h + row) * s.padded_w;
      int64_t w0 = 0;
      while (w0 < s.W && w0 * s.spread_w + s.pad_left < 0) ++w0;
      int64_t w1 = s.W;
      while (w1 > w0 && (w1 - 1) * s.spread_w + s.pad_left >= s.padded_w) --w1;
      if (s.spread_w == 1) {
        std::memcpy(to + w0 + s.pad_left, from + w0, static_cast<size_t>(w1 - w0) * sizeof(Real));
      } else {
        for (int64_t w = w0; w < w1; ++w) to[w * s.spread_w + s.pad_left] = from[w];
      }
    }
  }
}

// Short runs: the last vector overlaps the one before.
template <class Real>
UNROLLED_INLINE void copy_run(int64_t n, const Real* from, Real* to) {
  constexpr int64_t W = kWidth<Real>;
  if (n < W) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
    return;
  }
  for (int64_t i = 0; i + W <= n; i += W) store(to + i, load(from + i));
  store(to + n - W, load(from + n - W));
}

template <class Real>
void pack_pixels(const ConvShape& s, const Real* padded, int64_t k0, int64_t k1, int64_t j0, int64_t j1,
                 int64_t tile_columns, Real* packed) {
  for (int64_t j = j0; j < j1; j += tile_columns) {
    const int64_t end = j + tile_columns < j1 ? j + tile_columns : j1;
    for (int64_t k = k0; k < k1; ++k, packed += tile_columns) {
      const int64_t c = k / (s.R * s.S), r = k / s.S % s.R, q = k % s.S;
      const Real* plane = padded + (c * s.padded_h + r) * s.padded_w + q;
      int64_t oh = j / s.OW, ow = j % s.OW;
      Real* to = packed;
      for (int64_t left = end - j; left > 0;) {  // one run a row of the output
        const int64_t run = s.OW - ow < left ? s.OW - ow : left;
        const Real* from = plane + oh * s.stride_h * s.padded_w + ow * s.stride_w;
        if (s.stride_w == 1) {
          copy_run(run, from, to);
        } else {
          for (int64_t i = 0; i < run; ++i) to[i] = from[i * s.stride_w];
        }
        to += run;
        left -= run;
        ow = 0;
        ++oh;
      }
      for (; to < packed + tile_columns; ++to) *to = 0;
    }
  }
}

// `count` taps of a run of pixels in one row of the output; from: the first tap of the first pixel.
template <class Real>
void pack_taps_of_run(int64_t run, int64_t stride, int64_t count, int64_t tile_columns, const Real* from,
                      const int64_t* offsets, Real* packed) {
  constexpr int64_t W = kWidth<Real>;
  if (stride == 1 && run >= W) {
    for (int64_t i = 0; i < run; i += W) {
      const int64_t first = i + W <= run ? i : run - W;  // the last block overlaps the one before
      for (int64_t j = 0; j < tile_columns; j += W) {
        const auto tap = [=](int lane) {
          return j + lane < count ? load(from + offsets[j + lane] + first) : Vec<Real>{};
        };
        transpose_block<Real>(tap, packed + first * tile_columns + j, tile_columns);
      }
    }
    return;
  }
  for (int64_t i = 0; i < run; ++i, packed += tile_columns, from += stride) {
    for (int64_t j = 0; j < count; ++j) packed[j] = from[offsets[j]];
    for (int64_t j = count; j < tile_columns; ++j) packed[j] = 0;
  }
}

template <class Real>
void pack_taps(const ConvShape& s, const Real* padded, int64_t p0, int64_t p1, int64_t tile_columns,
               int64_t* offsets, Real* packed) {
  const int64_t taps = s.C * s.R * s.S;
  for (int64_t j0 = 0; j0 < taps; j0 += tile_columns) {
    const int64_t count = taps - j0 < tile_columns ? taps - j0 : tile_columns;
    for (int64_t j = 0; j < count; ++j) {
      const int64_t tap = j0 + j, c = tap / (s.R * s.S), r = tap / s.S % s.R, q = tap % s.S;
      offsets[j] = (c * s.padded_h + r) * s.padded_w + q;
    }
    for (int64_t p = p0; p < p1;) {
      const int64_t oh = p / s.OW, ow = p % s.OW;
      const int64_t run = s.OW - ow < p1 - p ? s.OW - ow : p1 - p;
      const Real* from = padded + oh * s.stride_h * s.padded_w + ow * s.stride_w;
      pack_taps_of_run(run, s.stride_w, count, tile_columns, from, offsets, packed);
      packed += run * tile_columns;
      p += run;
    }
  }
}

template <class Real>
void flip_weight(int64_t K, int64_t C, int64_t R, int64_t S, const Real* weight, Real* flipped) {
  for (int64_t k = 0; k < K; ++k) {
    for (int64_t c = 0; c < C; ++c) {
      const Real* from = weight + (k * C + c) * R * S;
      Real* to = flipped + (c * K + k) * R * S;
      for (int64_t i = 0; i < R * S; ++i) to[i] = from[R * S - 1 - i];
    }
  }
}

}  // namespace

template <class Real>
ConvKernels<Real> conv_kernels() {
  return {pad_image<Real>, pack_pixels<Real>, pack_taps<Real>, flip_weight<Real>};
}
template ConvKernels<float> conv_kernels();
template ConvKernels<double> conv_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
