#include "ops/loss.h"

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

Reduction reduction_of(const std::string& name) {
  require(name == "none" || name == "mean" || name == "sum", "reduction must be none, mean or sum");
  return name == "none" ? Reduction::none : name == "mean" ? Reduction::mean : Reduction::sum;
}

template <class Real>
CrossEntropyShape<Real> make_shape(const Array<Real>& x, const MaybeArray<Real>& weight,
                                   double label_smoothing, int64_t ignored, const std::string& reduction) {
  const py::ssize_t class_axis = x.ndim() > 1;
  require(x.ndim() >= 1 && x.shape(class_axis) >= 1, "x must be (C) or (N, C, ...) with at least one class");
  int64_t inner = 1;
  for (py::ssize_t axis = 2; axis < x.ndim(); ++axis) inner *= x.shape(axis);
  if (weight) require_shape(*weight, {x.shape(class_axis)}, "weight must be (C)");
  return {x.ndim() > 1 ? x.shape(0) : 1, x.shape(class_axis), inner,
          data_or_null(weight),          label_smoothing,     ignored,
          reduction_of(reduction)};
}

// The axes of x without that of the classes.
template <class Real>
std::vector<int64_t> positions_of(const Array<Real>& x) {
  std::vector<int64_t> shape(x.shape(), x.shape() + x.ndim());
  shape.erase(shape.begin() + (x.ndim() > 1));
  return shape;
}

// The losses of all positions for "none", else their reduction as a float.
template <class Real, class Run>
py::tuple run_loss(const Array<Real>& x, const std::vector<int64_t>& positions, bool keep_losses,
                   bool with_grad, Run run) {
  MaybeArray<Real> losses, grad;
  if (keep_losses) losses = make_array<Real>(positions);
  if (with_grad) grad = make_array_like(x);
  Real* to = losses ? losses->mutable_data() : nullptr;
  Real* to_grad = grad ? grad->mutable_data() : nullptr;
  double loss = 0;
  {
    const py::gil_scoped_release release;
    loss = run(to, to_grad);
  }
  if (keep_losses) return py::make_tuple(losses, grad);
  return py::make_tuple(loss, grad);
}

template <class Real>
py::tuple labelled(const Array<Real>& x, const Array<int64_t>& target, const MaybeArray<Real>& weight,
                   int64_t ignore_index, double label_smoothing, const std::string& reduction,
                   bool with_grad) {
  const CrossEntropyShape<Real> s = make_shape(x, weight, label_smoothing, ignore_index, reduction);
  require(target.size() == s.N * s.inner, "target must be (N, ...)");
  const Real* from = x.data();
  const int64_t* labels = target.data();
  return run_loss(
      x, positions_of(x), s.reduction == Reduction::none, with_grad,
      [=](Real* to, Real* to_grad) { return cross_entropy<Real>(s, from, labels, nullptr, to, to_grad); });
}

template <class Real>
py::tuple mixture(const Array<Real>& x, const Array<Real>& target, const MaybeArray<Real>& weight,
                  double label_smoothing, const std::string& reduction, bool with_grad) {
  const CrossEntropyShape<Real> s = make_shape(x, weight, label_smoothing, 0, reduction);
  require(target.size() == x.size(), "target must have the shape of x");
  const Real *from = x.data(), *to_compare = target.data();
  return run_loss(x, positions_of(x), s.reduction == Reduction::none, with_grad,
                  [=](Real* to, Real* to_grad) {
                    return cross_entropy<Real>(s, from, nullptr, to_compare, to, to_grad);
                  });
}

template <class Real>
py::tuple nll_array(const Array<Real>& x, const Array<int64_t>& target, const MaybeArray<Real>& weight,
                    int64_t ignore_index, const std::string& reduction, bool with_grad) {
  const CrossEntropyShape<Real> s = make_shape(x, weight, 0, ignore_index, reduction);
  require(target.size() == s.N * s.inner, "target must be (N, ...)");
  const Real* from = x.data();
  const int64_t* labels = target.data();
  return run_loss(x, positions_of(x), s.reduction == Reduction::none, with_grad,
                  [=](Real* to, Real* to_grad) { return nll<Real>(s, from, labels, to, to_grad); });
}

template <class Real>
py::tuple squared_error_array(const Array<Real>& x, const Array<Real>& target, double scale, bool keep_losses,
                              bool with_grad) {
  require(x.size() == target.size(), "target must have the shape of x");
  const int64_t n = x.size();
  const Real *from = x.data(), *to_compare = target.data();
  return run_loss(x, {x.shape(), x.shape() + x.ndim()}, keep_losses, with_grad, [=](Real* to, Real* to_grad) {
    return squared_error(n, from, to_compare, scale, to, to_grad);
  });
}

template <class Real>
py::tuple divergence_array(const Array<Real>& x, const Array<Real>& target, bool log_target, double scale,
                           bool keep_losses, bool with_grad) {
  require(x.size() == target.size(), "target must have the shape of x");
  const int64_t n = x.size();
  const Real *from = x.data(), *to_compare = target.data();
  return run_loss(x, {x.shape(), x.shape() + x.ndim()}, keep_losses, with_grad, [=](Real* to, Real* to_grad) {
    return divergence(n, from, to_compare, log_target, scale, to, to_grad);
  });
}

template <class Real>
void register_of(py::module_& m) {
  m.def("cross_entropy", &labelled<Real>, "x"_a.noconvert(), "target"_a.noconvert(),
        "weight"_a.noconvert().none(true), "ignore_index"_a, "label_smoothing"_a, "reduction"_a,
        "with_grad"_a);
  m.def("cross_entropy_mixture", &mixture<Real>, "x"_a.noconvert(), "target"_a.noconvert(),
        "weight"_a.noconvert().none(true), "label_smoothing"_a, "reduction"_a, "with_grad"_a);
  m.def("nll", &nll_array<Real>, "x"_a.noconvert(), "target"_a.noconvert(), "weight"_a.noconvert().none(true),
        "ignore_index"_a, "reduction"_a, "with_grad"_a);
  m.def("squared_error", &squared_error_array<Real>, "x"_a.noconvert(), "target"_a.noconvert(), "scale"_a,
        "keep_losses"_a, "with_grad"_a);
  m.def("divergence", &divergence_array<Real>, "x"_a.noconvert(), "target"_a.noconvert(), "log_target"_a,
        "scale"_a, "keep_losses"_a, "with_grad"_a);
}

}  // namespace

void register_loss(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
