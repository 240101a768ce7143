#include "ops/conv.h"

#include <algorithm>

#include "dispatch.h"
#include "memory.h"
#include "ops/conv_depthwise.h"
#include "ops/conv_direct.h"
#include "ops/conv_thin.h"
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

bool takes_depthwise(const Conv2dShape& s) {
  return s.algorithm == ConvAlgorithm::automatic && conv2d_depthwise_fits(s);
}

bool takes_thin(const Conv2dShape& s) {
  return s.algorithm == ConvAlgorithm::automatic && conv2d_thin_fits(s);
}

template <class Real>
void fill_with_bias(const Conv2dShape& s, const Epilogue<Real>& epilogue, Real* y) {
  for (int64_t i = 0; i < s.N * s.K; ++i) {
    const Real value = epilogue.bias ? epilogue.bias[i % s.K] : Real(0);
    std::fill_n(y + i / s.K * s.y_step + i % s.K * s.pixels(), s.pixels(),
                epilogue.relu && value <= Real(0) ? Real(0) : value);
  }
}

}  // namespace

bool winograd_fits(const Conv2dShape& s) {
  return s.R == 3 && s.S == 3 && s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1;
}

template <class Real>
void conv2d(const Conv2dShape& s, const Real* x, const Real* weight, const Epilogue<Real>& epilogue,
            Real* y) {
  if (is_empty(s)) return fill_with_bias(s, epilogue, y);
  if (takes_depthwise(s)) return conv2d_depthwise(s, x, weight, epilogue, y);
  for_each_group(s, [&](const Group& g) {
    const Epilogue<Real> own = {epilogue.bias ? epilogue.bias + g.channel : nullptr, epilogue.relu};
    if (takes_thin(g.shape)) return conv2d_thin(g.shape, x + g.x, weight + g.weight, own, y + g.y);
    conv2d_direct(g.shape, x + g.x, weight + g.weight, own, y + g.y);
  });
}

template <class Real>
void conv2d_backward_input(const Conv2dShape& s, const Real* grad_y, const Real* weight, Real* grad_x) {
  if (is_empty(s)) {
    std::fill_n(grad_x, s.N * s.C * s.H * s.W, Real(0));
    return;
  }
  if (takes_depthwise(s)) return conv2d_depthwise_backward_input(s, grad_y, weight, grad_x);
  for_each_group(s, [&](const Group& g) {
    if (takes_thin(g.shape)) {
      return conv2d_thin_backward_input(g.shape, grad_y + g.y, weight + g.weight, grad_x + g.x);
    }
    conv2d_direct_backward_input(g.shape, grad_y + g.y, weight + g.weight, grad_x + g.x);
  });
}

template <class Real>
void conv2d_backward_weight(const Conv2dShape& s, const Real* grad_y, const Real* x, Real* grad_weight,
                            Real* grad_bias) {
  if (!is_empty(s) && takes_depthwise(s)) {
    return conv2d_depthwise_backward_weight(s, grad_y, x, grad_weight, grad_bias);
  }
  if (grad_bias && (is_empty(s) || !takes_thin(Group(s, 0).shape))) sum_bias(s, grad_y, grad_bias);
  if (is_empty(s)) {
    std::fill_n(grad_weight, s.K * (s.C / s.groups) * s.kernel(), Real(0));
    return;
  }
  for_each_group(s, [&](const Group& g) {
    if (takes_thin(g.shape)) {
      return conv2d_thin_backward_weight(g.shape, grad_y + g.y, x + g.x, grad_weight + g.weight,
                                         grad_bias ? grad_bias + g.channel : nullptr);
    }
    conv2d_direct_backward_weight(g.shape, grad_y + g.y, x + g.x, grad_weight + g.weight);
  });
}

#define UNROLLED_INSTANTIATE(Real)                                                                  \
  template void conv2d(const Conv2dShape&, const Real*, const Real*, const Epilogue<Real>&, Real*); \
  template void conv2d_backward_input(const Conv2dShape&, const Real*, const Real*, Real*);         \
  template void conv2d_backward_weight(const Conv2dShape&, const Real*, const Real*, Real*, Real*);
UNROLLED_INSTANTIATE(float)
UNROLLED_INSTANTIATE(double)
#undef UNROLLED_INSTANTIATE

}  // namespace unrolled
