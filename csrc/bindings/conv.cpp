#include "ops/conv.h"

#include <array>

#include "bindings/arrays.h"
#include "bindings/pool_shape.h"
#include "bindings/register.h"
#include "ops/conv_pool.h"

namespace unrolled {
namespace {

using Borders = std::array<int64_t, 4>;  // zeros above, below, to the left, to the right

// The options that all passes share.
struct Options {
  Pair stride;
  Borders padding;
  Pair dilation;
  int64_t groups;
  std::string algorithm;
};

int64_t output_size(int64_t input, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                    int64_t behind) {
  require(stride >= 1, "stride must be at least 1");
  require(dilation >= 1, "dilation must be at least 1");
  require(before >= 0 && behind >= 0, "padding must not be negative");
  require(kernel >= 1, "kernel_size must be at least 1");
  const int64_t reach = (kernel - 1) * dilation + 1;
  require(input + before + behind >= reach, "the kernel is larger than the padded input");
  return (input + before + behind - reach) / stride + 1;
}

ConvAlgorithm parse_algorithm(const std::string& name) {
  if (name == "auto") return ConvAlgorithm::automatic;
  if (name == "direct") return ConvAlgorithm::direct;
  if (name == "winograd") return ConvAlgorithm::winograd;
  require(name == "winograd-f2", "algorithm must be \"auto\", \"direct\", \"winograd\" or \"winograd-f2\"");
  return ConvAlgorithm::winograd_f2;
}

// C channels of x, K of y.
Conv2dShape make_shape(int64_t N, int64_t C, Pair input, int64_t K, Pair kernel, const Options& options) {
  const auto [top, bottom, left, right] = options.padding;
  Conv2dShape s{};
  s.N = N, s.C = C, s.H = input.first, s.W = input.second;
  s.K = K, s.R = kernel.first, s.S = kernel.second;
  s.stride_h = options.stride.first, s.stride_w = options.stride.second;
  s.dilation_h = options.dilation.first, s.dilation_w = options.dilation.second;
  s.pad_top = top, s.pad_left = left;
  s.groups = options.groups;
  s.OH = output_size(s.H, s.R, s.stride_h, s.dilation_h, top, bottom);
  s.OW = output_size(s.W, s.S, s.stride_w, s.dilation_w, left, right);
  s.x_step = C * s.H * s.W, s.y_step = K * s.OH * s.OW;
  s.algorithm = parse_algorithm(options.algorithm);
  require(s.groups >= 1 && C % s.groups == 0 && K % s.groups == 0,
          "groups must divide the channels of x and of y");
  require(s.algorithm == ConvAlgorithm::automatic || s.algorithm == ConvAlgorithm::direct || winograd_fits(s),
          "algorithm \"winograd\" is for 3x3 kernels, or 3, 5 or 7 taps, with stride 1 and dilation 1");
  return s;
}

template <class Real>
Pair last_two(const Array<Real>& array) {
  return {array.shape(2), array.shape(3)};
}

template <class Real>
void require_4d(const Array<Real>& x, const Array<Real>& weight) {
  require(x.ndim() == 4 && weight.ndim() == 4, "both arrays must have four axes");
}

template <class Real>
Array<Real> conv2d_array(const Array<Real>& x, const Array<Real>& weight, const MaybeArray<Real>& bias,
                         Pair stride, const Borders& padding, Pair dilation, int64_t groups,
                         const std::string& algorithm, bool relu) {
  require_4d(x, weight);
  const Conv2dShape s = make_shape(x.shape(0), x.shape(1), last_two(x), weight.shape(0), last_two(weight),
                                   {stride, padding, dilation, groups, algorithm});
  require(weight.shape(1) * groups == s.C, "weight must have the channels of x divided by groups");
  if (bias) require_shape(*bias, {s.K}, "bias must be (K)");
  Array<Real> y = make_array<Real>({s.N, s.K, s.OH, s.OW});
  const Real *from = x.data(), *w = weight.data();
  const Epilogue<Real> epilogue = {data_or_null(bias), relu};
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  conv2d(s, from, w, epilogue, to);
  return y;
}

template <class Real>
Array<Real> conv2d_backward_input_array(const Array<Real>& grad_y, const Array<Real>& weight, Pair input_size,
                                        Pair stride, const Borders& padding, Pair dilation, int64_t groups,
                                        const std::string& algorithm) {
  require_4d(grad_y, weight);
  const Conv2dShape s = make_shape(grad_y.shape(0), weight.shape(1) * groups, input_size, weight.shape(0),
                                   last_two(weight), {stride, padding, dilation, groups, algorithm});
  require_shape(grad_y, {s.N, s.K, s.OH, s.OW}, "grad_y must have the shape of the output");
  Array<Real> grad_x = make_array<Real>({s.N, s.C, s.H, s.W});
  const Real *g = grad_y.data(), *w = weight.data();
  Real* to = grad_x.mutable_data();
  const py::gil_scoped_release release;
  conv2d_backward_input(s, g, w, to);
  return grad_x;
}

template <class Real>
py::tuple conv2d_backward_weight_array(const Array<Real>& grad_y, const Array<Real>& x, Pair kernel_size,
                                       Pair stride, const Borders& padding, Pair dilation, int64_t groups,
                                       const std::string& algorithm, bool bias) {
  require_4d(grad_y, x);
  const Conv2dShape s = make_shape(x.shape(0), x.shape(1), last_two(x), grad_y.shape(1), kernel_size,
                                   {stride, padding, dilation, groups, algorithm});
  require_shape(grad_y, {s.N, s.K, s.OH, s.OW}, "grad_y must have the shape of the output");
  Array<Real> grad_weight = make_array<Real>({s.K, s.C / s.groups, s.R, s.S});
  MaybeArray<Real> grad_bias;
  if (bias) grad_bias = make_array<Real>({s.K});
  const Real *g = grad_y.data(), *from = x.data();
  Real *to = grad_weight.mutable_data(), *to_bias = grad_bias ? grad_bias->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    conv2d_backward_weight(s, g, from, to, to_bias);
  }
  return py::make_tuple(grad_weight, grad_bias);
}

template <class Real>
py::tuple conv2d_backward_array(const Array<Real>& grad_y, const Array<Real>& x, const Array<Real>& weight,
                                Pair stride, const Borders& padding, Pair dilation, int64_t groups,
                                const std::string& algorithm) {
  require_4d(x, weight);
  const Conv2dShape s = make_shape(x.shape(0), x.shape(1), last_two(x), weight.shape(0), last_two(weight),
                                   {stride, padding, dilation, groups, algorithm});
  require(weight.shape(1) * groups == s.C, "weight must have the channels of x divided by groups");
  require_shape(grad_y, {s.N, s.K, s.OH, s.OW}, "grad_y must have the shape of the output");
  Array<Real> grad_x = make_array_like(x), grad_weight = make_array_like(weight);
  Array<Real> grad_bias = make_array<Real>({s.K});
  const Real *g = grad_y.data(), *from = x.data(), *w = weight.data();
  Real *to_x = grad_x.mutable_data(), *to_weight = grad_weight.mutable_data();
  Real* to_bias = grad_bias.mutable_data();
  {
    const py::gil_scoped_release release;
    conv2d_backward(s, g, from, w, to_x, to_weight, to_bias);
  }
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

// What the pooling behind a convolution is given as: kernel, stride, padding, dilation, ceil_mode, relu.
using Pooling = std::tuple<Pair, Pair, Pair, Pair, bool, bool>;

MaxPoolShape pooling_behind(const Conv2dShape& s, const Pooling& pooling) {
  const auto [kernel, stride, padding, dilation, ceil_mode, relu] = pooling;
  return max_pool_shape(s.K, {s.OH, s.OW}, kernel, stride, padding, dilation, ceil_mode, relu);
}

template <class Real>
py::tuple conv2d_max_pool_array(const Array<Real>& x, const Array<Real>& weight, const MaybeArray<Real>& bias,
                                Pair stride, const Borders& padding, Pair dilation, int64_t groups,
                                const std::string& algorithm, const Pooling& pooling) {
  require_4d(x, weight);
  const Conv2dShape s = make_shape(x.shape(0), x.shape(1), last_two(x), weight.shape(0), last_two(weight),
                                   {stride, padding, dilation, groups, algorithm});
  require(weight.shape(1) * groups == s.C, "weight must have the channels of x divided by groups");
  if (bias) require_shape(*bias, {s.K}, "bias must be (K)");
  const MaxPoolShape pool = pooling_behind(s, pooling);
  Array<Real> y = make_array<Real>({s.N, s.K, pool.OH, pool.OW});
  Array<uint8_t> window = make_array<uint8_t>({s.N, s.K, pool.OH, pool.OW});
  const Real *from = x.data(), *w = weight.data(), *b = data_or_null(bias);
  Real* to = y.mutable_data();
  uint8_t* places = window.mutable_data();
  {
    const py::gil_scoped_release release;
    conv2d_max_pool(s, pool, from, w, b, to, places);
  }
  return py::make_tuple(y, window);
}

// Which of the gradients by x, the weight and the bias are wanted.
using Wanted = std::tuple<bool, bool, bool>;

template <class Real>
py::tuple conv2d_max_pool_backward_array(const Array<Real>& grad_y, const Array<uint8_t>& window,
                                         const Array<Real>& x, const Array<Real>& weight, Pair stride,
                                         const Borders& padding, Pair dilation, int64_t groups,
                                         const std::string& algorithm, const Pooling& pooling,
                                         const Wanted& wanted) {
  require_4d(x, weight);
  const Conv2dShape s = make_shape(x.shape(0), x.shape(1), last_two(x), weight.shape(0), last_two(weight),
                                   {stride, padding, dilation, groups, algorithm});
  require(weight.shape(1) * groups == s.C, "weight must have the channels of x divided by groups");
  const MaxPoolShape pool = pooling_behind(s, pooling);
  require_shape(grad_y, {s.N, s.K, pool.OH, pool.OW}, "grad_y must have the shape of the output");
  require_shape(window, {s.N, s.K, pool.OH, pool.OW}, "window must have the shape of grad_y");
  const auto [by_x, by_weight, by_bias] = wanted;
  require(by_weight || !by_bias, "the gradient by the bias comes with that by the weight");
  MaybeArray<Real> grad_x, grad_weight, grad_bias;
  if (by_x) grad_x = make_array_like(x);
  if (by_weight) grad_weight = make_array_like(weight);
  if (by_bias) grad_bias = make_array<Real>({s.K});
  const auto place = [](MaybeArray<Real>& array) { return array ? array->mutable_data() : nullptr; };
  Real *to_x = place(grad_x), *to_weight = place(grad_weight), *to_bias = place(grad_bias);
  const Real *g = grad_y.data(), *from = x.data(), *w = weight.data();
  const uint8_t* places = window.data();
  {
    const py::gil_scoped_release release;
    conv2d_max_pool_backward(s, pool, g, places, from, w, to_x, to_weight, to_bias);
  }
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("conv2d", &conv2d_array<Real>, "x"_a.noconvert(), "weight"_a.noconvert(),
        "bias"_a.noconvert().none(true), "stride"_a, "padding"_a, "dilation"_a, "groups"_a, "algorithm"_a,
        "relu"_a);
  m.def("conv2d_backward_input", &conv2d_backward_input_array<Real>, "grad_y"_a.noconvert(),
        "weight"_a.noconvert(), "input_size"_a, "stride"_a, "padding"_a, "dilation"_a, "groups"_a,
        "algorithm"_a);
  m.def("conv2d_backward_weight", &conv2d_backward_weight_array<Real>, "grad_y"_a.noconvert(),
        "x"_a.noconvert(), "kernel_size"_a, "stride"_a, "padding"_a, "dilation"_a, "groups"_a, "algorithm"_a,
        "bias"_a);
  m.def("conv2d_backward", &conv2d_backward_array<Real>, "grad_y"_a.noconvert(), "x"_a.noconvert(),
        "weight"_a.noconvert(), "stride"_a, "padding"_a, "dilation"_a, "groups"_a, "algorithm"_a);
  m.def("conv2d_max_pool", &conv2d_max_pool_array<Real>, "x"_a.noconvert(), "weight"_a.noconvert(),
        "bias"_a.noconvert().none(true), "stride"_a, "padding"_a, "dilation"_a, "groups"_a, "algorithm"_a,
        "pooling"_a);
  m.def("conv2d_max_pool_backward", &conv2d_max_pool_backward_array<Real>, "grad_y"_a.noconvert(),
        "window"_a.noconvert(), "x"_a.noconvert(), "weight"_a.noconvert(), "stride"_a, "padding"_a,
        "dilation"_a, "groups"_a, "algorithm"_a, "pooling"_a, "wanted"_a);
}

}  // namespace

void register_conv(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
