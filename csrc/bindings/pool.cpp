#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/pool_shape.h"
#include "bindings/register.h"
#include "ops/pool_adaptive_max.h"
#include "ops/pool_average.h"
#include "ops/pool_max.h"

namespace unrolled {
namespace {

template <class Real>
Pair image_size(const Array<Real>& x) {
  require(x.ndim() == 4, "x must be (N, C, H, W)");
  return {x.shape(2), x.shape(3)};
}

// y, and where in its window each of its elements stands.
template <class Place, class Real, class Shape>
py::tuple winners(const Array<Real>& x, const Shape& s,
                  void (*pool)(const Shape&, const Real*, Real*, Place*)) {
  const std::vector<int64_t> shape = {x.shape(0), x.shape(1), s.OH, s.OW};
  Array<Real> y = make_array<Real>(shape);
  Array<Place> window = make_array<Place>(shape);
  const Real* from = x.data();
  Real* to = y.mutable_data();
  Place* places = window.mutable_data();
  {
    const py::gil_scoped_release release;
    pool(s, from, to, places);
  }
  return py::make_tuple(y, window);
}

template <class Real, class Place, class Shape>
Array<Real> to_winners(const Array<Real>& grad_y, const Array<Place>& window, const Shape& s,
                       void (*pool)(const Shape&, const Real*, const Place*, Real*)) {
  const int64_t N = grad_y.shape(0), C = grad_y.shape(1);
  require_shape(grad_y, {N, C, s.OH, s.OW}, "grad_y must have the shape of the output");
  require_shape(window, {N, C, s.OH, s.OW}, "window must have the shape of grad_y");
  Array<Real> grad_x = make_array<Real>({N, C, s.H, s.W});
  const Real* g = grad_y.data();
  const Place* places = window.data();
  Real* to = grad_x.mutable_data();
  const py::gil_scoped_release release;
  pool(s, g, places, to);
  return grad_x;
}

template <class Real>
py::tuple max_pool2d_array(const Array<Real>& x, Pair kernel, Pair stride, Pair padding, Pair dilation,
                           bool ceil_mode, bool relu) {
  const Pair size = image_size(x);
  const int64_t planes = x.shape(0) * x.shape(1);
  return winners<uint8_t>(x, max_pool_shape(planes, size, kernel, stride, padding, dilation, ceil_mode, relu),
                          &max_pool2d<Real>);
}

template <class Real>
Array<Real> max_pool2d_backward_array(const Array<Real>& grad_y, const Array<uint8_t>& window,
                                      Pair input_size, Pair kernel, Pair stride, Pair padding, Pair dilation,
                                      bool ceil_mode, bool relu) {
  require(grad_y.ndim() == 4, "grad_y must be (N, C, OH, OW)");
  const int64_t planes = grad_y.shape(0) * grad_y.shape(1);
  return to_winners(grad_y, window,
                    max_pool_shape(planes, input_size, kernel, stride, padding, dilation, ceil_mode, relu),
                    &max_pool2d_backward<Real>);
}

AverageOptions average_options(Pair input, Pair kernel, Pair stride, Pair padding, bool ceil_mode,
                               bool count_include_pad, int64_t divisor_override) {
  const auto axis = [ceil_mode](int64_t size, int64_t k, int64_t step, int64_t pad) {
    return AverageWindows{size, pooled_size(size, k, step, pad, 1, ceil_mode), k, step, pad, false};
  };
  return {axis(input.first, kernel.first, stride.first, padding.first),
          axis(input.second, kernel.second, stride.second, padding.second), count_include_pad,
          divisor_override};
}

AverageOptions adaptive_options(Pair input, Pair output) {
  require(input.first >= 1 && input.second >= 1, "images must have at least one pixel");
  require(output.first >= 1 && output.second >= 1, "output_size must be at least 1");
  require(std::max({input.first, input.second, output.first, output.second}) <= kLargest,
          "sizes must be below 2^31");
  return {{input.first, output.first, 0, 0, 0, true}, {input.second, output.second, 0, 0, 0, true}, false, 0};
}

template <class Real>
Array<Real> average(const Array<Real>& x, const AverageOptions& options) {
  Array<Real> y = make_array<Real>({x.shape(0), x.shape(1), options.rows.outputs, options.columns.outputs});
  const int64_t planes = x.shape(0) * x.shape(1);
  const Real* from = x.data();
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  average_pool2d(planes, options, from, to);
  return y;
}

template <class Real>
Array<Real> average_backward(const Array<Real>& grad_y, const AverageOptions& options) {
  const int64_t N = grad_y.shape(0), C = grad_y.shape(1);
  require_shape(grad_y, {N, C, options.rows.outputs, options.columns.outputs},
                "grad_y must have the shape of the output");
  Array<Real> grad_x = make_array<Real>({N, C, options.rows.size, options.columns.size});
  const Real* g = grad_y.data();
  Real* to = grad_x.mutable_data();
  const py::gil_scoped_release release;
  average_pool2d_backward(N * C, options, g, to);
  return grad_x;
}

template <class Real>
Array<Real> avg_pool2d_array(const Array<Real>& x, Pair kernel, Pair stride, Pair padding, bool ceil_mode,
                             bool count_include_pad, int64_t divisor_override) {
  const Pair size = image_size(x);
  return average(
      x, average_options(size, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override));
}

template <class Real>
Array<Real> avg_pool2d_backward_array(const Array<Real>& grad_y, Pair input_size, Pair kernel, Pair stride,
                                      Pair padding, bool ceil_mode, bool count_include_pad,
                                      int64_t divisor_override) {
  require(grad_y.ndim() == 4, "grad_y must be (N, C, OH, OW)");
  return average_backward(grad_y, average_options(input_size, kernel, stride, padding, ceil_mode,
                                                  count_include_pad, divisor_override));
}

template <class Real>
Array<Real> adaptive_avg_pool2d_array(const Array<Real>& x, Pair output_size) {
  return average(x, adaptive_options(image_size(x), output_size));
}

template <class Real>
Array<Real> adaptive_avg_pool2d_backward_array(const Array<Real>& grad_y, Pair input_size) {
  require(grad_y.ndim() == 4, "grad_y must be (N, C, OH, OW)");
  return average_backward(grad_y, adaptive_options(input_size, {grad_y.shape(2), grad_y.shape(3)}));
}

AdaptiveShape adaptive_shape(int64_t planes, Pair input, Pair output) {
  adaptive_options(input, output);
  return {planes, input.first, input.second, output.first, output.second};
}

template <class Real>
py::tuple adaptive_max_pool2d_array(const Array<Real>& x, Pair output_size) {
  const AdaptiveShape s = adaptive_shape(x.shape(0) * x.shape(1), image_size(x), output_size);
  const int64_t largest = largest_window(s);
  require(largest <= kLargest, "output_size makes windows of more than 2^31 elements");
  if (largest <= 256) return winners<uint8_t>(x, s, &adaptive_max_pool2d<Real, uint8_t>);
  return winners<int32_t>(x, s, &adaptive_max_pool2d<Real, int32_t>);
}

template <class Real, class Place>
Array<Real> adaptive_max_pool2d_backward_array(const Array<Real>& grad_y, const Array<Place>& window,
                                               Pair input_size) {
  require(grad_y.ndim() == 4, "grad_y must be (N, C, OH, OW)");
  const int64_t planes = grad_y.shape(0) * grad_y.shape(1);
  const AdaptiveShape s = adaptive_shape(planes, input_size, {grad_y.shape(2), grad_y.shape(3)});
  require(sizeof(Place) > 1 || largest_window(s) <= 256, "window must be int32 for windows of this size");
  return to_winners(grad_y, window, s, &adaptive_max_pool2d_backward<Real, Place>);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("max_pool2d", &max_pool2d_array<Real>, "x"_a.noconvert(), "kernel_size"_a, "stride"_a, "padding"_a,
        "dilation"_a, "ceil_mode"_a, "relu"_a);
  m.def("max_pool2d_backward", &max_pool2d_backward_array<Real>, "grad_y"_a.noconvert(),
        "window"_a.noconvert(), "input_size"_a, "kernel_size"_a, "stride"_a, "padding"_a, "dilation"_a,
        "ceil_mode"_a, "relu"_a);
  m.def("avg_pool2d", &avg_pool2d_array<Real>, "x"_a.noconvert(), "kernel_size"_a, "stride"_a, "padding"_a,
        "ceil_mode"_a, "count_include_pad"_a, "divisor_override"_a);
  m.def("avg_pool2d_backward", &avg_pool2d_backward_array<Real>, "grad_y"_a.noconvert(), "input_size"_a,
        "kernel_size"_a, "stride"_a, "padding"_a, "ceil_mode"_a, "count_include_pad"_a, "divisor_override"_a);
  m.def("adaptive_avg_pool2d", &adaptive_avg_pool2d_array<Real>, "x"_a.noconvert(), "output_size"_a);
  m.def("adaptive_avg_pool2d_backward", &adaptive_avg_pool2d_backward_array<Real>, "grad_y"_a.noconvert(),
        "input_size"_a);
  m.def("adaptive_max_pool2d", &adaptive_max_pool2d_array<Real>, "x"_a.noconvert(), "output_size"_a);
  m.def("adaptive_max_pool2d_backward", &adaptive_max_pool2d_backward_array<Real, uint8_t>,
        "grad_y"_a.noconvert(), "window"_a.noconvert(), "input_size"_a);
  m.def("adaptive_max_pool2d_backward", &adaptive_max_pool2d_backward_array<Real, int32_t>,
        "grad_y"_a.noconvert(), "window"_a.noconvert(), "input_size"_a);
}

}  // namespace

void register_pool(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
