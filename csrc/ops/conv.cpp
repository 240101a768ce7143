#include "ops/conv.h"

#include <algorithm>

#include "dispatch.h"
#include "memory.h"
#include "ops/conv_depthwise.h"
#include "ops/conv_direct.h"
#include "ops/conv_method.h"
#include "ops/conv_thin.h"
#include "ops/conv_winograd.h"
#include "parallel.h"

namespace unrolled {
namespace {

// One group as a convolution of its own; the data pointers move on by `x`, `weight` and `y` elements.
struct Group {
  Conv2dShape shape;
  int64_t x, weight, y, channel;

  Group(const Conv2dShape& s, int64_t g) : shape(s) {
    shape.C = s.C / s.groups;
    shape.K = s.K / s.groups;
    shape.groups = 1;
    x = g * shape.C * s.H * s.W;
    weight = g * shape.K * shape.C * s.kernel();
    y = g * shape.K * s.pixels();
    channel = g * shape.K;
  }
};

// Calls run(group) for each; several of them side by side on the threads.
template <class Run>
void for_each_group(const Conv2dShape& s, Run&& run) {
  const int64_t work = s.N * s.pixels() * s.K * (s.C / s.groups) * s.kernel() / kMultiplyAddsPerOperation;
  parallel_for(s.groups, s.groups > 1 ? work : 0, [&](int64_t g) { run(Group(s, g)); });
}

template <class Real>
void sum_bias(const Conv2dShape& s, const Real* grad_y, Real* grad_bias) {
  const NormKernels<Real>& kernel = kernels<Real>().norm;
  parallel_for(s.K, s.N * s.K * s.pixels(), [&](int64_t k) {
    double sum = 0;
    for (int64_t n = 0; n < s.N; ++n) sum += kernel.sum(s.pixels(), grad_y + n * s.y_step + k * s.pixels());
    grad_bias[k] = static_cast<Real>(sum);
  });
}

// Nothing to sum: no taps, no images, no pixels.
bool is_empty(const Conv2dShape& s) { return s.N == 0 || s.C == 0 || s.K == 0 || s.pixels() == 0; }

template <class Real>
void fill_with_bias(const Conv2dShape& s, const Epilogue<Real>& epilogue, Real* y) {
  for (int64_t i = 0; i < s.N * s.K; ++i) {
    const Real value = epilogue.bias ? epilogue.bias[i % s.K] : Real(0);
    std::fill_n(y + i / s.K * s.y_step + i % s.K * s.pixels(), s.pixels(),
                epilogue.relu && value <= Real(0) ? Real(0) : value);
  }
}

// Winograd's transforms pay from so many channels and outputs on.
constexpr int64_t kWinogradChannels = 4, kWinogradPixels = 3;

bool is_plain(const Conv2dShape& s) {
  return s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1;
}

bool is_3x3(const Conv2dShape& s) { return is_plain(s) && s.R == 3 && s.S == 3; }

bool is_line(const Conv2dShape& s) {
  return is_plain(s) && s.R == 1 && s.H == 1 && s.OH == 1 && s.pad_top == 0 &&
         (s.S == 3 || s.S == 5 || s.S == 7);
}

template <class Real>
ConvMethod choose_method(const Conv2dShape& s) {
  using Method = ConvMethod;
  const Method winograd = is_3x3(s) ? Method::winograd_f4 : Method::winograd_line;
  if (s.algorithm == ConvAlgorithm::winograd) return winograd;
  if (s.algorithm == ConvAlgorithm::winograd_f2) return Method::winograd_f2;
  if (s.algorithm == ConvAlgorithm::direct) return Method::direct;
  if (conv2d_thin_fits(s)) return Method::thin;
  if (!winograd_fits(s)) return Method::direct;
  if (sizeof(Real) > sizeof(float)) return Method::direct;  // who asks for float64 wants its digits
  const auto enough = [](int64_t size, int64_t other) {
    return size >= kWinogradPixels && other >= kWinogradPixels;
  };
  const bool pays = s.C >= kWinogradChannels && s.K >= kWinogradChannels && enough(s.W, s.OW) &&
                    (winograd == Method::winograd_line || enough(s.H, s.OH));
  return pays ? winograd : Method::direct;
}

bool is_depthwise(const Conv2dShape& s) {
  return s.algorithm == ConvAlgorithm::automatic && conv2d_depthwise_fits(s);
}

}  // namespace

template <class Real>
ConvMethod conv2d_method(const Conv2dShape& s) {
  return is_depthwise(s) ? ConvMethod::depthwise : choose_method<Real>(Group(s, 0).shape);
}

bool winograd_fits(const Conv2dShape& s) {
  return is_3x3(s) || (is_line(s) && s.algorithm != ConvAlgorithm::winograd_f2);
}

template <class Real>
void conv2d(const Conv2dShape& s, const Real* x, const Real* weight, const Epilogue<Real>& epilogue,
            Real* y) {
  if (is_empty(s)) return fill_with_bias(s, epilogue, y);
  const ConvMethod method = conv2d_method<Real>(s);
  if (method == ConvMethod::depthwise) return conv2d_depthwise(s, x, weight, epilogue, y);
  for_each_group(s, [&](const Group& g) {
    const Epilogue<Real> own = {epilogue.bias ? epilogue.bias + g.channel : nullptr, epilogue.relu};
    const Real *from = x + g.x, *w = weight + g.weight;
    const ConvOutput<Real> to = {y + g.y, s.y_step};
    if (method == ConvMethod::direct) return conv2d_direct(g.shape, from, w, own, to.y);
    if (method == ConvMethod::thin) return conv2d_thin(g.shape, from, w, own, to);
    conv2d_winograd(g.shape, tile_of(method), from, w, own, to);
  });
}

template <class Real>
void conv2d_backward_input(const Conv2dShape& s, const Real* grad_y, const Real* weight, Real* grad_x) {
  if (is_empty(s)) {
    std::fill_n(grad_x, s.N * s.C * s.H * s.W, Real(0));
    return;
  }
  const ConvMethod method = conv2d_method<Real>(s);
  if (method == ConvMethod::depthwise) return conv2d_depthwise_backward_input(s, grad_y, weight, grad_x);
  for_each_group(s, [&](const Group& g) {
    const ConvGradient<Real> grad = {grad_y + g.y, s.y_step};
    const Real* w = weight + g.weight;
    if (method == ConvMethod::direct)
      return conv2d_direct_backward_input(g.shape, grad.grad, w, grad_x + g.x);
    if (method == ConvMethod::thin) return conv2d_thin_backward_input(g.shape, grad, w, grad_x + g.x);
    conv2d_winograd_backward_input(g.shape, tile_of(method), grad, w, grad_x + g.x);
  });
}

template <class Real>
void conv2d_backward_weight(const Conv2dShape& s, const Real* grad_y, const Real* x, Real* grad_weight,
                            Real* grad_bias) {
  if (is_empty(s)) {
    std::fill_n(grad_weight, s.K * (s.C / s.groups) * s.kernel(), Real(0));
    if (grad_bias) sum_bias(s, grad_y, grad_bias);
    return;
  }
  const ConvMethod method = conv2d_method<Real>(s);
  if (method == ConvMethod::depthwise) {
    const Real* no_weight = nullptr;
    Real* no_grad_x = nullptr;
    return conv2d_depthwise_backward(s, grad_y, x, no_weight, no_grad_x, grad_weight, grad_bias);
  }
  if (grad_bias && method == ConvMethod::direct) sum_bias(s, grad_y, grad_bias);
  for_each_group(s, [&](const Group& g) {
    const ConvGradient<Real> grad = {grad_y + g.y, s.y_step};
    const Real* from = x + g.x;
    Real *to = grad_weight + g.weight, *to_bias = grad_bias ? grad_bias + g.channel : nullptr;
    if (method == ConvMethod::direct) return conv2d_direct_backward_weight(g.shape, grad.grad, from, to);
    if (method == ConvMethod::thin) return conv2d_thin_backward_weight(g.shape, grad, from, to, to_bias);
    conv2d_winograd_backward_weight(g.shape, tile_of(method), grad, from, to, to_bias);
  });
}

template <class Real>
void conv2d_backward(const Conv2dShape& s, const Real* grad_y, const Real* x, const Real* weight,
                     Real* grad_x, Real* grad_weight, Real* grad_bias) {
  if (!is_empty(s) && conv2d_method<Real>(s) == ConvMethod::depthwise) {
    return conv2d_depthwise_backward(s, grad_y, x, weight, grad_x, grad_weight, grad_bias);
  }
  conv2d_backward_input(s, grad_y, weight, grad_x);
  conv2d_backward_weight(s, grad_y, x, grad_weight, grad_bias);
}

#define UNROLLED_INSTANTIATE(Real)                                                                       \
  template ConvMethod conv2d_method<Real>(const Conv2dShape&);                                           \
  template void conv2d(const Conv2dShape&, const Real*, const Real*, const Epilogue<Real>&, Real*);      \
  template void conv2d_backward_input(const Conv2dShape&, const Real*, const Real*, Real*);              \
  template void conv2d_backward_weight(const Conv2dShape&, const Real*, const Real*, Real*, Real*);      \
  template void conv2d_backward(const Conv2dShape&, const Real*, const Real*, const Real*, Real*, Real*, \
                                Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
