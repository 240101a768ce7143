#include "ops/ctc.h"

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

template <class Real>
CtcShape make_shape(const Array<Real>& scores, const Array<int64_t>& targets, const Array<int64_t>& offsets,
                    const Array<int64_t>& input_lengths, int64_t blank, bool logits) {
  require(scores.ndim() == 3 && scores.shape(2) >= 1, "scores must be (N, T, C) with at least one class");
  const int64_t N = scores.shape(0), T = scores.shape(1), C = scores.shape(2);
  require_shape(input_lengths, {N}, "input_lengths must be (N)");
  require_shape(offsets, {N + 1}, "target_offsets must be (N + 1)");
  require(targets.ndim() == 1, "targets must be flat");
  require(blank >= 0 && blank < C, "blank must be one of the classes");
  require(offsets.at(0) == 0 && offsets.at(N) == targets.size(), "target_offsets must cover targets");
  for (int64_t n = 0; n < N; ++n) {
    require(input_lengths.at(n) >= 0 && input_lengths.at(n) <= T, "input_lengths must lie in 0 .. T");
    require(offsets.at(n) <= offsets.at(n + 1), "target_offsets must not fall");
  }
  for (int64_t i = 0; i < targets.size(); ++i) {
    require(targets.at(i) >= 0 && targets.at(i) < C, "targets must be classes");
  }
  return {N, T, C, input_lengths.data(), targets.data(), offsets.data(), blank, logits};
}

template <class Real>
py::tuple ctc_loss_array(const Array<Real>& scores, const Array<int64_t>& targets,
                         const Array<int64_t>& offsets, const Array<int64_t>& input_lengths, int64_t blank,
                         bool logits, const MaybeArray<double>& grad_scale) {
  const CtcShape s = make_shape(scores, targets, offsets, input_lengths, blank, logits);
  if (grad_scale) require_shape(*grad_scale, {s.N}, "grad_scale must be (N)");
  Array<double> losses = make_array<double>({s.N});
  MaybeArray<Real> grad;
  if (grad_scale) grad = make_array_like(scores);
  const Real* from = scores.data();
  const double* scale = data_or_null(grad_scale);
  double* to = losses.mutable_data();
  Real* to_grad = grad ? grad->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    ctc_loss(s, from, scale, to, to_grad);
  }
  return py::make_tuple(losses, grad);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("ctc_loss", &ctc_loss_array<Real>, "scores"_a.noconvert(), "targets"_a.noconvert(),
        "target_offsets"_a.noconvert(), "input_lengths"_a.noconvert(), "blank"_a, "logits"_a,
        "grad_scale"_a.noconvert().none(true));
}

}  // namespace

void register_ctc(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
