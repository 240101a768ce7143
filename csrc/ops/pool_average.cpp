#include "ops/pool_average.h"

#include <algorithm>
#include <vector>

#include "dispatch.h"
#include "ops/pool_rows.h"
#include "parallel.h"

namespace unrolled {
namespace {

// The tables behind a kernel's view of one axis.
template <class Real>
class Axis {
 public:
  Axis(const AverageWindows& windows, bool count_include_pad) : windows_(windows) {
    for (int64_t o = 0; o < windows.outputs; ++o) add_window(o, count_include_pad);
    find_holders();
    const bool even = windows.adaptive && windows.size % windows.outputs == 0;
    if (even) windows_.kernel = windows_.stride = windows.size / windows.outputs;
    if (windows.adaptive) windows_.padding = 0;
    if (windows.adaptive && !even) windows_.kernel = windows_.stride = 0;
  }

  void divide_by(Real divisor) { std::fill(divisor_.begin(), divisor_.end(), divisor); }

  AverageAxis<Real> view() const {
    return {windows_.size, windows_.outputs, windows_.kernel, windows_.stride,     windows_.padding,
            first_.data(), last_.data(),     holders_.data(), holders_end_.data(), divisor_.data()};
  }

 private:
  void add_window(int64_t o, bool count_include_pad) {
    const AverageWindows& w = windows_;
    const int64_t start = w.adaptive ? o * w.size / w.outputs : o * w.stride - w.padding;
    const int64_t end = w.adaptive ? ((o + 1) * w.size + w.outputs - 1) / w.outputs
                                   : std::min(start + w.kernel, w.size + w.padding);
    first_.push_back(std::max<int64_t>(start, 0));
    last_.push_back(std::min(end, w.size));
    divisor_.push_back(static_cast<Real>(count_include_pad ? end - start : last_.back() - first_.back()));
  }

  // Windows begin and end in order, so those that hold an element are one run of them.
  void find_holders() {
    int64_t begin = 0, end = 0;
    for (int64_t i = 0; i < windows_.size; ++i) {
      while (end < windows_.outputs && first_[end] <= i) ++end;
      while (begin < end && last_[begin] <= i) ++begin;
      holders_.push_back(begin);
      holders_end_.push_back(end);
    }
  }

  AverageWindows windows_;
  std::vector<int64_t> first_, last_, holders_, holders_end_;
  std::vector<Real> divisor_;
};

template <class Real>
struct Axes {
  Axis<Real> rows, columns;

  explicit Axes(const AverageOptions& options)
      : rows(options.rows, options.count_include_pad), columns(options.columns, options.count_include_pad) {
    if (options.divisor_override == 0) return;
    rows.divide_by(static_cast<Real>(options.divisor_override));
    columns.divide_by(1);
  }

  AverageShape<Real> shape() const {
    constexpr int64_t kLanes = 64;  // more than any vector has
    const AverageAxis<Real> c = columns.view();
    const int64_t step = std::max<int64_t>(c.stride, 1);
    return {c.size + step * (c.outputs + kLanes) + 2 * (c.kernel + c.padding + kLanes), rows.view(), c};
  }
};

}  // namespace

template <class Real>
void average_pool2d(int64_t planes, const AverageOptions& options, const Real* x, Real* y) {
  const AveragePoolKernels<Real>& kernel = kernels<Real>().average_pool;
  const Axes<Real> axes(options);
  const AverageShape<Real> shape = axes.shape();
  const int64_t H = options.rows.size, W = options.columns.size, OH = options.rows.outputs;
  const int64_t OW = options.columns.outputs, grain = rows_per_task(std::max(H * W / OH, OW));
  parallel_runs(planes * OH, grain, planes * std::max(H * W, OH * OW), [&](int64_t begin, int64_t end) {
    Buffer<Real> scratch(shape.scratch);
    kernel.forward(shape, x, begin, end, scratch.data(), y + begin * OW);
  });
}

template <class Real>
void average_pool2d_backward(int64_t planes, const AverageOptions& options, const Real* grad_y,
                             Real* grad_x) {
  const AveragePoolKernels<Real>& kernel = kernels<Real>().average_pool;
  const Axes<Real> axes(options);
  const AverageShape<Real> shape = axes.shape();
  const int64_t H = options.rows.size, W = options.columns.size, OW = options.columns.outputs;
  const int64_t outputs = options.rows.outputs * OW, grain = rows_per_task(std::max(W, outputs / H));
  const bool stream = planes * H * W * static_cast<int64_t>(sizeof(Real)) >= kStreamBytes;
  parallel_runs(planes * H, grain, planes * std::max(H * W, outputs), [&](int64_t begin, int64_t end) {
    Buffer<Real> scratch(shape.scratch);
    if (!stream) return kernel.backward(shape, grad_y, begin, end, scratch.data(), grad_x + begin * W);
    const int64_t unit = std::max<int64_t>(options.rows.kernel, 1);
    stream_rows(begin, end, W, unit, grad_x, [&](int64_t first, int64_t last, Real* to) {
      kernel.backward(shape, grad_y, first, last, scratch.data(), to);
    });
  });
}

template void average_pool2d(int64_t, const AverageOptions&, const float*, float*);
template void average_pool2d(int64_t, const AverageOptions&, const double*, double*);
template void average_pool2d_backward(int64_t, const AverageOptions&, const float*, float*);
template void average_pool2d_backward(int64_t, const AverageOptions&, const double*, double*);

}  // namespace unrolled
