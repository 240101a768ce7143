#include "ops/upsample.h"

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

// (first, second, first_weight) of one axis.
template <class Real>
using AxisArrays = std::tuple<Array<int64_t>, Array<int64_t>, Array<Real>>;

template <class Real>
ResampleAxis<Real> make_axis(const AxisArrays<Real>& arrays, int64_t inputs) {
  const auto& [first, second, weight] = arrays;
  require(first.ndim() == 1, "first must have one axis");
  const int64_t outputs = first.shape(0);
  require_shape(second, {outputs}, "second must have the shape of first");
  require_shape(weight, {outputs}, "first_weight must have the shape of first");
  for (int64_t o = 0; o < outputs; ++o) {
    require(first.at(o) >= 0 && first.at(o) < inputs, "first must lie within the axis");
    require(second.at(o) >= 0 && second.at(o) < inputs, "second must lie within the axis");
  }
  return {inputs, outputs, first.data(), second.data(), weight.data()};
}

template <class Real>
Array<Real> resample_array(const Array<Real>& x, const AxisArrays<Real>& rows,
                           const AxisArrays<Real>& columns) {
  require(x.ndim() == 3, "x must be (planes, H, W)");
  const ResampleAxis<Real> down = make_axis(rows, x.shape(1)), across = make_axis(columns, x.shape(2));
  const int64_t planes = x.shape(0);
  Array<Real> y = make_array<Real>({planes, down.outputs, across.outputs});
  const Real* from = x.data();
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  resample(planes, down, across, from, to);
  return y;
}

template <class Real>
Array<Real> resample_backward_array(const Array<Real>& grad_y, std::pair<int64_t, int64_t> input_size,
                                    const AxisArrays<Real>& rows, const AxisArrays<Real>& columns) {
  require(grad_y.ndim() == 3, "grad_y must be (planes, OH, OW)");
  require(input_size.first >= 0 && input_size.second >= 0, "input_size must not be negative");
  const ResampleAxis<Real> down = make_axis(rows, input_size.first),
                           across = make_axis(columns, input_size.second);
  const int64_t planes = grad_y.shape(0);
  require_shape(grad_y, {planes, down.outputs, across.outputs}, "grad_y must have the shape of y");
  Array<Real> grad_x = make_array<Real>({planes, down.inputs, across.inputs});
  const Real* from = grad_y.data();
  Real* to = grad_x.mutable_data();
  const py::gil_scoped_release release;
  resample_backward(planes, down, across, from, to);
  return grad_x;
}

template <class Real>
void register_of(py::module_& m) {
  m.def("resample", &resample_array<Real>, "x"_a.noconvert(), "rows"_a.noconvert(), "columns"_a.noconvert());
  m.def("resample_backward", &resample_backward_array<Real>, "grad_y"_a.noconvert(), "input_size"_a,
        "rows"_a.noconvert(), "columns"_a.noconvert());
}

}  // namespace

void register_upsample(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
