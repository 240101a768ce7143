// The images behind a convolution where a max pooling follows it: each is made, used and forgotten while it
// is in the cache, in both directions.
#pragma once

#include <algorithm>

#include "dispatch.h"
#include "kernels/pool_max.h"
#include "memory.h"

namespace unrolled {

// Where the images of y go: to memory, `step` apart, or through the pooling.
template <class Real>
struct ConvOutput {
  Real* y;
  int64_t step;
  const MaxPoolShape* pool = nullptr;  // of one image: planes are the channels
  uint8_t* window = nullptr;           // as y, after the pooling

  // Channels [first, first + channels) of image n, which lie at `planes`.
  void pool_channels(int64_t n, int64_t first, int64_t channels, const Real* planes) const {
    MaxPoolShape s = *pool;
    s.planes = channels;
    const int64_t to = n * step + first * s.OH * s.OW;
    kernels<Real>().max_pool.forward(s, planes, 0, channels * s.OH, y + to, window + to);
  }

  // Rows [row, row + rows) of these channels, which lie at `planes`; see pools_bands.
  void pool_band(int64_t n, int64_t first, int64_t channels, int64_t row, int64_t rows,
                 const Real* planes) const {
    if (rows == pool->H) return pool_channels(n, first, channels, planes);
    MaxPoolShape s = *pool;
    const int64_t top = row / s.stride_h;
    s.planes = 1, s.H = rows, s.OH = std::min(pool->OH - top, (rows + s.stride_h - 1) / s.stride_h);
    for (int64_t k = 0; k < channels; ++k, planes += rows * s.W) {
      const int64_t to = n * step + ((first + k) * pool->OH + top) * s.OW;
      if (s.OH > 0) kernels<Real>().max_pool.forward(s, planes, 0, s.OH, y + to, window + to);
    }
  }
};

// Whether no window lies across two bands of so many rows.
inline bool pools_bands(const MaxPoolShape& pool, int64_t rows) {
  return pool.kernel_h == pool.stride_h && pool.pad_h == 0 && pool.dilation_h == 1 && rows > 0 &&
         rows % pool.stride_h == 0;
}

// Where the images of grad_y come from: from memory, or from the gradients behind the pooling.
template <class Real>
struct ConvGradient {
  const Real* grad;
  int64_t step;
  const MaxPoolShape* pool = nullptr;
  const uint8_t* window = nullptr;
};

// Reads images, or bands of so many rows of them, one after the other; the last image is kept.
template <class Real>
class GradientReader {
 public:
  GradientReader(const ConvGradient<Real>& from, int64_t rows)
      : from_(from), image_(from.pool ? from.pool->planes * rows * from.pool->W : 0) {}

  const Real* at(int64_t n) {
    const Real* grad = from_.grad + n * from_.step;
    if (!from_.pool) return grad;
    if (n != held_) {
      const MaxPoolShape& s = *from_.pool;
      kernels<Real>().max_pool.backward(s, grad, from_.window + n * from_.step, 0, s.planes * s.H,
                                        image_.data());
      held_ = n;
    }
    return image_.data();
  }

  // Rows [first, first + rows) of all planes of image n, behind a pooling.
  const Real* band(int64_t n, int64_t first, int64_t rows) {
    const MaxPoolShape& s = *from_.pool;
    if (rows == s.H) return at(n);
    for (int64_t k = 0; k < s.planes; ++k) {
      const int64_t begin = k * s.H + first;
      kernels<Real>().max_pool.backward(s, from_.grad + n * from_.step, from_.window + n * from_.step, begin,
                                        begin + rows, image_.data() + k * rows * s.W);
    }
    return image_.data();
  }

 private:
  const ConvGradient<Real>& from_;
  Buffer<Real> image_;
  int64_t held_ = -1;
};

}  // namespace unrolled
