#include "ops/optim.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

template <class Real>
Real* state_data(Array<Real>& state, const Array<Real>& param) {
  require(state.size() == param.size(), "the optimizer's state must have the shape of the parameter");
  return state.mutable_data();
}

template <class Real>
void sgd_array(Array<Real> param, const Array<Real>& grad, MaybeArray<Real> velocity, double lr,
               double momentum, double weight_decay, bool nesterov, bool first) {
  require(grad.size() == param.size(), "grad must have the shape of param");
  const SgdStep step{lr, momentum, weight_decay, nesterov, first};
  Real* v = velocity ? state_data(*velocity, param) : nullptr;
  const Real* g = grad.data();
  Real* p = param.mutable_data();
  const int64_t n = param.size();
  const py::gil_scoped_release release;
  sgd_step(n, step, g, p, v);
}

template <class Real>
void adam_array(Array<Real> param, const Array<Real>& grad, Array<Real> exp_avg, Array<Real> exp_avg_sq,
                double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled,
                int64_t step) {
  require(grad.size() == param.size(), "grad must have the shape of param");
  require(step >= 1, "step counts from 1");
  const double count = static_cast<double>(step);
  const AdamStep settings{
      lr, beta1, beta2, eps, weight_decay, decoupled, 1 - std::pow(beta1, count), 1 - std::pow(beta2, count)};
  Real *m = state_data(exp_avg, param), *v = state_data(exp_avg_sq, param), *p = param.mutable_data();
  const Real* g = grad.data();
  const int64_t n = param.size();
  const py::gil_scoped_release release;
  adam_step(n, settings, g, p, m, v);
}

template <class Real>
using Arrays = std::vector<Array<Real>>;

// Nothing is changed unless all arrays fit.
template <class Real>
void adam_arrays(Arrays<Real> params, const Arrays<Real>& grads, Arrays<Real> exp_avgs,
                 Arrays<Real> exp_avg_sqs, double lr, double beta1, double beta2, double eps,
                 double weight_decay, bool decoupled, const std::vector<int64_t>& steps) {
  const std::size_t count = params.size();
  require(grads.size() == count && exp_avgs.size() == count && exp_avg_sqs.size() == count &&
              steps.size() == count,
          "every parameter needs its gradient, its state and its step");
  struct Place {
    int64_t n;
    const Real* grad;
    Real *param, *exp_avg, *exp_avg_sq;
    AdamStep step;
  };
  std::vector<Place> places;
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<int64_t> shape(params[i].shape(), params[i].shape() + params[i].ndim());
    for (const Arrays<Real>* others : {&grads, &std::as_const(exp_avgs), &std::as_const(exp_avg_sqs)}) {
      const Array<Real>& other = (*others)[i];
      require(std::equal(shape.begin(), shape.end(), other.shape(), other.shape() + other.ndim()),
              "grad and the optimizer's state must have the shape of the parameter");
    }
    require(steps[i] >= 1, "step counts from 1");
    const double taken = static_cast<double>(steps[i]);
    const AdamStep step{lr,
                        beta1,
                        beta2,
                        eps,
                        weight_decay,
                        decoupled,
                        1 - std::pow(beta1, taken),
                        1 - std::pow(beta2, taken)};
    places.push_back({params[i].size(), grads[i].data(), params[i].mutable_data(), exp_avgs[i].mutable_data(),
                      exp_avg_sqs[i].mutable_data(), step});
  }
  const py::gil_scoped_release release;
  for (const Place& p : places) adam_step(p.n, p.step, p.grad, p.param, p.exp_avg, p.exp_avg_sq);
}

// Rows (K) of param (V, ...), ascending, with grad (K, ...): K and the size of a row.
template <class Real>
std::pair<int64_t, int64_t> require_some_rows(const Array<Real>& param, const Array<int64_t>& rows,
                                              const Array<Real>& grad) {
  require(param.ndim() >= 1 && rows.ndim() == 1 && grad.ndim() == param.ndim() &&
              grad.shape(0) == rows.shape(0) &&
              std::equal(param.shape() + 1, param.shape() + param.ndim(), grad.shape() + 1),
          "grad must be rows (K, ...) of a parameter (V, ...)");
  const int64_t K = rows.shape(0), V = param.shape(0);
  const int64_t* row = rows.data();
  for (int64_t i = 0; i < K; ++i)
    require(row[i] >= (i == 0 ? 0 : row[i - 1] + 1) && row[i] < V, "rows must ascend within 0 .. V - 1");
  return {K, K == 0 ? 0 : grad.size() / K};
}

template <class Real>
void sgd_rows_array(Array<Real> param, const Array<int64_t>& rows, const Array<Real>& grad, double lr) {
  const auto [K, D] = require_some_rows(param, rows, grad);
  const int64_t* row = rows.data();
  const Real* g = grad.data();
  Real* p = param.mutable_data();
  const py::gil_scoped_release release;
  sgd_rows(K, D, row, {.lr = lr, .momentum = 0, .weight_decay = 0, .nesterov = false, .first = false}, g, p);
}

template <class Real>
void adam_rows_array(Array<Real> param, const Array<int64_t>& rows, const Array<Real>& grad,
                     Array<Real> exp_avg, Array<Real> exp_avg_sq, double lr, double beta1, double beta2,
                     double eps, int64_t step) {
  const auto [K, D] = require_some_rows(param, rows, grad);
  require(step >= 1, "step counts from 1");
  const double count = static_cast<double>(step);
  const AdamStep settings{
      lr, beta1, beta2, eps, 0, false, 1 - std::pow(beta1, count), 1 - std::pow(beta2, count)};
  Real *m = state_data(exp_avg, param), *v = state_data(exp_avg_sq, param), *p = param.mutable_data();
  const int64_t* row = rows.data();
  const Real* g = grad.data();
  const py::gil_scoped_release release;
  adam_rows(K, D, row, settings, g, p, m, v);
}

template <class Real>
void scale_array(Array<Real> x, double factor) {
  Real* data = x.mutable_data();
  const int64_t n = x.size();
  const py::gil_scoped_release release;
  scale_in_place(n, static_cast<Real>(factor), data);
}

template <class Real>
double max_abs_array(const Array<Real>& x) {
  return max_abs(x.size(), x.data());
}

template <class Real>
double sum_squares_array(const Array<Real>& x, double scale) {
  return sum_squares(x.size(), x.data(), scale);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("sgd_step", &sgd_array<Real>, "param"_a.noconvert(), "grad"_a.noconvert(),
        "velocity"_a.noconvert().none(true), "lr"_a, "momentum"_a, "weight_decay"_a, "nesterov"_a, "first"_a);
  m.def("adam_step", &adam_array<Real>, "param"_a.noconvert(), "grad"_a.noconvert(), "exp_avg"_a.noconvert(),
        "exp_avg_sq"_a.noconvert(), "lr"_a, "beta1"_a, "beta2"_a, "eps"_a, "weight_decay"_a, "decoupled"_a,
        "step"_a);
  m.def("adam_steps", &adam_arrays<Real>, "params"_a.noconvert(), "grads"_a.noconvert(),
        "exp_avgs"_a.noconvert(), "exp_avg_sqs"_a.noconvert(), "lr"_a, "beta1"_a, "beta2"_a, "eps"_a,
        "weight_decay"_a, "decoupled"_a, "steps"_a);
  m.def("sgd_rows", &sgd_rows_array<Real>, "param"_a.noconvert(), "rows"_a.noconvert(), "grad"_a.noconvert(),
        "lr"_a);
  m.def("adam_rows", &adam_rows_array<Real>, "param"_a.noconvert(), "rows"_a.noconvert(),
        "grad"_a.noconvert(), "exp_avg"_a.noconvert(), "exp_avg_sq"_a.noconvert(), "lr"_a, "beta1"_a,
        "beta2"_a, "eps"_a, "step"_a);
  m.def("scale", &scale_array<Real>, "x"_a.noconvert(), "factor"_a);
  m.def("max_abs", &max_abs_array<Real>, "x"_a.noconvert());
  m.def("sum_squares", &sum_squares_array<Real>, "x"_a.noconvert(), "scale"_a);
}

}  // namespace

void register_optim(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
