#include "ops/softmax.h"

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

template <class Real>
int64_t row_size(const Array<Real>& x) {
  require(x.ndim() >= 1, "x must have at least one axis");
  return x.shape(x.ndim() - 1);
}

template <class Real, bool logarithm>
Array<Real> softmax_array(const Array<Real>& x) {
  const int64_t C = row_size(x), rows = C == 0 ? 0 : x.size() / C;
  Array<Real> y = make_array_like(x);
  const Real* from = x.data();
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  softmax(logarithm, rows, C, from, to);
  return y;
}

template <class Real, bool logarithm>
Array<Real> softmax_backward_array(const Array<Real>& grad_y, const Array<Real>& y) {
  const int64_t C = row_size(y), rows = C == 0 ? 0 : y.size() / C;
  require(grad_y.size() == y.size(), "grad_y must have the shape of y");
  Array<Real> grad_x = make_array_like(y);
  const Real *g = grad_y.data(), *from = y.data();
  Real* to = grad_x.mutable_data();
  const py::gil_scoped_release release;
  softmax_backward(logarithm, rows, C, g, from, to);
  return grad_x;
}

template <class Real>
void register_of(py::module_& m) {
  m.def("softmax", &softmax_array<Real, false>, "x"_a.noconvert());
  m.def("log_softmax", &softmax_array<Real, true>, "x"_a.noconvert());
  m.def("softmax_backward", &softmax_backward_array<Real, false>, "grad_y"_a.noconvert(), "y"_a.noconvert());
  m.def("log_softmax_backward", &softmax_backward_array<Real, true>, "grad_y"_a.noconvert(),
        "y"_a.noconvert());
}

}  // namespace

void register_softmax(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
