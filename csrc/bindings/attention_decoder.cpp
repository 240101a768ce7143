#include "ops/attention_decoder.h"

#include "bindings/attention.h"
#include "bindings/recurrent.h"
#include "bindings/register.h"

namespace unrolled {
namespace {

// The parts of a state: h, c and the output before; None where there is none.
template <class Real>
using StateArrays = std::tuple<MaybeArray<Real>, MaybeArray<Real>, MaybeArray<Real>>;

// A decoder whose arrays have been checked.
template <class Real>
class Decoder {
 public:
  // layers: one entry each, without projection and peepholes; output: weight and bias.
  Decoder(const std::string& cell, const std::string& feeding, const Array<Real>& x,
          const Array<Real>& memory, const Array<int64_t>& lengths, const Array<int64_t>& memory_lengths,
          const std::vector<Direction<Real>>& layers, const AttentionArrays<Real>& attention,
          const std::tuple<Array<Real>, Array<Real>>& output, const MaybeArray<Real>& dropout_mask,
          const MaybeArray<int64_t>& ids, const MaybeArray<Real>& table)
      : cell_(cell_kernels<Real>(cell)) {
    require(x.ndim() == 3 && memory.ndim() == 3 && x.shape(0) == memory.shape(0),
            "x must be (N, T, E) and memory (N, S, M)");
    require(feeding == "input" || feeding == "context", "feeding must be input or context");
    require(!layers.empty(), "a decoder has at least one layer");
    const auto& weight_hh = std::get<1>(layers[0]);
    require(weight_hh.ndim() == 2, "weight_hh must be (G H, H)");
    const int64_t N = x.shape(0), T = x.shape(1), S = memory.shape(1), M = memory.shape(2);
    const int64_t H = weight_hh.shape(1), L = static_cast<int64_t>(layers.size());
    require_lengths(lengths, N, T, "lengths must be (N) within 0 .. T");
    require_lengths(memory_lengths, N, S, "memory_lengths must be (N) within 0 .. S");
    const auto& [weight, bias] = output;
    require_shape(weight, {H, M + H}, "the output's weight must be (H, M + H)");
    require_shape(bias, {H}, "the output's bias must be (H)");
    if (dropout_mask)
      require_shape(*dropout_mask, {L - 1, N, T, H}, "dropout_mask must be (layers - 1, N, T, H)");
    feeding_ = feeding == "input" ? AttentionFeeding::input : AttentionFeeding::context;
    const int64_t fed = feeding_ == AttentionFeeding::input ? H : M;
    for (const auto& layer : layers) add(layer, H, weights_.empty() ? x.shape(2) + fed : H);
    const RecurrentShape first = {N, T, x.shape(2), H, H, 1, lengths.data()};
    decoder_.emplace(AttentionDecoder<Real>{
        N, T, x.shape(2), H, S, L, feeding_, lengths.data(), memory_lengths.data(), cell_, weights_.data(),
        attention_weights(attention, H, M), weight.data(), bias.data(), data_or_null(dropout_mask),
        recurrent_table(ids, table, first, cell_.gates)});
  }
  Decoder(const Decoder&) = delete;

  const AttentionDecoder<Real>& get() const { return *decoder_; }
  bool has_cells() const { return cell_.memory == CellMemory::cells; }
  bool feeds_output() const { return feeding_ == AttentionFeeding::input; }

  AttentionDecoderState<const Real> state(const StateArrays<Real>& arrays) const {
    const AttentionDecoder<Real>& d = get();
    const auto& [h, c, output] = arrays;
    if (h) require_shape(*h, {d.layers, d.N, d.H}, "h must be (layers, N, H)");
    if (c) require_shape(*c, {d.layers, d.N, d.H}, "c must be (layers, N, H)");
    if (output) require_shape(*output, {d.N, d.H}, "the output before must be (N, H)");
    return {data_or_null(h), has_cells() ? data_or_null(c) : nullptr,
            feeds_output() ? data_or_null(output) : nullptr};
  }
  StateArrays<Real> make_state() const {
    const AttentionDecoder<Real>& d = get();
    StateArrays<Real> made;
    std::get<0>(made) = make_array<Real>({d.layers, d.N, d.H});
    if (has_cells()) std::get<1>(made) = make_array<Real>({d.layers, d.N, d.H});
    if (feeds_output()) std::get<2>(made) = make_array<Real>({d.N, d.H});
    return made;
  }

  // Arrays of the shapes of a layer's parameters; None where there is none.
  py::tuple make_gradients(std::size_t layer, std::vector<RecurrentGradients<Real>>& gradients) const {
    const AttentionDecoder<Real>& d = get();
    const RecurrentWeights<Real>& w = weights_[layer];
    const int64_t rows = cell_.gates * d.H;
    Array<Real> ih = make_array<Real>({rows, layer == 0 ? d.E + d.fed() : d.H}),
                hh = make_array<Real>({rows, d.H});
    MaybeArray<Real> bias_ih, bias_hh;
    if (w.bias_ih) bias_ih = make_array<Real>({rows});
    if (w.bias_hh) bias_hh = make_array<Real>({rows});
    gradients.push_back({ih.mutable_data(), hh.mutable_data(), bias_ih ? bias_ih->mutable_data() : nullptr,
                         bias_hh ? bias_hh->mutable_data() : nullptr, nullptr, nullptr});
    return py::make_tuple(ih, hh, bias_ih, bias_hh);
  }

 private:
  void add(const Direction<Real>& layer, int64_t H, int64_t features) {
    const auto& [weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, peephole] = layer;
    const int64_t rows = cell_.gates * H;
    require_shape(weight_ih, {rows, features}, "weight_ih must be (G H, features of what the layer reads)");
    require_shape(weight_hh, {rows, H}, "weight_hh must be (G H, H)");
    if (bias_ih) require_shape(*bias_ih, {rows}, "bias_ih must be (G H)");
    if (bias_hh) require_shape(*bias_hh, {rows}, "bias_hh must be (G H)");
    require(!weight_hr && !peephole, "a decoder's layers have no projections and no peepholes");
    weights_.push_back(
        {weight_ih.data(), weight_hh.data(), data_or_null(bias_ih), data_or_null(bias_hh), nullptr, nullptr});
  }

  const CellKernels<Real>& cell_;
  AttentionFeeding feeding_;
  std::vector<RecurrentWeights<Real>> weights_;
  std::optional<AttentionDecoder<Real>> decoder_;
};

template <class Real>
AttentionDecoderState<Real> mutable_state(StateArrays<Real>& arrays) {
  const auto of = [](MaybeArray<Real>& array) { return array ? array->mutable_data() : nullptr; };
  return {of(std::get<0>(arrays)), of(std::get<1>(arrays)), of(std::get<2>(arrays))};
}

template <class Real>
py::tuple decoder_array(const std::string& cell, const std::string& feeding, const Array<Real>& x,
                        const Array<Real>& memory, const Array<int64_t>& lengths,
                        const Array<int64_t>& memory_lengths, const std::vector<Direction<Real>>& layers,
                        const AttentionArrays<Real>& attention,
                        const std::tuple<Array<Real>, Array<Real>>& output_weights,
                        const StateArrays<Real>& state, const MaybeArray<Real>& dropout_mask,
                        const MaybeArray<int64_t>& ids, const MaybeArray<Real>& table) {
  const Decoder<Real> checked(cell, feeding, x, memory, lengths, memory_lengths, layers, attention,
                              output_weights, dropout_mask, ids, table);
  const AttentionDecoder<Real>& d = checked.get();
  const AttentionDecoderState<const Real> initial = checked.state(state);
  Array<Real> output = make_array<Real>({d.N, d.T, d.H}), attended = make_array<Real>({d.N, d.T, d.S});
  Array<Real> tape = make_array<Real>({attention_decoder_tape_size(d)});
  StateArrays<Real> after = checked.make_state();
  const AttentionDecoderState<Real> end = mutable_state(after);
  const Real *from = x.data(), *of_memory = memory.data();
  Real *to = output.mutable_data(), *by = attended.mutable_data(), *saved = tape.mutable_data();
  {
    const py::gil_scoped_release release;
    attention_decoder(d, from, of_memory, initial, to, by, end, saved);
  }
  return py::make_tuple(output, attended, after, tape);
}

template <class Real>
py::tuple decoder_backward_array(
    const std::string& cell, const std::string& feeding, const Array<Real>& grad_output,
    const MaybeArray<Real>& grad_attended, const StateArrays<Real>& grad_state, const Array<Real>& x,
    const Array<Real>& memory, const Array<int64_t>& lengths, const Array<int64_t>& memory_lengths,
    const std::vector<Direction<Real>>& layers, const AttentionArrays<Real>& attention,
    const std::tuple<Array<Real>, Array<Real>>& output_weights, const StateArrays<Real>& state,
    const MaybeArray<Real>& dropout_mask, const Array<Real>& output, const Array<Real>& attended,
    const Array<Real>& tape, bool input_gradient, const MaybeArray<int64_t>& ids,
    const MaybeArray<Real>& table) {
  const Decoder<Real> checked(cell, feeding, x, memory, lengths, memory_lengths, layers, attention,
                              output_weights, dropout_mask, ids, table);
  const AttentionDecoder<Real>& d = checked.get();
  require_shape(grad_output, {d.N, d.T, d.H}, "grad_output must be (N, T, H)");
  require_shape(output, {d.N, d.T, d.H}, "output must be (N, T, H)");
  require_shape(attended, {d.N, d.T, d.S}, "attended must be (N, T, S)");
  if (grad_attended) require_shape(*grad_attended, {d.N, d.T, d.S}, "grad_attended must be (N, T, S)");
  require_shape(tape, {attention_decoder_tape_size(d)}, "the tape must be that of the forward pass");
  const AttentionDecoderState<const Real> grad_end = checked.state(grad_state);
  const AttentionDecoderResults<Real> results = {x.data(),        memory.data(), output.data(),
                                                 attended.data(), tape.data(),   checked.state(state)};
  std::vector<RecurrentGradients<Real>> of_layers;
  py::list by_layer;
  for (std::size_t i = 0; i < layers.size(); ++i) by_layer.append(checked.make_gradients(i, of_layers));
  AttentionGradientArrays<Real> of_attention(d.attention);
  Array<Real> weight = make_array<Real>({d.H, d.attention.M + d.H}), bias = make_array<Real>({d.H});
  const AttentionDecoderGradients<Real> gradients = {of_layers.data(), of_attention.data(),
                                                     weight.mutable_data(), bias.mutable_data()};
  MaybeArray<Real> grad_x, grad_table;
  if (input_gradient && !table) grad_x = make_array_like(x);
  if (table) grad_table = make_array_like(*table);
  Array<Real> grad_memory = make_array_like(memory);
  StateArrays<Real> before = checked.make_state();
  const AttentionDecoderState<Real> grad_initial = mutable_state(before);
  const Real *grad = grad_output.data(), *grad_by = data_or_null(grad_attended);
  Real *to_x = grad_x ? grad_x->mutable_data() : nullptr, *to_memory = grad_memory.mutable_data();
  Real* to_table = grad_table ? grad_table->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    attention_decoder_backward(d, results, grad, grad_by, grad_end, to_x, to_memory, gradients, grad_initial,
                               to_table);
  }
  return py::make_tuple(grad_x, grad_memory, before, by_layer, of_attention.tuple(),
                        py::make_tuple(weight, bias), grad_table);
}

template <class Real>
void register_of(py::module_& m) {
  m.def("attention_decoder", &decoder_array<Real>, "cell"_a, "feeding"_a, "x"_a.noconvert(),
        "memory"_a.noconvert(), "lengths"_a.noconvert(), "memory_lengths"_a.noconvert(),
        "layers"_a.noconvert(), "attention"_a.noconvert(), "output_weights"_a.noconvert(),
        "state"_a.noconvert(), "dropout_mask"_a.noconvert().none(true),
        "ids"_a.noconvert().none(true) = py::none(), "table"_a.noconvert().none(true) = py::none());
  m.def("attention_decoder_backward", &decoder_backward_array<Real>, "cell"_a, "feeding"_a,
        "grad_output"_a.noconvert(), "grad_attended"_a.noconvert().none(true), "grad_state"_a.noconvert(),
        "x"_a.noconvert(), "memory"_a.noconvert(), "lengths"_a.noconvert(), "memory_lengths"_a.noconvert(),
        "layers"_a.noconvert(), "attention"_a.noconvert(), "output_weights"_a.noconvert(),
        "state"_a.noconvert(), "dropout_mask"_a.noconvert().none(true), "output"_a.noconvert(),
        "attended"_a.noconvert(), "tape"_a.noconvert(), "input_gradient"_a,
        "ids"_a.noconvert().none(true) = py::none(), "table"_a.noconvert().none(true) = py::none());
}

}  // namespace

void register_attention_decoder(py::module_& m) {
  register_of<float>(m);
  register_of<double>(m);
}

}  // namespace unrolled
