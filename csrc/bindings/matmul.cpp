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

// The sum of each column, row after row.
template <class Real>
void sum_rows(int64_t rows, int64_t columns, const Real* x, Real* sums) {
  if (rows == 0) return (void)std::fill_n(sums, columns, Real(0));
  std::copy_n(x, columns, sums);
  for (int64_t i = 1; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) sums[j] += x[i * columns + j];
  }
}

template <class Real>
py::tuple linear_backward_array(const Array<Real>& grad_y, const Array<Real>& x, const Array<Real>& weight,
                                const MaybeArray<Real>& y, bool bias, bool input_gradient) {
  require(x.ndim() == 2 && weight.ndim() == 2, "x and weight must be matrices");
  const int64_t rows = x.shape(0), D = x.shape(1), O = weight.shape(0);
  require(weight.shape(1) == D, "weight must be (O, D)");
  require_shape(grad_y, {rows, O}, "grad_y must be (rows, O)");
  if (y) require_shape(*y, {rows, O}, "y must be (rows, O)");
  Array<Real> grad_weight = make_array_like(weight);
  MaybeArray<Real> grad_x, grad_bias;
  if (input_gradient) grad_x = make_array_like(x);
  if (bias) grad_bias = make_array<Real>({O});
  const Real *from = x.data(), *w = weight.data(), *after = data_or_null(y), *g = grad_y.data();
  Real *to_weight = grad_weight.mutable_data(), *to_x = grad_x ? grad_x->mutable_data() : nullptr;
  Real* to_bias = grad_bias ? grad_bias->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    Buffer<Real> before(after ? rows * O : 0);  // the gradient before the ReLU
    if (after) relu_backward(rows * O, g, after, before.data());
    const auto grad = row_major(after ? before.data() : g, rows, O);
    if (to_x) matmul(grad, row_major(w, O, D), to_x, D, false);
    matmul(grad.transposed(), row_major(from, rows, D), to_weight, D, false);
    if (to_bias) sum_rows(rows, O, grad.data, to_bias);
  }
  return py::make_tuple(grad_x, grad_weight, grad_bias);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("matmul", &matmul_array<Real>, "a"_a.noconvert(), "b"_a.noconvert(), "transpose_a"_a = false,
        "transpose_b"_a = false);
  m.def("batched_matmul", &batched_matmul_array<Real>, "a"_a.noconvert(), "b"_a.noconvert());
  m.def("linear", &linear_array<Real>, "x"_a.noconvert(), "weight"_a.noconvert(),
        "bias"_a.noconvert().none(true), "relu"_a);
  m.def("linear_backward", &linear_backward_array<Real>, "grad_y"_a.noconvert(), "x"_a.noconvert(),
        "weight"_a.noconvert(), "y"_a.noconvert().none(true), "bias"_a, "input_gradient"_a);
}

}  // namespace

void register_matmul(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
