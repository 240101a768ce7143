#include "ops/norm.h"

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

template <class Real>
BatchNormShape make_shape(const Array<Real>& x, double eps) {
  require(x.ndim() >= 2, "x must be (N, C, ...)");
  int64_t inner = 1;
  for (py::ssize_t axis = 2; axis < x.ndim(); ++axis) inner *= x.shape(axis);
  return {x.shape(0), x.shape(1), inner, eps};
}

template <class Real>
void require_channels(const MaybeArray<Real>& array, int64_t C) {
  if (array) require_shape(*array, {C}, "mean, var, weight and bias must be (C)");
}

template <class Real>
py::tuple batch_norm_training_array(const Array<Real>& x, const MaybeArray<Real>& weight,
                                    const MaybeArray<Real>& bias, double eps) {
  const BatchNormShape s = make_shape(x, eps);
  require(s.N * s.inner > 0, "x must have at least one value a channel");
  for (const MaybeArray<Real>& array : {weight, bias}) require_channels(array, s.C);
  Array<Real> y = make_array_like(x), mean = make_array<Real>({s.C}), var = make_array<Real>({s.C});
  const Real *from = x.data(), *w = data_or_null(weight), *b = data_or_null(bias);
  Real *to = y.mutable_data(), *to_mean = mean.mutable_data(), *to_var = var.mutable_data();
  {
    const py::gil_scoped_release release;
    batch_norm_training(s, from, w, b, to, to_mean, to_var);
  }
  return py::make_tuple(y, mean, var);
}

template <class Real>
Array<Real> batch_norm_array(const Array<Real>& x, const Array<Real>& mean, const Array<Real>& var,
                             const MaybeArray<Real>& weight, const MaybeArray<Real>& bias, double eps) {
  const BatchNormShape s = make_shape(x, eps);
  for (const MaybeArray<Real>& array : {MaybeArray<Real>(mean), MaybeArray<Real>(var), weight, bias}) {
    require_channels(array, s.C);
  }
  Array<Real> y = make_array_like(x);
  const Real *from = x.data(), *m = mean.data(), *v = var.data(), *w = data_or_null(weight),
             *b = data_or_null(bias);
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  batch_norm(s, from, m, v, w, b, to);
  return y;
}

template <class Real>
py::tuple batch_norm_backward_array(const Array<Real>& grad_y, const Array<Real>& x, const Array<Real>& mean,
                                    const Array<Real>& var, const MaybeArray<Real>& weight, double eps,
                                    bool training) {
  const BatchNormShape s = make_shape(x, eps);
  require(grad_y.size() == x.size(), "grad_y must have the shape of x");
  for (const MaybeArray<Real>& array : {MaybeArray<Real>(mean), MaybeArray<Real>(var), weight}) {
    require_channels(array, s.C);
  }
  Array<Real> grad_x = make_array_like(x), grad_weight = make_array<Real>({s.C}),
              grad_bias = make_array<Real>({s.C});
  const Real *g = grad_y.data(), *from = x.data(), *m = mean.data(), *v = var.data(),
             *w = data_or_null(weight);
  Real *to = grad_x.mutable_data(), *to_weight = grad_weight.mutable_data(),
       *to_bias = grad_bias.mutable_data();
  {
    const py::gil_scoped_release release;
    batch_norm_backward(s, training, g, from, m, v, w, to, to_weight, to_bias);
  }
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

template <class Real>
void require_rows(const Array<Real>& x, std::initializer_list<MaybeArray<Real>> affine) {
  require(x.ndim() == 2 && x.shape(1) >= 1, "x must be (rows, D), D >= 1");
  for (const MaybeArray<Real>& array : affine) {
    if (array) require_shape(*array, {x.shape(1)}, "weight and bias must be (D)");
  }
}

template <class Real>
py::tuple layer_norm_array(const Array<Real>& x, const MaybeArray<Real>& weight, const MaybeArray<Real>& bias,
                           double eps) {
  require_rows(x, {weight, bias});
  const int64_t rows = x.shape(0), D = x.shape(1);
  Array<Real> y = make_array_like(x), mean = make_array<Real>({rows}), inverse = make_array<Real>({rows});
  const Real *from = x.data(), *w = data_or_null(weight), *b = data_or_null(bias);
  Real *to = y.mutable_data(), *to_mean = mean.mutable_data(), *to_inverse = inverse.mutable_data();
  {
    const py::gil_scoped_release release;
    layer_norm(rows, D, eps, from, w, b, to, to_mean, to_inverse);
  }
  return py::make_tuple(y, mean, inverse);
}

template <class Real>
py::tuple layer_norm_backward_array(const Array<Real>& grad_y, const Array<Real>& x,
                                    const MaybeArray<Real>& weight, const Array<Real>& mean,
                                    const Array<Real>& inverse) {
  require_rows(x, {weight});
  const int64_t rows = x.shape(0), D = x.shape(1);
  require_shape(grad_y, {rows, D}, "grad_y must have the shape of x");
  require_shape(mean, {rows}, "mean must be (rows)");
  require_shape(inverse, {rows}, "inverse must be (rows)");
  Array<Real> grad_x = make_array_like(x), grad_weight = make_array<Real>({D}),
              grad_bias = make_array<Real>({D});
  const Real *g = grad_y.data(), *from = x.data(), *w = data_or_null(weight), *m = mean.data(),
             *i = inverse.data();
  Real *to = grad_x.mutable_data(), *to_weight = grad_weight.mutable_data(),
       *to_bias = grad_bias.mutable_data();
  {
    const py::gil_scoped_release release;
    layer_norm_backward(rows, D, g, from, w, m, i, to, to_weight, to_bias);
  }
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("batch_norm_training", &batch_norm_training_array<Real>, "x"_a.noconvert(),
        "weight"_a.noconvert().none(true), "bias"_a.noconvert().none(true), "eps"_a);
  m.def("batch_norm", &batch_norm_array<Real>, "x"_a.noconvert(), "mean"_a.noconvert(), "var"_a.noconvert(),
        "weight"_a.noconvert().none(true), "bias"_a.noconvert().none(true), "eps"_a);
  m.def("batch_norm_backward", &batch_norm_backward_array<Real>, "grad_y"_a.noconvert(), "x"_a.noconvert(),
        "mean"_a.noconvert(), "var"_a.noconvert(), "weight"_a.noconvert().none(true), "eps"_a, "training"_a);
  m.def("layer_norm", &layer_norm_array<Real>, "x"_a.noconvert(), "weight"_a.noconvert().none(true),
        "bias"_a.noconvert().none(true), "eps"_a);
  m.def("layer_norm_backward", &layer_norm_backward_array<Real>, "grad_y"_a.noconvert(), "x"_a.noconvert(),
        "weight"_a.noconvert().none(true), "mean"_a.noconvert(), "inverse"_a.noconvert());
}

}  // namespace

void register_norm(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
