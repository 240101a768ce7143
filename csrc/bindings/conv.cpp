#include "ops/conv.h"

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

using Pair = std::pair<int64_t, int64_t>;

int64_t output_size(int64_t input, int64_t kernel, int64_t stride, int64_t padding) {
  require(stride >= 1, "stride must be at least 1");
  require(padding >= 0, "padding must not be negative");
  require(kernel >= 1, "kernel_size must be at least 1");
  require(input + 2 * padding >= kernel, "the kernel is larger than the padded input");
  return (input + 2 * padding - kernel) / stride + 1;
}

Conv2dShape make_shape(int64_t N, Pair input, const Pair& kernel, int64_t K, int64_t C, Pair stride,
                       Pair padding) {
  const auto [H, W] = input;
  const auto [R, S] = kernel;
  const int64_t OH = output_size(H, R, stride.first, padding.first);
  const int64_t OW = output_size(W, S, stride.second, padding.second);
  return {N, C, H, W, K, R, S, stride.first, stride.second, padding.first, padding.second, OH, OW};
}

template <class Real>
void require_4d(const Array<Real>& x, const Array<Real>& weight) {
  require(x.ndim() == 4 && weight.ndim() == 4, "both arrays must have four axes");
}

template <class Real>
Array<Real> conv2d_array(const Array<Real>& x, const Array<Real>& weight, const MaybeArray<Real>& bias,
                         Pair stride, Pair padding) {
  require_4d(x, weight);
  require(x.shape(1) == weight.shape(1), "x and weight must have the same number of channels");
  const Conv2dShape s = make_shape(x.shape(0), {x.shape(2), x.shape(3)}, {weight.shape(2), weight.shape(3)},
                                   weight.shape(0), x.shape(1), stride, padding);
  if (bias) require_shape(*bias, {s.K}, "bias must be (K)");
  Array<Real> y = make_array<Real>({s.N, s.K, s.OH, s.OW});
  const Real *from = x.data(), *w = weight.data(), *b = data_or_null(bias);
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  conv2d(s, from, w, b, to);
  return y;
}

template <class Real>
Array<Real> conv2d_backward_input_array(const Array<Real>& grad_y, const Array<Real>& weight, Pair input_size,
                                        Pair stride, Pair padding) {
  require_4d(grad_y, weight);
  const Conv2dShape s = make_shape(grad_y.shape(0), input_size, {weight.shape(2), weight.shape(3)},
                                   weight.shape(0), weight.shape(1), stride, padding);
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
                                       Pair stride, Pair padding) {
  require_4d(grad_y, x);
  const Conv2dShape s = make_shape(x.shape(0), {x.shape(2), x.shape(3)}, kernel_size, grad_y.shape(1),
                                   x.shape(1), stride, padding);
  require_shape(grad_y, {s.N, s.K, s.OH, s.OW}, "grad_y must have the shape of the output");
  Array<Real> grad_weight = make_array<Real>({s.K, s.C, s.R, s.S}), grad_bias = make_array<Real>({s.K});
  const Real *g = grad_y.data(), *from = x.data();
  Real *to = grad_weight.mutable_data(), *to_bias = grad_bias.mutable_data();
  {
    const py::gil_scoped_release release;
    conv2d_backward_weight(s, g, from, to, to_bias);
  }
  return py::make_tuple(grad_weight, grad_bias);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("conv2d", &conv2d_array<Real>, "x"_a.noconvert(), "weight"_a.noconvert(),
        "bias"_a.noconvert().none(true), "stride"_a, "padding"_a);
  m.def("conv2d_backward_input", &conv2d_backward_input_array<Real>, "grad_y"_a.noconvert(),
        "weight"_a.noconvert(), "input_size"_a, "stride"_a, "padding"_a);
  m.def("conv2d_backward_weight", &conv2d_backward_weight_array<Real>, "grad_y"_a.noconvert(),
        "x"_a.noconvert(), "kernel_size"_a, "stride"_a, "padding"_a);
}

}  // namespace

void register_conv(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
