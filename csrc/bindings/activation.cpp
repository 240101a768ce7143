#include "ops/activation.h"

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "ops/relu.h"

namespace unrolled {
namespace {

template <class Real, Unary function>
Array<Real> unary_array(const Array<Real>& x) {
  Array<Real> y = make_array_like(x);
  const int64_t n = x.size();
  const Real* from = x.data();
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  unary(function, n, from, to);
  return y;
}

// The axes of a batch of channels: (N, C, inner).
template <class Real>
int64_t inner_size(const Array<Real>& x) {
  require(x.ndim() >= 2, "x must be (N, C, ...)");
  int64_t inner = 1;
  for (py::ssize_t axis = 2; axis < x.ndim(); ++axis) inner *= x.shape(axis);
  return inner;
}

template <class Real>
Array<Real> relu_array(const Array<Real>& x) {
  Array<Real> y = make_array_like(x);
  const int64_t n = x.size();
  const Real* from = x.data();
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  relu(n, from, to);
  return y;
}

template <class Real>
Array<Real> relu_backward_array(const Array<Real>& grad_y, const Array<Real>& y) {
  require(grad_y.size() == y.size(), "grad_y must have the shape of y");
  Array<Real> grad_x = make_array_like(y);
  const int64_t n = y.size();
  const Real *g = grad_y.data(), *from = y.data();
  Real* to = grad_x.mutable_data();
  const py::gil_scoped_release release;
  relu_backward(n, g, from, to);
  return grad_x;
}

template <class Real>
Array<Real> bias_relu_array(const Array<Real>& x, const Array<Real>& bias) {
  const int64_t inner = inner_size(x), N = x.shape(0), C = x.shape(1);
  require_shape(bias, {C}, "bias must be (C)");
  Array<Real> y = make_array_like(x);
  const Real *from = x.data(), *b = bias.data();
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  bias_relu(N, C, inner, from, b, to);
  return y;
}

template <class Real>
py::tuple bias_relu_backward_array(const Array<Real>& grad_y, const Array<Real>& y) {
  const int64_t inner = inner_size(y), N = y.shape(0), C = y.shape(1);
  require(grad_y.size() == y.size(), "grad_y must have the shape of y");
  Array<Real> grad_x = make_array_like(y), grad_bias = make_array<Real>({C});
  const Real *g = grad_y.data(), *from = y.data();
  Real *to = grad_x.mutable_data(), *to_bias = grad_bias.mutable_data();
  {
    const py::gil_scoped_release release;
    bias_relu_backward(N, C, inner, g, from, to, to_bias);
  }
  return py::make_tuple(grad_x, grad_bias);
}

template <class Real>
using CurveMember = Curve<Real> ActivationKernels<Real>::*;

template <class Real>
Array<Real> curve_array(CurveMember<Real> curve, const Array<Real>& x, double a, double b) {
  Array<Real> y = make_array_like(x);
  const int64_t n = x.size();
  const Real* values = x.data();
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  activate(curve, n, values, a, b, to);
  return y;
}

template <class Real>
Array<Real> curve_backward_array(CurveMember<Real> curve, const Array<Real>& grad_y, const Array<Real>& from,
                                 double a, double b) {
  require(grad_y.size() == from.size(), "grad_y must have the shape of x or y");
  Array<Real> grad_x = make_array_like(from);
  const int64_t n = from.size();
  const Real *g = grad_y.data(), *values = from.data();
  Real* to = grad_x.mutable_data();
  const py::gil_scoped_release release;
  activate_backward(curve, n, g, values, a, b, to);
  return grad_x;
}

// name(x, a, b) unless it is registered already, and name_backward(grad_y, x or y, a, b)
template <class Real>
void register_curve(py::module_& m, const std::string& name, CurveMember<Real> curve, const char* from) {
  const bool known = std::string(from) == "y";
  if (!known) {
    m.def(
        name.c_str(),
        [curve](const Array<Real>& x, double a, double b) { return curve_array(curve, x, a, b); },
        "x"_a.noconvert(), "a"_a = 0.0, "b"_a = 0.0);
  }
  m.def((name + "_backward").c_str(),
        [curve](const Array<Real>& grad_y, const Array<Real>& values, double a, double b) {
          return curve_backward_array(curve, grad_y, values, a, b);
        },
        "grad_y"_a.noconvert(), py::arg(from).noconvert(), "a"_a = 0.0, "b"_a = 0.0);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("exp", &unary_array<Real, Unary::exp>, "x"_a.noconvert());
  m.def("log", &unary_array<Real, Unary::log>, "x"_a.noconvert());
  m.def("tanh", &unary_array<Real, Unary::tanh>, "x"_a.noconvert());
  m.def("sigmoid", &unary_array<Real, Unary::sigmoid>, "x"_a.noconvert());
  m.def("relu", &relu_array<Real>, "x"_a.noconvert());
  m.def("relu_backward", &relu_backward_array<Real>, "grad_y"_a.noconvert(), "y"_a.noconvert());
  m.def("bias_relu", &bias_relu_array<Real>, "x"_a.noconvert(), "bias"_a.noconvert());
  m.def("bias_relu_backward", &bias_relu_backward_array<Real>, "grad_y"_a.noconvert(), "y"_a.noconvert());
  using Kernels = ActivationKernels<Real>;
  register_curve<Real>(m, "tanh", &Kernels::tanh_curve, "y");
  register_curve<Real>(m, "sigmoid", &Kernels::sigmoid_curve, "y");
  register_curve<Real>(m, "leaky_relu", &Kernels::leaky_relu, "x");
  register_curve<Real>(m, "elu", &Kernels::elu, "x");
  register_curve<Real>(m, "gelu", &Kernels::gelu, "x");
  register_curve<Real>(m, "gelu_tanh", &Kernels::gelu_tanh, "x");
  register_curve<Real>(m, "silu", &Kernels::silu, "x");
  register_curve<Real>(m, "softplus", &Kernels::softplus, "x");
}

}  // namespace

void register_activation(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
