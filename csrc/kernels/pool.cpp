#include "kernels/pool.h"

#include "kernels/simd.h"

namespace unrolled::UNROLLED_LEVEL {
namespace {

template <class Real>
UNROLLED_INLINE bool wins(Real value, Real best) {
  return value > best || value != value;
}

template <class Real>
void max_forward(const PoolShape& s, const Real* x, Real* y, uint8_t* window) {
  for (int64_t oh = 0; oh < s.OH; ++oh) {
    const int64_t top = oh * s.stride_h - s.pad_h;
    const int64_t r0 = top < 0 ? -top : 0, r1 = s.H - top < s.kernel_h ? s.H - top : s.kernel_h;
    for (int64_t ow = 0; ow < s.OW; ++ow) {
      const int64_t left = ow * s.stride_w - s.pad_w;
      const int64_t q0 = left < 0 ? -left : 0, q1 = s.W - left < s.kernel_w ? s.W - left : s.kernel_w;
      Real best = x[(top + r0) * s.W + left + q0];
      int64_t place = r0 * s.kernel_w + q0;
      for (int64_t r = r0; r < r1; ++r) {
        const Real* row = x + (top + r) * s.W + left;
        for (int64_t q = q0; q < q1; ++q) {
          const bool better = wins(row[q], best);
          best = better ? row[q] : best;
          place = better ? r * s.kernel_w + q : place;
        }
      }
      y[oh * s.OW + ow] = best;
      window[oh * s.OW + ow] = static_cast<uint8_t>(place);
    }
  }
}

// The usual pooling by two without padding, where every window is whole and none overlaps.
template <class Real>
void max_forward_2x2(const PoolShape& s, const Real* x, Real* y, uint8_t* window) {
  for (int64_t oh = 0; oh < s.OH; ++oh) {
    const Real* upper = x + 2 * oh * s.W;
    const Real* lower = upper + s.W;
    for (int64_t ow = 0; ow < s.OW; ++ow) {
      const Real a = upper[2 * ow], b = upper[2 * ow + 1], c = lower[2 * ow], d = lower[2 * ow + 1];
      const bool right = wins(b, a), right_below = wins(d, c);
      const Real above = right ? b : a, below = right_below ? d : c;
      const bool down = wins(below, above);
      y[oh * s.OW + ow] = down ? below : above;
      window[oh * s.OW + ow] = static_cast<uint8_t>(down ? 2 + right_below : right);
    }
  }
}

template <class Real>
void max_forward_any(const PoolShape& s, const Real* x, Real* y, uint8_t* window) {
  const bool halves = s.kernel_h == 2 && s.kernel_w == 2 && s.stride_h == 2 && s.stride_w == 2;
  if (halves && s.pad_h == 0 && s.pad_w == 0) {
    max_forward_2x2(s, x, y, window);
  } else {
    max_forward(s, x, y, window);
  }
}

template <class Real>
void max_backward(const PoolShape& s, const Real* grad_y, const uint8_t* window, Real* grad_x) {
  std::memset(grad_x, 0, static_cast<size_t>(s.H * s.W) * sizeof(Real));
  for (int64_t oh = 0; oh < s.OH; ++oh) {
    for (int64_t ow = 0; ow < s.OW; ++ow) {
      const int64_t place = window[oh * s.OW + ow];
      const int64_t h = oh * s.stride_h - s.pad_h + place / s.kernel_w;
      const int64_t w = ow * s.stride_w - s.pad_w + place % s.kernel_w;
      grad_x[h * s.W + w] += grad_y[oh * s.OW + ow];
    }
  }
}

}  // namespace

template <class Real>
PoolKernels<Real> pool_kernels() {
  return {max_forward_any<Real>, max_backward<Real>};
}
template PoolKernels<float> pool_kernels();
template PoolKernels<double> pool_kernels();

}  // namespace unrolled::UNROLLED_LEVEL
