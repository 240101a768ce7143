#include "ops/path_entropy.h"

#include "bindings/register.h"
#include "bindings/trellis_shape.h"

namespace unrolled {
namespace {

template <class Real>
py::tuple path_entropy_array(const Array<Real>& scores, const Array<int64_t>& targets,
                             const Array<int64_t>& offsets, const Array<int64_t>& input_lengths,
                             int64_t blank, const MaybeArray<double>& grad_scale) {
  const TrellisShape s = make_trellis_shape(scores, targets, offsets, input_lengths, blank);
  if (grad_scale) require_shape(*grad_scale, {s.N}, "grad_scale must be (N)");
  Array<double> entropies = make_array<double>({s.N});
  MaybeArray<Real> grad;
  if (grad_scale) grad = make_array_like(scores);
  const Real* from = scores.data();
  const double* scale = data_or_null(grad_scale);
  double* to = entropies.mutable_data();
  Real* to_grad = grad ? grad->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    path_entropy(s, from, scale, to, to_grad);
  }
  return py::make_tuple(entropies, grad);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("path_entropy", &path_entropy_array<Real>, "scores"_a.noconvert(), "targets"_a.noconvert(),
        "target_offsets"_a.noconvert(), "input_lengths"_a.noconvert(), "blank"_a,
        "grad_scale"_a.noconvert().none(true));
}

}  // namespace

void register_path_entropy(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
