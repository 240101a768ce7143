#include "ops/ctc.h"

#include "bindings/register.h"
#include "bindings/signals.h"
#include "bindings/trellis_shape.h"

namespace unrolled {
namespace {

CtcPath path_of(const std::string& name) {
  if (name == "auto") return CtcPath::automatic;
  if (name == "linear") return CtcPath::linear;
  if (name == "exact") return CtcPath::exact;
  require(name == "log", "path must be auto, linear, exact or log");
  return CtcPath::log;
}

template <class Real>
py::tuple ctc_loss_array(const Array<Real>& scores, const Array<int64_t>& targets,
                         const Array<int64_t>& offsets, const Array<int64_t>& input_lengths, int64_t blank,
                         bool logits, const MaybeArray<double>& grad_scale, const std::string& path) {
  const TrellisShape s = make_trellis_shape(scores, targets, offsets, input_lengths, blank);
  bool blanks = false;
  for (int64_t i = 0; i < targets.size(); ++i) blanks |= s.targets[i] == blank;
  require(!blanks, "targets must not hold the blank");
  if (grad_scale) require_shape(*grad_scale, {s.N}, "grad_scale must be (N)");
  const CtcPath way = path_of(path);
  Array<double> losses = make_array<double>({s.N});
  MaybeArray<Real> grad;
  if (grad_scale) grad = make_array_like(scores);
  const Real* from = scores.data();
  const double* scale = data_or_null(grad_scale);
  double* to = losses.mutable_data();
  Real* to_grad = grad ? grad->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    ctc_loss(s, logits, way, from, scale, to, to_grad);
  }
  return py::make_tuple(losses, grad);
}

// Of one item; its length and offsets are left to the caller, whose memory they need.
template <class Real>
TrellisShape one_trellis(const Array<Real>& scores, const Array<int64_t>& target, int64_t blank) {
  require(scores.ndim() == 2 && scores.shape(1) >= 1, "scores must be (T, C) with at least one class");
  require(target.ndim() == 1, "target must be flat");
  const int64_t C = scores.shape(1);
  require(blank >= -1 && blank < C, "blank must be one of the classes, or -1 for none");
  for (int64_t i = 0; i < target.size(); ++i) {
    require(target.at(i) >= 0 && target.at(i) < C, "target must be classes");
  }
  return {1, scores.shape(0), C, nullptr, target.data(), nullptr, blank};
}

template <class Real>
py::tuple ctc_states_array(const Array<Real>& scores, const Array<int64_t>& target, int64_t blank) {
  TrellisShape shape = one_trellis(scores, target, blank);
  const int64_t T = shape.T, L = target.size(), offsets[2] = {0, L};
  shape.input_lengths = &T;
  shape.target_offsets = offsets;
  const int64_t S = blank < 0 ? L : 2 * L + 1;
  Array<double> log_alpha = make_array<double>({T, S}), log_beta_hat = make_array<double>({T, S}),
                log_beta = make_array<double>({T, S});
  double *alpha = log_alpha.mutable_data(), *hat = log_beta_hat.mutable_data(),
         *beta = log_beta.mutable_data();
  {
    const py::gil_scoped_release release;
    ctc_states(shape, scores.data(), alpha, hat, beta);
  }
  return py::make_tuple(log_alpha, log_beta_hat, log_beta);
}

template <class Real>
Array<double> ctc_path_posterior_array(const Array<Real>& scores, const Array<int64_t>& target,
                                       const Array<int32_t>& states, int64_t blank) {
  const TrellisShape shape = one_trellis(scores, target, blank);
  require_shape(states, {shape.T}, "states must be (T)");
  const int64_t S = blank < 0 ? target.size() : 2 * target.size() + 1;
  for (int64_t t = 0; t < shape.T; ++t) require(states.at(t) < S, "states must be those of the target");
  Array<double> posterior = make_array<double>({shape.T});
  double* to = posterior.mutable_data();
  const int64_t T = shape.T, offsets[2] = {0, target.size()};
  TrellisShape s = shape;
  s.input_lengths = &T;
  s.target_offsets = offsets;
  {
    const py::gil_scoped_release release;
    Interrupt interrupt(check_signals);
    ctc_path_posterior(s, scores.data(), states.data(), interrupt, to);
  }
  return posterior;
}

template <class Real>
void register_of(py::module_& m) {
  m.def("ctc_loss", &ctc_loss_array<Real>, "scores"_a.noconvert(), "targets"_a.noconvert(),
        "target_offsets"_a.noconvert(), "input_lengths"_a.noconvert(), "blank"_a, "logits"_a,
        "grad_scale"_a.noconvert().none(true), "path"_a = "auto");
  m.def("ctc_path_posterior", &ctc_path_posterior_array<Real>, "scores"_a.noconvert(), "target"_a.noconvert(),
        "states"_a.noconvert(), "blank"_a);
  m.def("ctc_states", &ctc_states_array<Real>, "scores"_a.noconvert(), "target"_a.noconvert(), "blank"_a);
}

}  // namespace

void register_ctc(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
