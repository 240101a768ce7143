// The images behind a convolution where a max pooling follows it: each is made, used and forgotten while it
// is in the cache, in both directions.
#pragma once

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
};

// Where the images of grad_y come from: from memory, or from the gradients behind the pooling.
template <class Real>
struct ConvGradient {
  const Real* grad;
  int64_t step;
  const MaxPoolShape* pool = nullptr;
  const uint8_t* window = nullptr;
};

// Reads images one after the other; the last one is kept.
template <class Real>
class GradientReader {
 public:
  explicit GradientReader(const ConvGradient<Real>& from)
      : from_(from), image_(from.pool ? from.pool->planes * from.pool->H * from.pool->W : 0) {}

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

 private:
  const ConvGradient<Real>& from_;
  Buffer<Real> image_;
  int64_t held_ = -1;
};

}  // namespace unrolled
