#include "ops/lstm.h"

#include <numeric>

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

// One direction: (weight_ih, weight_hh, bias_ih, bias_hh).
template <class Real>
using Direction = std::tuple<Array<Real>, Array<Real>, MaybeArray<Real>, MaybeArray<Real>>;
template <class Real>
using Directions = std::vector<Direction<Real>>;
template <class Real>
using Tape = std::tuple<Array<Real>, Array<Real>, Array<Real>>;

template <class Real>
LstmShape make_shape(const Array<Real>& x, const Array<int64_t>& lengths,
                     const Directions<Real>& directions) {
  require(x.ndim() == 3, "x must be (N, T, D)");
  require(directions.size() == 1 || directions.size() == 2, "weights must have one or two directions");
  const int64_t N = x.shape(0), T = x.shape(1), D = x.shape(2);
  require_shape(lengths, {N}, "lengths must be (N)");
  for (int64_t n = 0; n < N; ++n)
    require(lengths.at(n) >= 0 && lengths.at(n) <= T, "lengths must lie in 0 .. T");
  require(std::get<1>(directions[0]).ndim() == 2, "weight_hh must be (4H, H)");
  return {
      N, T, D, std::get<1>(directions[0]).shape(1), static_cast<int64_t>(directions.size()), lengths.data()};
}

template <class Real>
std::vector<LstmWeights<Real>> make_weights(const LstmShape& s, const Directions<Real>& directions) {
  std::vector<LstmWeights<Real>> weights;
  for (const auto& [weight_ih, weight_hh, bias_ih, bias_hh] : directions) {
    require_shape(weight_ih, {4 * s.H, s.D}, "weight_ih must be (4H, D)");
    require_shape(weight_hh, {4 * s.H, s.H}, "weight_hh must be (4H, H)");
    if (bias_ih) require_shape(*bias_ih, {4 * s.H}, "bias_ih must be (4H)");
    if (bias_hh) require_shape(*bias_hh, {4 * s.H}, "bias_hh must be (4H)");
    weights.push_back({weight_ih.data(), weight_hh.data(), data_or_null(bias_ih), data_or_null(bias_hh)});
  }
  return weights;
}

template <class Real>
void require_states(const LstmShape& s, const MaybeArray<Real>& states) {
  if (states) require_shape(*states, {s.directions, s.N, s.H}, "states must be (directions, N, H)");
}

template <class Real>
py::tuple lstm_array(const Array<Real>& x, const Array<int64_t>& lengths, const Directions<Real>& directions,
                     const MaybeArray<Real>& h0, const MaybeArray<Real>& c0) {
  const LstmShape s = make_shape(x, lengths, directions);
  const auto weights = make_weights(s, directions);
  require_states(s, h0);
  require_states(s, c0);
  const int64_t rows = std::accumulate(s.lengths, s.lengths + s.N, int64_t{0});
  Array<Real> output = make_array<Real>({s.N, s.T, s.directions * s.H});
  Array<Real> h_n = make_array<Real>({s.directions, s.N, s.H}),
              c_n = make_array<Real>({s.directions, s.N, s.H});
  Array<Real> gates = make_array<Real>({s.directions, rows, 4 * s.H});
  Array<Real> cells = make_array<Real>({s.directions, rows, s.H}),
              hidden = make_array<Real>({s.directions, rows, s.H});
  const LstmTape<Real> tape{gates.mutable_data(), cells.mutable_data(), hidden.mutable_data()};
  const Real *from = x.data(), *h = data_or_null(h0), *c = data_or_null(c0);
  Real *to = output.mutable_data(), *to_h = h_n.mutable_data(), *to_c = c_n.mutable_data();
  {
    const py::gil_scoped_release release;
    lstm(s, weights.data(), from, h, c, to, to_h, to_c, tape);
  }
  return py::make_tuple(output, h_n, c_n, py::make_tuple(gates, cells, hidden));
}

template <class Real>
py::tuple lstm_backward_array(const Array<Real>& grad_output, const MaybeArray<Real>& grad_h_n,
                              const MaybeArray<Real>& grad_c_n, const Array<Real>& x,
                              const Array<int64_t>& lengths, const Directions<Real>& directions,
                              const MaybeArray<Real>& h0, const MaybeArray<Real>& c0,
                              const Tape<Real>& tape) {
  const LstmShape s = make_shape(x, lengths, directions);
  const auto weights = make_weights(s, directions);
  for (const MaybeArray<Real>& states : {h0, c0, grad_h_n, grad_c_n}) require_states(s, states);
  require_shape(grad_output, {s.N, s.T, s.directions * s.H}, "grad_output must have the shape of output");
  const int64_t rows = std::accumulate(s.lengths, s.lengths + s.N, int64_t{0});
  const auto& [gates, cells, hidden] = tape;
  require_shape(gates, {s.directions, rows, 4 * s.H}, "the tape must be that of the forward pass");
  require_shape(cells, {s.directions, rows, s.H}, "the tape must be that of the forward pass");
  require_shape(hidden, {s.directions, rows, s.H}, "the tape must be that of the forward pass");
  // The backward pass only reads the tape.
  const LstmTape<Real> saved{const_cast<Real*>(gates.data()), const_cast<Real*>(cells.data()),
                             const_cast<Real*>(hidden.data())};
  Array<Real> grad_x = make_array_like(x);
  Array<Real> grad_h0 = make_array<Real>({s.directions, s.N, s.H}),
              grad_c0 = make_array<Real>({s.directions, s.N, s.H});
  std::vector<LstmGradients<Real>> grads;
  py::list results;
  for (int64_t d = 0; d < s.directions; ++d) {
    Array<Real> weight_ih = make_array<Real>({4 * s.H, s.D}), weight_hh = make_array<Real>({4 * s.H, s.H});
    Array<Real> bias = make_array<Real>({4 * s.H});
    grads.push_back({weight_ih.mutable_data(), weight_hh.mutable_data(), bias.mutable_data()});
    results.append(py::make_tuple(weight_ih, weight_hh, bias));
  }
  const Real *from = x.data(), *h = data_or_null(h0), *c = data_or_null(c0), *g = grad_output.data();
  const Real *g_h = data_or_null(grad_h_n), *g_c = data_or_null(grad_c_n);
  Real *to = grad_x.mutable_data(), *to_h = grad_h0.mutable_data(), *to_c = grad_c0.mutable_data();
  {
    const py::gil_scoped_release release;
    lstm_backward(s, weights.data(), from, h, c, saved, g, g_h, g_c, to, grads.data(), to_h, to_c);
  }
  return py::make_tuple(grad_x, results, grad_h0, grad_c0);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("lstm", &lstm_array<Real>, "x"_a.noconvert(), "lengths"_a.noconvert(), "weights"_a.noconvert(),
        "h0"_a.noconvert().none(true), "c0"_a.noconvert().none(true));
  m.def("lstm_backward", &lstm_backward_array<Real>, "grad_output"_a.noconvert(),
        "grad_h_n"_a.noconvert().none(true), "grad_c_n"_a.noconvert().none(true), "x"_a.noconvert(),
        "lengths"_a.noconvert(), "weights"_a.noconvert(), "h0"_a.noconvert().none(true),
        "c0"_a.noconvert().none(true), "tape"_a.noconvert());
}

}  // namespace

void register_lstm(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
