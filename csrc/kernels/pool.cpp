#include "kernels/pool.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
UNROLLED_INLINE bool wins(Real value, Real best) {
  return value > best || value != value;
}

// One window; those that hang over the border are cut.
template <class Real>
void max_window(const PoolShape& s, const Real* x, int64_t oh, int64_t ow, Real* y, uint8_t* window) {
  const int64_t top = oh * s.stride_h - s.pad_h, left = ow * s.stride_w - s.pad_w;
  const int64_t r0 = top < 0 ? -top : 0, r1 = s.H - top < s.kernel_h ? s.H - top : s.kernel_h;
  const int64_t q0 = left < 0 ? -left : 0, q1 = s.W - left < s.kernel_w ? s.W - left : s.kernel_w;
  Real best = x[(top + r0) * s.W + left + q0];
  int64_t place = r0 * s.kernel_w + q0;
  for (int64_t r = r0; r < r1; ++r) {
    for (int64_t q = q0; q < q1; ++q) {
      const Real value = x[(top + r) * s.W + left + q];
      if (!wins(value, best)) continue;
      best = value;
      place = r * s.kernel_w + q;
    }
  }
  y[oh * s.OW + ow] = best;
  window[oh * s.OW + ow] = static_cast<uint8_t>(place);
}

// Lane i: p[stride * i]. With stride 2 the pairs that the lanes come from are read whole, from an even offset
// on.
template <class Real, int stride>
UNROLLED_INLINE Vec<Real> load_strided(const Real* row, int64_t q) {
  if constexpr (stride == 1) {
    return load(row + q);
  } else {
    const Real* pairs = row + (q & ~int64_t{1});
    const Vec<Real> a = load(pairs), b = load(pairs + kWidth<Real>);
    return q & 1 ? odd<Real>(a, b) : even<Real>(a, b);
  }
}

// kWidth windows side by side, all inside the image; `from` is the upper left corner of the first.
template <class Real, int stride>
UNROLLED_INLINE void max_windows(const PoolShape& s, const Real* from, Real* y, uint8_t* window) {
  typedef uint8_t Bytes __attribute__((vector_size(kWidth<Real>)));
  Vec<Real> best = load_strided<Real, stride>(from, 0);
  IntVec<Real> place = {};
  for (int64_t r = 0; r < s.kernel_h; ++r) {
    for (int64_t q = 0; q < s.kernel_w; ++q) {
      const Vec<Real> value = load_strided<Real, stride>(from + r * s.W, q);
      const IntVec<Real> better = (value > best) | (value != value);
      best = better ? value : best;
      place = better ? IntVec<Real>{} + static_cast<int>(r * s.kernel_w + q) : place;
    }
  }
  store(y, best);
  const Bytes bytes = __builtin_convertvector(place, Bytes);
  std::memcpy(window, &bytes, sizeof bytes);
}

template <class Real, int stride>
void max_rows(const PoolShape& s, const Real* x, Real* y, uint8_t* window) {
  constexpr int64_t W = kWidth<Real>;
  // Columns that one vector of windows reads from its first window's left edge on.
  const int64_t reach = stride == 1 ? W + s.kernel_w - 1 : 2 * W + ((s.kernel_w - 1) & ~int64_t{1});
  for (int64_t oh = 0; oh < s.OH; ++oh) {
    const int64_t top = oh * s.stride_h - s.pad_h;
    const bool whole = top >= 0 && top + s.kernel_h <= s.H;
    for (int64_t ow = 0; ow < s.OW;) {
      const int64_t left = ow * stride - s.pad_w;
      if (whole && left >= 0 && left + reach <= s.W && ow + W <= s.OW) {
        max_windows<Real, stride>(s, x + top * s.W + left, y + oh * s.OW + ow, window + oh * s.OW + ow);
        ow += W;
      } else {
        max_window(s, x, oh, ow, y, window);
        ++ow;
      }
    }
  }
}

template <class Real>
void max_forward(const PoolShape& s, const Real* x, Real* y, uint8_t* window) {
  if (s.stride_w == 1) return max_rows<Real, 1>(s, x, y, window);
  if (s.stride_w == 2) return max_rows<Real, 2>(s, x, y, window);
  for (int64_t oh = 0; oh < s.OH; ++oh) {
    for (int64_t ow = 0; ow < s.OW; ++ow) max_window(s, x, oh, ow, y, window);
  }
}

template <class Real>
void scatter(const PoolShape& s, int64_t oh, int64_t ow, const Real* grad_y, const uint8_t* window,
             Real* grad_x) {
  const int64_t place = window[oh * s.OW + ow];
  const int64_t h = oh * s.stride_h - s.pad_h + place / s.kernel_w;
  const int64_t w = ow * s.stride_w - s.pad_w + place % s.kernel_w;
  grad_x[h * s.W + w] += grad_y[oh * s.OW + ow];
}

// kWidth windows that nobody else shares pixels with: their rows are written, not added to.
template <class Real>
UNROLLED_INLINE void write_windows(const PoolShape& s, const Real* grad_y, const uint8_t* window,
                                   Real* corner) {
  typedef uint8_t Bytes __attribute__((vector_size(kWidth<Real>)));
  Bytes bytes;
  std::memcpy(&bytes, window, sizeof bytes);
  const IntVec<Real> place = __builtin_convertvector(bytes, IntVec<Real>);
  const Vec<Real> g = load(grad_y);
  for (int64_t r = 0; r < s.kernel_h; ++r) {
    const int first = static_cast<int>(r * s.kernel_w);
    const Vec<Real> left = place == first ? g : Vec<Real>{};
    if (s.kernel_w == 1) {
      store(corner + r * s.W, left);
    } else {
      store_zipped<Real>(corner + r * s.W, left, place == first + 1 ? g : Vec<Real>{});
    }
  }
}

template <class Real>
void max_backward(const PoolShape& s, const Real* grad_y, const uint8_t* window, Real* grad_x) {
  constexpr int64_t W = kWidth<Real>;
  const bool tiles = s.kernel_h == s.stride_h && s.kernel_w == s.stride_w && s.pad_h == 0 && s.pad_w == 0;
  const bool vectors = tiles && s.kernel_w <= 2;
  std::memset(grad_x, 0, static_cast<size_t>(s.H * s.W) * sizeof(Real));
  for (int64_t oh = 0; oh < s.OH; ++oh) {
    int64_t ow = 0;
    for (; vectors && ow + W <= s.OW; ow += W) {
      Real* corner = grad_x + oh * s.stride_h * s.W + ow * s.stride_w;
      write_windows(s, grad_y + oh * s.OW + ow, window + oh * s.OW + ow, corner);
    }
    for (; ow < s.OW; ++ow) scatter(s, oh, ow, grad_y, window, grad_x);
  }
}

}  // namespace

template <class Real>
PoolKernels<Real> pool_kernels() {
  return {max_forward<Real>, max_backward<Real>};
}
template PoolKernels<float> pool_kernels();
template PoolKernels<double> pool_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
