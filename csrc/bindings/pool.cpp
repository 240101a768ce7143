#include "ops/pool.h"

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

using Pair = std::pair<int64_t, int64_t>;

int64_t output_size(int64_t input, int64_t kernel, int64_t stride, int64_t padding) {
  require(kernel >= 1 && stride >= 1, "kernel_size and stride must be at least 1");
  require(padding >= 0 && 2 * padding <= kernel, "padding must be at most half of kernel_size");
  require(input + 2 * padding >= kernel, "the window is larger than the padded input");
  return (input + 2 * padding - kernel) / stride + 1;
}

PoolShape make_shape(Pair input, Pair kernel, Pair stride, Pair padding) {
  require(kernel.first * kernel.second <= 256, "kernel_size must have at most 256 elements");
  const int64_t OH = output_size(input.first, kernel.first, stride.first, padding.first);
  const int64_t OW = output_size(input.second, kernel.second, stride.second, padding.second);
  return {input.first,
          input.second,
          kernel.first,
          kernel.second,
          stride.first,
          stride.second,
          padding.first,
          padding.second,
          OH,
          OW};
}

template <class Real>
py::tuple max_pool2d_array(const Array<Real>& x, Pair kernel, Pair stride, Pair padding) {
  require(x.ndim() == 4, "x must be (N, C, H, W)");
  const PoolShape s = make_shape({x.shape(2), x.shape(3)}, kernel, stride, padding);
  const std::vector<int64_t> shape = {x.shape(0), x.shape(1), s.OH, s.OW};
  Array<Real> y = make_array<Real>(shape);
  Array<uint8_t> window = make_array<uint8_t>(shape);
  const int64_t planes = shape[0] * shape[1];
  const Real* from = x.data();
  Real* to = y.mutable_data();
  uint8_t* places = window.mutable_data();
  {
    const py::gil_scoped_release release;
    max_pool2d(planes, s, from, to, places);
  }
  return py::make_tuple(y, window);
}

// A foreign `window` must not write outside grad_x. Without padding every place within the window is inside.
void require_places(const uint8_t* window, int64_t n, const PoolShape& s) {
  constexpr const char* kMessage = "window does not belong to this input_size and kernel_size";
  uint8_t largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, window[i]);
  require(largest < s.kernel_h * s.kernel_w, kMessage);
  if (s.pad_h == 0 && s.pad_w == 0) return;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t oh = i / s.OW % s.OH, ow = i % s.OW, place = window[i];
    const int64_t h = oh * s.stride_h - s.pad_h + place / s.kernel_w;
    const int64_t w = ow * s.stride_w - s.pad_w + place % s.kernel_w;
    require(h >= 0 && h < s.H && w >= 0 && w < s.W, kMessage);
  }
}

template <class Real>
Array<Real> max_pool2d_backward_array(const Array<Real>& grad_y, const Array<uint8_t>& window,
                                      Pair input_size, Pair kernel, Pair stride, Pair padding) {
  require(grad_y.ndim() == 4, "grad_y must be (N, C, OH, OW)");
  const PoolShape s = make_shape(input_size, kernel, stride, padding);
  const int64_t N = grad_y.shape(0), C = grad_y.shape(1);
  require_shape(grad_y, {N, C, s.OH, s.OW}, "grad_y must have the shape of the output");
  require_shape(window, {N, C, s.OH, s.OW}, "window must have the shape of grad_y");
  Array<Real> grad_x = make_array<Real>({N, C, s.H, s.W});
  const Real* g = grad_y.data();
  const uint8_t* places = window.data();
  Real* to = grad_x.mutable_data();
  const py::gil_scoped_release release;
  require_places(places, window.size(), s);
  max_pool2d_backward(N * C, s, g, places, to);
  return grad_x;
}

template <class Real>
void register_of(py::module_& m) {
  m.def("max_pool2d", &max_pool2d_array<Real>, "x"_a.noconvert(), "kernel_size"_a, "stride"_a, "padding"_a);
  m.def("max_pool2d_backward", &max_pool2d_backward_array<Real>, "grad_y"_a.noconvert(),
        "window"_a.noconvert(), "input_size"_a, "kernel_size"_a, "stride"_a, "padding"_a);
}

}  // namespace

void register_pool(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
