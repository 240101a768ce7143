#include "bindings/recurrent.h"

#include <algorithm>
#include <tuple>

#include "bindings/arrays.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

struct Frames {
  int64_t N, T, D;
};

template <class Real>
Frames frames_of(const Array<Real>& x, const Array<int64_t>& lengths) {
  require(x.ndim() == 3, "x must be (N, T, D)");
  require_shape(lengths, {x.shape(0)}, "lengths must be (N)");
  for (int64_t n = 0; n < x.shape(0); ++n)
    require(lengths.at(n) >= 0 && lengths.at(n) <= x.shape(1), "lengths must lie in 0 .. T");
  return {x.shape(0), x.shape(1), x.shape(2)};
}

// A layer whose arrays have been checked, as the operations take it.
template <class Real>
class Layer {
 public:
  Layer(const std::string& cell, const Array<Real>& x, const Array<int64_t>& lengths,
        const std::vector<Direction<Real>>& directions, const MaybeArray<Real>& hidden_mask)
      : Layer(cell, frames_of(x, lengths), lengths.data(), directions, hidden_mask) {}

  Layer(const std::string& cell, const Frames& frames, const int64_t* lengths,
        const std::vector<Direction<Real>>& directions, const MaybeArray<Real>& hidden_mask)
      : cell_(cell_kernels<Real>(cell)), hidden_mask_(data_or_null(hidden_mask)) {
    require(directions.size() == 1 || directions.size() == 2, "weights must have one or two directions");
    const auto& weight_hh = std::get<1>(directions[0]);
    require(weight_hh.ndim() == 2 && weight_hh.shape(0) % cell_.gates == 0, "weight_hh must be (G H, P)");
    shape_ = {frames.N,
              frames.T,
              frames.D,
              weight_hh.shape(0) / cell_.gates,
              weight_hh.shape(1),
              static_cast<int64_t>(directions.size()),
              lengths};
    for (const auto& direction : directions) add(direction);
    if (hidden_mask) require_state(hidden_mask, shape_.P, "hidden_mask must be (directions, N, P)");
  }

  // Tokens in place of an input: ids (N, T), table (directions, tokens, G H).
  void look_up(const MaybeArray<int64_t>& ids, const MaybeArray<Real>& table) {
    table_ = recurrent_table(ids, table, shape_, cell_.gates);
  }

  const RecurrentShape& shape() const { return shape_; }
  bool has_cells() const { return cell_.memory == CellMemory::cells; }
  int64_t gates() const { return cell_.gates; }
  RecurrentLayer<Real> layer() const { return {shape_, cell_, weights_.data(), hidden_mask_, table_}; }
  const RecurrentWeights<Real>& weights(std::size_t direction) const { return weights_[direction]; }

  RecurrentState<const Real> state(const MaybeArray<Real>& h, const MaybeArray<Real>& c) const {
    require_state(h, shape_.P, "states h must be (directions, N, P)");
    require_state(c, shape_.H, "states c must be (directions, N, H)");
    return {data_or_null(h), data_or_null(c)};
  }
  Array<Real> make_state(int64_t features) const {
    return make_array<Real>({shape_.directions, shape_.N, features});
  }

 private:
  void add(const Direction<Real>& direction) {
    const auto& [weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, peephole] = direction;
    const int64_t H = shape_.H, P = shape_.P, GH = cell_.gates * H;
    require_shape(weight_ih, {GH, shape_.D}, "weight_ih must be (G H, D)");
    require_shape(weight_hh, {GH, P}, "weight_hh must be (G H, P)");
    if (bias_ih) require_shape(*bias_ih, {GH}, "bias_ih must be (G H)");
    if (bias_hh) require_shape(*bias_hh, {GH}, "bias_hh must be (G H)");
    require(weight_hr.has_value() || P == H, "weight_hh must be (G H, H) without a projection");
    require(has_cells() || !(weight_hr || peephole), "only an LSTM has projections and peepholes");
    if (weight_hr) require_shape(*weight_hr, {P, H}, "weight_hr must be (P, H)");
    if (peephole) require_shape(*peephole, {3, H}, "peephole must be (3, H)");
    weights_.push_back({weight_ih.data(), weight_hh.data(), data_or_null(bias_ih), data_or_null(bias_hh),
                        data_or_null(weight_hr), data_or_null(peephole)});
  }
  void require_state(const MaybeArray<Real>& state, int64_t features, const char* message) const {
    if (state) require_shape(*state, {shape_.directions, shape_.N, features}, message);
  }

  const CellKernels<Real>& cell_;
  RecurrentShape shape_;
  std::vector<RecurrentWeights<Real>> weights_;
  const Real* hidden_mask_;
  RecurrentTable<Real> table_;
};

template <class Real>
py::tuple recurrent_array(const std::string& cell, const Array<Real>& x, const Array<int64_t>& lengths,
                          const std::vector<Direction<Real>>& directions, const MaybeArray<Real>& h0,
                          const MaybeArray<Real>& c0, const MaybeArray<Real>& hidden_mask,
                          const MaybeArray<int64_t>& ids, const MaybeArray<Real>& table) {
  Layer<Real> checked(cell, x, lengths, directions, hidden_mask);
  checked.look_up(ids, table);
  const RecurrentShape& s = checked.shape();
  const RecurrentState<const Real> initial = checked.state(h0, c0);
  Array<Real> output = make_array<Real>({s.N, s.T, s.directions * s.P});
  Array<Real> tape = make_array<Real>({recurrent_tape_size(checked.layer())});
  Array<Real> h_n = checked.make_state(s.P);
  MaybeArray<Real> c_n;
  if (checked.has_cells()) c_n = checked.make_state(s.H);
  const RecurrentState<Real> end = {h_n.mutable_data(), c_n ? c_n->mutable_data() : nullptr};
  const Real* from = x.data();
  Real *to = output.mutable_data(), *saved = tape.mutable_data();
  {
    const py::gil_scoped_release release;
    recurrent(checked.layer(), from, initial, to, end, saved);
  }
  return py::make_tuple(output, h_n, c_n, tape);
}

// Arrays of the shapes of a direction's parameters; None where there is none.
template <class Real>
py::tuple make_gradients(const Layer<Real>& layer, std::size_t direction,
                         std::vector<RecurrentGradients<Real>>& gradients) {
  const RecurrentShape& s = layer.shape();
  const RecurrentWeights<Real>& w = layer.weights(direction);
  const int64_t GH = layer.gates() * s.H;
  const auto make = [](const Real* parameter, const std::vector<int64_t>& shape) -> MaybeArray<Real> {
    if (!parameter) return std::nullopt;
    return make_array<Real>(shape);
  };
  MaybeArray<Real> weight_ih = make(w.weight_ih, {GH, s.D}), weight_hh = make(w.weight_hh, {GH, s.P});
  MaybeArray<Real> bias_ih = make(w.bias_ih, {GH}), bias_hh = make(w.bias_hh, {GH});
  MaybeArray<Real> weight_hr = make(w.weight_hr, {s.P, s.H}), peephole = make(w.peephole, {3, s.H});
  const auto data = [](MaybeArray<Real>& array) { return array ? array->mutable_data() : nullptr; };
  gradients.push_back(
      {data(weight_ih), data(weight_hh), data(bias_ih), data(bias_hh), data(weight_hr), data(peephole)});
  return py::make_tuple(weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, peephole);
}

template <class Real>
void require_tape(const Layer<Real>& layer, const Array<Real>& tape) {
  require_shape(tape, {recurrent_tape_size(layer.layer())}, "the tape must be that of the forward pass");
}

template <class Real>
py::tuple recurrent_backward_array(const std::string& cell, const Array<Real>& grad_output,
                                   const MaybeArray<Real>& grad_h_n, const MaybeArray<Real>& grad_c_n,
                                   const Array<Real>& x, const Array<int64_t>& lengths,
                                   const std::vector<Direction<Real>>& directions, const MaybeArray<Real>& h0,
                                   const MaybeArray<Real>& c0, const MaybeArray<Real>& hidden_mask,
                                   const Array<Real>& tape, bool input_gradient,
                                   const MaybeArray<int64_t>& ids, const MaybeArray<Real>& table) {
  Layer<Real> checked(cell, x, lengths, directions, hidden_mask);
  checked.look_up(ids, table);
  const RecurrentShape& s = checked.shape();
  require_shape(grad_output, {s.N, s.T, s.directions * s.P}, "grad_output must have the shape of output");
  require_tape(checked, tape);
  const RecurrentState<const Real> initial = checked.state(h0, c0),
                                   grad_end = checked.state(grad_h_n, grad_c_n);
  std::vector<RecurrentGradients<Real>> gradients;
  py::list by_direction;
  for (std::size_t d = 0; d < directions.size(); ++d)
    by_direction.append(make_gradients(checked, d, gradients));
  MaybeArray<Real> grad_x, grad_c0, grad_table;
  if (input_gradient && !table) grad_x = make_array_like(x);
  if (table) grad_table = make_array_like(*table);
  Array<Real> grad_h0 = checked.make_state(s.P);
  if (checked.has_cells()) grad_c0 = checked.make_state(s.H);
  const RecurrentState<Real> grad_initial = {grad_h0.mutable_data(),
                                             grad_c0 ? grad_c0->mutable_data() : nullptr};
  const Real *from = x.data(), *saved = tape.data(), *g = grad_output.data();
  Real* to = grad_x ? grad_x->mutable_data() : nullptr;
  Real* to_table = grad_table ? grad_table->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    recurrent_backward(checked.layer(), from, saved, g, grad_end, initial, to, gradients.data(), grad_initial,
                       to_table);
  }
  return py::make_tuple(grad_x, by_direction, grad_h0, grad_c0, grad_table);
}

template <class Real>
py::tuple recurrent_states_array(const std::string& cell, const Array<Real>& x, const Array<int64_t>& lengths,
                                 const std::vector<Direction<Real>>& directions, const Array<Real>& tape) {
  const Layer<Real> checked(cell, x, lengths, directions, std::nullopt);
  const RecurrentShape& s = checked.shape();
  require_tape(checked, tape);
  Array<Real> gates = make_array<Real>({s.directions, s.N, s.T, checked.gates(), s.H});
  MaybeArray<Real> cells;
  if (checked.has_cells()) cells = make_array<Real>({s.directions, s.N, s.T, s.H});
  recurrent_states<Real>(checked.layer(), tape.data(), gates.mutable_data(),
                         cells ? cells->mutable_data() : nullptr);
  return py::make_tuple(gates, cells);
}

template <class Real>
py::tuple recurrent_step_array(const std::string& cell, const Array<Real>& x, const Direction<Real>& weights,
                               const MaybeArray<Real>& h, const MaybeArray<Real>& c) {
  require(x.ndim() == 2, "x must be (N, D)");
  const Layer<Real> checked(cell, Frames{x.shape(0), 1, x.shape(1)}, nullptr, {weights}, std::nullopt);
  const RecurrentShape& s = checked.shape();
  if (h) require_shape(*h, {s.N, s.P}, "h must be (N, P)");
  if (c) require_shape(*c, {s.N, s.H}, "c must be (N, H)");
  Array<Real> h_after = make_array<Real>({s.N, s.P});
  MaybeArray<Real> c_after;
  if (checked.has_cells()) c_after = make_array<Real>({s.N, s.H});
  const Real* from = x.data();
  const RecurrentState<const Real> before = {data_or_null(h), data_or_null(c)};
  const RecurrentState<Real> after = {h_after.mutable_data(), c_after ? c_after->mutable_data() : nullptr};
  {
    const py::gil_scoped_release release;
    recurrent_step(checked.layer(), from, before, after);
  }
  return py::make_tuple(h_after, c_after);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("recurrent", &recurrent_array<Real>, "cell"_a, "x"_a.noconvert(), "lengths"_a.noconvert(),
        "weights"_a.noconvert(), "h0"_a.noconvert().none(true), "c0"_a.noconvert().none(true),
        "hidden_mask"_a.noconvert().none(true), "ids"_a.noconvert().none(true) = py::none(),
        "table"_a.noconvert().none(true) = py::none());
  m.def("recurrent_backward", &recurrent_backward_array<Real>, "cell"_a, "grad_output"_a.noconvert(),
        "grad_h_n"_a.noconvert().none(true), "grad_c_n"_a.noconvert().none(true), "x"_a.noconvert(),
        "lengths"_a.noconvert(), "weights"_a.noconvert(), "h0"_a.noconvert().none(true),
        "c0"_a.noconvert().none(true), "hidden_mask"_a.noconvert().none(true), "tape"_a.noconvert(),
        "input_gradient"_a, "ids"_a.noconvert().none(true) = py::none(),
        "table"_a.noconvert().none(true) = py::none());
  m.def("recurrent_step", &recurrent_step_array<Real>, "cell"_a, "x"_a.noconvert(), "weights"_a.noconvert(),
        "h"_a.noconvert().none(true), "c"_a.noconvert().none(true));
  m.def("recurrent_states", &recurrent_states_array<Real>, "cell"_a, "x"_a.noconvert(),
        "lengths"_a.noconvert(), "weights"_a.noconvert(), "tape"_a.noconvert());
}

}  // namespace

void register_recurrent(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
