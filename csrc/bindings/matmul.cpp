#include "ops/matmul.h"

#include <algorithm>

#include "bindings/arrays.h"
#include "bindings/register.h"
#include "ops/relu.h"

namespace unrolled {
namespace {

template <class Real>
MatrixView<Real> view(const Array<Real>& array, bool transpose) {
  const auto matrix = row_major(array.data(), array.shape(0), array.shape(1));
  return transpose ? matrix.transposed() : matrix;
}

template <class Real>
Array<Real> matmul_array(const Array<Real>& a, const Array<Real>& b, bool transpose_a, bool transpose_b) {
  require(a.ndim() == 2 && b.ndim() == 2, "a and b must be matrices");
  const MatrixView<Real> left = view(a, transpose_a), right = view(b, transpose_b);
  require(left.columns == right.rows, "the columns of a must be as many as the rows of b");
  Array<Real> c = make_array<Real>({left.rows, right.columns});
  Real* to = c.mutable_data();
  const py::gil_scoped_release release;
  matmul(left, right, to, right.columns, false);
  return c;
}

template <class Real>
Array<Real> batched_matmul_array(const Array<Real>& a, const Array<Real>& b) {
  require(a.ndim() == 3 && b.ndim() == 3 && a.shape(0) == b.shape(0), "a and b must be batches of one size");
  const int64_t B = a.shape(0), M = a.shape(1), K = a.shape(2), N = b.shape(2);
  require(b.shape(1) == K, "the columns of a must be as many as the rows of b");
  Array<Real> c = make_array<Real>({B, M, N});
  const Real *left = a.data(), *right = b.data();
  Real* to = c.mutable_data();
  const py::gil_scoped_release release;
  for (int64_t i = 0; i < B; ++i) {
    matmul(row_major(left + i * M * K, M, K), row_major(right + i * K * N, K, N), to + i * M * N, N, false);
  }
  return c;
}

template <class Real>
Array<Real> linear_array(const Array<Real>& x, const Array<Real>& weight, const MaybeArray<Real>& bias,
                         bool relu) {
  require(x.ndim() == 2 && weight.ndim() == 2, "x and weight must be matrices");
  const int64_t rows = x.shape(0), D = x.shape(1), O = weight.shape(0);
  require(weight.shape(1) == D, "weight must be (O, D)");
  if (bias) require_shape(*bias, {O}, "bias must be (O)");
  Array<Real> y = make_array<Real>({rows, O});
  const Real *from = x.data(), *w = weight.data(), *b = data_or_null(bias);
  Real* to = y.mutable_data();
  const py::gil_scoped_release release;
  for (int64_t i = 0; b && i < rows; ++i) std::copy_n(b, O, to + i * O);
  matmul(row_major(from, rows, D), row_major(w, O, D).transposed(), to, O, b != nullptr);
  if (relu) unrolled::relu(rows * O, to, to);
  return y;
}

template <class Real>
void register_of(py::module_& m) {
  m.def("matmul", &matmul_array<Real>, "a"_a.noconvert(), "b"_a.noconvert(), "transpose_a"_a = false,
        "transpose_b"_a = false);
  m.def("batched_matmul", &batched_matmul_array<Real>, "a"_a.noconvert(), "b"_a.noconvert());
  m.def("linear", &linear_array<Real>, "x"_a.noconvert(), "weight"_a.noconvert(),
        "bias"_a.noconvert().none(true), "relu"_a);
}

}  // namespace

void register_matmul(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
