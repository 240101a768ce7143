#include "ops/embedding.h"

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

// Which number is no row of a table, and where it stands: "ids[2, 5] is 17, it must lie in 0 .. 9".
[[noreturn]] void refuse(const Array<int64_t>& ids, int64_t place, int64_t V) {
  std::string index;
  int64_t rest = place;
  for (py::ssize_t axis = ids.ndim() - 1; axis >= 0; --axis) {
    index = std::to_string(rest % ids.shape(axis)) + (index.empty() ? "" : ", ") + index;
    rest /= ids.shape(axis);
  }
  throw std::invalid_argument("ids" + (index.empty() ? index : "[" + index + "]") + " is " +
                              std::to_string(ids.data()[place]) + ", it must lie in 0 .. " +
                              std::to_string(V - 1));
}

void require_rows(const Array<int64_t>& ids, int64_t V) {
  const int64_t wrong = first_outside(ids.size(), ids.data(), V);
  if (wrong >= 0) refuse(ids, wrong, V);
}

template <class Real>
Array<Real> look_up(const Array<int64_t>& ids, const Array<Real>& weight) {
  require(weight.ndim() == 2, "weight must be (V, D)");
  require_rows(ids, weight.shape(0));
  const int64_t n = ids.size(), D = weight.shape(1);
  std::vector<int64_t> shape(ids.shape(), ids.shape() + ids.ndim());
  shape.push_back(D);
  Array<Real> y = make_array<Real>(shape);
  const int64_t* numbers = ids.data();
  const Real* from = weight.data();
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  embedding(n, D, numbers, from, to);
  return y;
}

// D of grad_y, whose other axes are those of ids.
template <class Real>
int64_t require_gradient(const Array<Real>& grad_y, const Array<int64_t>& ids, int64_t V) {
  require(
      grad_y.ndim() == ids.ndim() + 1 && std::equal(ids.shape(), ids.shape() + ids.ndim(), grad_y.shape()),
      "grad_y must have the shape of ids and one axis more");
  require_rows(ids, V);
  return grad_y.shape(ids.ndim());
}

template <class Real>
Array<Real> backward(const Array<Real>& grad_y, const Array<int64_t>& ids, int64_t V, int64_t padding_idx) {
  const int64_t D = require_gradient(grad_y, ids, V);
  Array<Real> grad = make_array<Real>({V, D});
  const int64_t n = ids.size();
  const int64_t* numbers = ids.data();
  const Real* from = grad_y.data();
  Real* to = grad.mutable_data();
  const py::gil_scoped_release release;
  embedding_backward(RowPlaces(n, numbers, V, padding_idx), V, D, from, to);
  return grad;
}

template <class Real>
py::tuple backward_rows(const Array<Real>& grad_y, const Array<int64_t>& ids, int64_t V,
                        int64_t padding_idx) {
  const int64_t D = require_gradient(grad_y, ids, V);
  const RowPlaces places = [&] {
    const py::gil_scoped_release release;
    return RowPlaces(ids.size(), ids.data(), V, padding_idx);
  }();
  Array<int64_t> rows = make_array<int64_t>({places.count()});
  Array<Real> values = make_array<Real>({places.count(), D});
  int64_t* to_rows = rows.mutable_data();
  for (int64_t i = 0; i < places.count(); ++i) to_rows[i] = places.row(i);
  const Real* from = grad_y.data();
  Real* to = values.mutable_data();
  {
    const py::gil_scoped_release release;
    embedding_backward_rows(places, D, from, to);
  }
  return py::make_tuple(rows, values);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("embedding", &look_up<Real>, "ids"_a.noconvert(), "weight"_a.noconvert());
  m.def("embedding_backward", &backward<Real>, "grad_y"_a.noconvert(), "ids"_a.noconvert(),
        "num_embeddings"_a, "padding_idx"_a);
  m.def("embedding_backward_rows", &backward_rows<Real>, "grad_y"_a.noconvert(), "ids"_a.noconvert(),
        "num_embeddings"_a, "padding_idx"_a);
}

}  // namespace

void register_embedding(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
