#include <algorithm>
#include <cmath>
#include <limits>

#include "memory.h"
#include "ops/conv_columns.h"
#include "ops/conv_direct.h"
#include "parallel.h"

namespace unrolled {
namespace {

constexpr int64_t kFewRows = 6;  // fewer rows of a product than this leave register tiles half empty

// Along one axis: the taps that reach the pixels phase, phase + stride, ... of x, as taps of grad_y.
struct PhaseAxis {
  int64_t first_tap, tap_step, taps;  // taps first_tap, first_tap + tap_step, ..., of the forward's kernel
  int64_t dilation;                   // their distance in grad_y
  int64_t begin;                      // the pixel of grad_y that the last of them joins to x's pixel `phase`
  int64_t pixels;                     // of this phase

  static PhaseAxis of(int64_t phase, int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                      int64_t pad) {
    const int64_t common = gcd(stride, dilation), step = stride / common;
    PhaseAxis axis{0, step, 0, dilation / common, 0, size > phase ? (size - phase + stride - 1) / stride : 0};
    for (int64_t tap = kernel - 1; tap >= 0; --tap) {
      const int64_t distance = phase + pad - tap * dilation;
      if (distance % stride != 0) continue;
      if (axis.taps++ == 0) axis.begin = distance / stride;
      axis.first_tap = tap;
    }
    return axis;
  }

  // The forward's tap that stands at place i of the flipped kernel.
  int64_t tap(int64_t i) const { return first_tap + (taps - 1 - i) * tap_step; }

  static int64_t gcd(int64_t a, int64_t b) { return b == 0 ? a : gcd(b, a % b); }
};

ConvShape phase_shape(const Conv2dShape& s, const PhaseAxis& rows, const PhaseAxis& columns) {
  return {.C = s.K,
          .H = s.OH,
          .W = s.OW,
          .R = rows.taps,
          .S = columns.taps,
          .stride_h = 1,
          .stride_w = 1,
          .dilation_h = rows.dilation,
          .dilation_w = columns.dilation,
          .OH = rows.pixels,
          .OW = columns.pixels,
          .pad_top = -rows.begin,
          .pad_left = -columns.begin,
          .padded_h = rows.pixels + (rows.taps - 1) * rows.dilation,
          .padded_w = columns.pixels + (columns.taps - 1) * columns.dilation};
}

// weight (K, C, R, S) -> flipped (C, K, taps of the phase), both kernel axes reversed.
template <class Real>
void flip_weight(const Conv2dShape& s, const PhaseAxis& rows, const PhaseAxis& columns, const Real* weight,
                 Real* flipped) {
  for (int64_t c = 0; c < s.C; ++c) {
    for (int64_t k = 0; k < s.K; ++k) {
      const Real* kernel = weight + (k * s.C + c) * s.kernel();
      for (int64_t r = 0; r < rows.taps; ++r) {
        for (int64_t q = 0; q < columns.taps; ++q) *flipped++ = kernel[rows.tap(r) * s.S + columns.tap(q)];
      }
    }
  }
}

// All phases at once, for few input channels: rows of the product are (phase, c), over the taps that any
// phase has; the others are zeros. Strides above 1, dilation 1.
struct AllPhases {
  int64_t begin = 0, taps = 0, pixels = 0;

  AllPhases(int64_t size, int64_t kernel, int64_t stride, int64_t pad) {
    // Tap t joins x's pixel p to grad_y's (p + pad - t) / stride: all of these lie from `begin` on.
    begin = floor_divide(pad - (kernel - 1) + stride - 1, stride);
    taps = floor_divide(stride - 1 + pad, stride) - begin + 1;
    pixels = (size + stride - 1) / stride;
  }
  static int64_t floor_divide(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
};

template <class Real>
void gather_weight(const Conv2dShape& s, const AllPhases& rows, const AllPhases& columns, const Real* weight,
                   Real* gathered) {
  for (int64_t row = 0; row < s.stride_h * s.stride_w * s.C; ++row) {
    const int64_t a = row / s.C / s.stride_w, b = row / s.C % s.stride_w, c = row % s.C;
    for (int64_t k = 0; k < s.K; ++k) {
      const Real* kernel = weight + (k * s.C + c) * s.kernel();
      for (int64_t i = 0; i < rows.taps; ++i) {
        const int64_t r = a + s.pad_top - (rows.begin + i) * s.stride_h;
        for (int64_t j = 0; j < columns.taps; ++j) {
          const int64_t q = b + s.pad_left - (columns.begin + j) * s.stride_w;
          const bool inside = r >= 0 && r < s.R && q >= 0 && q < s.S;
          *gathered++ = inside ? kernel[r * s.S + q] : Real(0);
        }
      }
    }
  }
}

// phase (N, rows, columns) of `pitch` elements an image, to every stride-th pixel of grad_x's planes.
template <class Real>
void interleave(const Conv2dShape& s, int64_t a, int64_t b, const Real* phase, int64_t phase_step,
                int64_t phase_rows, int64_t phase_columns, Real* grad_x) {
  parallel_for(s.N * s.C, s.N * s.C * phase_rows * phase_columns, [&](int64_t task) {
    const int64_t n = task / s.C, c = task % s.C;
    const Real* from = phase + n * phase_step + c * phase_rows * phase_columns;
    Real* to = grad_x + n * s.x_step + c * s.H * s.W;
    for (int64_t h = a; h < s.H; h += s.stride_h, from += phase_columns) {
      for (int64_t w = b, i = 0; w < s.W; w += s.stride_w, ++i) to[h * s.W + w] = from[i];
    }
  });
}

template <class Real>
void backward_all_phases(const Conv2dShape& s, const Real* grad_y, const Real* weight, Real* grad_x) {
  const AllPhases rows(s.H, s.R, s.stride_h, s.pad_top), columns(s.W, s.S, s.stride_w, s.pad_left);
  const PhaseAxis down{0, 1, rows.taps, 1, rows.begin, rows.pixels};
  const PhaseAxis across{0, 1, columns.taps, 1, columns.begin, columns.pixels};
  const int64_t phases = s.stride_h * s.stride_w, plane = rows.pixels * columns.pixels;
  Buffer<Real> gathered(phases * s.C * s.K * rows.taps * columns.taps);
  Buffer<Real> images(s.N * phases * s.C * plane);
  gather_weight(s, rows, columns, weight, gathered.data());
  convolve_columns<Real>(phase_shape(s, down, across), s.N, phases * s.C, grad_y, s.y_step, gathered.data(),
                         {}, images.data(), phases * s.C * plane);
  for (int64_t phase = 0; phase < phases; ++phase) {
    interleave(s, phase / s.stride_w, phase % s.stride_w, images.data() + phase * s.C * plane,
               phases * s.C * plane, rows.pixels, columns.pixels, grad_x);
  }
}

template <class Real>
void backward_phase(const Conv2dShape& s, int64_t a, int64_t b, const Real* grad_y, const Real* weight,
                    Real* grad_x) {
  const PhaseAxis rows = PhaseAxis::of(a, s.H, s.R, s.stride_h, s.dilation_h, s.pad_top);
  const PhaseAxis columns = PhaseAxis::of(b, s.W, s.S, s.stride_w, s.dilation_w, s.pad_left);
  const int64_t plane = rows.pixels * columns.pixels, taps = rows.taps * columns.taps;
  if (plane == 0) return;
  Buffer<Real> flipped(s.C * s.K * taps);
  flip_weight(s, rows, columns, weight, flipped.data());
  const ConvShape shape = phase_shape(s, rows, columns);
  if (s.stride_h * s.stride_w == 1) {
    return convolve_columns<Real>(shape, s.N, s.C, grad_y, s.y_step, flipped.data(), {}, grad_x, s.x_step);
  }
  Buffer<Real> image(s.N * s.C * plane);
  if (taps > 0) {
    convolve_columns<Real>(shape, s.N, s.C, grad_y, s.y_step, flipped.data(), {}, image.data(), s.C * plane);
  } else {
    std::fill_n(image.data(), s.N * s.C * plane, Real(0));
  }
  interleave(s, a, b, image.data(), s.C * plane, rows.pixels, columns.pixels, grad_x);
}

template <class Real>
void backward_each_phase(const Conv2dShape& s, const Real* grad_y, const Real* weight, Real* grad_x) {
  for (int64_t phase = 0; phase < s.stride_h * s.stride_w; ++phase) {
    backward_phase(s, phase / s.stride_w, phase % s.stride_w, grad_y, weight, grad_x);
  }
}

template <class Real>
bool all_finite(const Real* x, int64_t n) {
  int other = 0;  // no early return: the loop is vectorised
  for (int64_t i = 0; i < n; ++i) other |= !(std::abs(x[i]) <= std::numeric_limits<Real>::max());
  return other == 0;
}

// `backward_all_phases` multiplies with zeros in place of taps, and zero times infinity is NaN. Images it
// did so to are computed again from the taps alone, so that what is not finite stays where they reach.
template <class Real>
void redo_what_is_not_finite(Conv2dShape s, const Real* grad_y, const Real* weight, Real* grad_x) {
  const int64_t images = s.N, size = s.C * s.H * s.W;
  s.N = 1;
  Buffer<char> finite(images);
  parallel_for(images, images * size,
               [&](int64_t n) { finite[n] = all_finite(grad_x + n * s.x_step, size); });
  for (int64_t n = 0; n < images; ++n) {
    if (finite[n]) continue;
    backward_each_phase(s, grad_y + n * s.y_step, weight, grad_x + n * s.x_step);
  }
}

}  // namespace

template <class Real>
void conv2d_direct_backward_input(const Conv2dShape& s, const Real* grad_y, const Real* weight,
                                  Real* grad_x) {
  const bool strided = s.stride_h > 1 || s.stride_w > 1;
  const bool all_reach = s.dilation_h == 1 && s.dilation_w == 1 && s.R >= s.stride_h && s.S >= s.stride_w;
  if (!strided || !all_reach || s.C >= kFewRows) return backward_each_phase(s, grad_y, weight, grad_x);
  backward_all_phases(s, grad_y, weight, grad_x);
  redo_what_is_not_finite(s, grad_y, weight, grad_x);
}

template void conv2d_direct_backward_input(const Conv2dShape&, const float*, const float*, float*);
template void conv2d_direct_backward_input(const Conv2dShape&, const double*, const double*, double*);

}  // namespace unrolled
