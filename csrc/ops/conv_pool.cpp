#include "ops/conv_pool.h"

#include "memory.h"
#include "ops/conv_method.h"
#include "ops/conv_thin.h"
#include "ops/pool_max.h"
#include "parallel.h"

namespace unrolled {
namespace {

// Of one image that is made whole; it stays in the second- or third-level cache. Large ones are for batches
// whose images keep all threads busy.
constexpr int64_t kSmallImageBytes = 256 << 10, kLargeImageBytes = 1 << 20, kImagesPerThread = 4;

bool is_winograd(ConvMethod method) {
  return method == ConvMethod::winograd_f2 || method == ConvMethod::winograd_f4;
}

// Whether images are made and pooled one by one, or in bands; it changes no bit.
template <class Real>
bool by_images(const Conv2dShape& s, const MaxPoolShape& pool, ConvMethod method, bool input_gradient) {
  if (s.groups > 1 || s.N < get_num_threads() || s.C == 0) return false;
  const int64_t bytes = s.K * s.pixels() * static_cast<int64_t>(sizeof(Real));
  const bool many = s.N >= kImagesPerThread * get_num_threads();
  if (is_winograd(method)) return bytes <= (many ? kLargeImageBytes : kSmallImageBytes);
  if (method != ConvMethod::thin || !conv2d_thin_pools<Real>(s, pool)) return false;
  return !input_gradient || bytes <= kSmallImageBytes;  // which takes an image for every few rows
}

MaxPoolShape of_all_images(const Conv2dShape& s, MaxPoolShape pool) {
  pool.planes = s.N * s.K;
  return pool;
}

}  // namespace

template <class Real>
void conv2d_max_pool(const Conv2dShape& s, const MaxPoolShape& pool, const Real* x, const Real* weight,
                     const Real* bias, Real* y, uint8_t* window) {
  const ConvMethod method = conv2d_method<Real>(s);
  const Epilogue<Real> epilogue = {bias, false};
  if (!by_images<Real>(s, pool, method, false)) {
    Buffer<Real> images(s.N * s.K * s.pixels());
    conv2d(s, x, weight, epilogue, images.data());
    return max_pool2d(of_all_images(s, pool), images.data(), y, window);
  }
  const ConvOutput<Real> to = {y, s.K * pool.OH * pool.OW, &pool, window};
  if (method == ConvMethod::thin) return conv2d_thin(s, x, weight, epilogue, to);
  conv2d_winograd(s, tile_of(method), x, weight, epilogue, to);
}

template <class Real>
void conv2d_max_pool_backward(const Conv2dShape& s, const MaxPoolShape& pool, const Real* grad_y,
                              const uint8_t* window, const Real* x, const Real* weight, Real* grad_x,
                              Real* grad_weight, Real* grad_bias) {
  const ConvMethod method = conv2d_method<Real>(s);
  if (!by_images<Real>(s, pool, method, grad_x != nullptr)) {
    Buffer<Real> images(s.N * s.K * s.pixels());
    max_pool2d_backward(of_all_images(s, pool), grad_y, window, images.data());
    if (grad_x) conv2d_backward_input(s, images.data(), weight, grad_x);
    if (grad_weight) conv2d_backward_weight(s, images.data(), x, grad_weight, grad_bias);
    return;
  }
  check_places(of_all_images(s, pool), window);
  const ConvGradient<Real> from = {grad_y, s.K * pool.OH * pool.OW, &pool, window};
  if (method == ConvMethod::thin) {
    if (grad_x) conv2d_thin_backward_input(s, from, weight, grad_x);
    if (grad_weight) conv2d_thin_backward_weight(s, from, x, grad_weight, grad_bias);
    return;
  }
  if (grad_x) conv2d_winograd_backward_input(s, tile_of(method), from, weight, grad_x);
  if (grad_weight) conv2d_winograd_backward_weight(s, tile_of(method), from, x, grad_weight, grad_bias);
}

#define UNROLLED_INSTANTIATE(Real)                                                                 \
  template void conv2d_max_pool(const Conv2dShape&, const MaxPoolShape&, const Real*, const Real*, \
                                const Real*, Real*, uint8_t*);                                     \
  template void conv2d_max_pool_backward(const Conv2dShape&, const MaxPoolShape&, const Real*,     \
                                         const uint8_t*, const Real*, const Real*, Real*, Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
