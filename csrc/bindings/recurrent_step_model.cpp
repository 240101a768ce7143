#include "search/recurrent_step_model.h"

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>

#include "bindings/recurrent.h"
#include "bindings/step_model.h"

namespace unrolled {
namespace {

using namespace search;

using Layer = Direction<float>;
// (score, feeding, weight_query or None, weight_memory or None, v or None, memory_size, output)
using Decoder = std::tuple<std::string, std::string, MaybeFloats, MaybeFloats, MaybeFloats, int64_t, Linear>;

StepWeights layer_weights(const CellKernels<float>& cell, const Layer& layer, int64_t inputs) {
  const auto& [weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, peephole] = layer;
  const bool cells = cell.memory == CellMemory::cells;
  require(weight_hh.ndim() == 2 && weight_hh.shape(0) % cell.gates == 0, "weight_hh must be (G H, P)");
  const int64_t GH = weight_hh.shape(0), H = GH / cell.gates, P = weight_hh.shape(1);
  require_shape(weight_ih, {GH, inputs}, "weight_ih must be (G H, inputs of the layer)");
  if (bias_ih) require_shape(*bias_ih, {GH}, "bias_ih must be (G H)");
  if (bias_hh) require_shape(*bias_hh, {GH}, "bias_hh must be (G H)");
  require(weight_hr.has_value() || P == H, "weight_hh must be (G H, H) without a projection");
  require(cells || !(weight_hr || peephole), "only an LSTM has projections and peepholes");
  if (weight_hr) require_shape(*weight_hr, {P, H}, "weight_hr must be (P, H)");
  if (peephole) require_shape(*peephole, {3, H}, "peephole must be (3, H)");
  return {inputs,
          H,
          P,
          weight_ih.data(),
          weight_hh.data(),
          data_or_null(bias_ih),
          data_or_null(bias_hh),
          data_or_null(weight_hr),
          data_or_null(peephole)};
}

AttentionWeights attention_weights(const Decoder& decoder, int64_t H) {
  const auto& [score, feeding, query, memory, v, M, output] = decoder;
  require(M > 0, "memory_size must be at least 1");
  if (score == "dot") {
    require(M == H, "the dot score needs a memory as wide as the state");
    return {AttentionScore::dot, H, M, 0, nullptr, nullptr, nullptr};
  }
  require(memory.has_value(), "weight_memory must be given");
  if (score == "general") {
    require_shape(*memory, {H, M}, "weight_memory of the general score must be (H, M)");
    return {AttentionScore::general, H, M, 0, nullptr, memory->data(), nullptr};
  }
  require(score == "additive", "score must be dot, general or additive");
  require(query && v && v->ndim() == 1, "the additive score needs weight_query and v");
  const int64_t K = v->shape(0);
  require_shape(*query, {K, H}, "weight_query must be (K, H)");
  require_shape(*memory, {K, M}, "weight_memory of the additive score must be (K, M)");
  return {AttentionScore::additive, H, M, K, query->data(), memory->data(), v->data()};
}

Feeding feeding_of(const std::string& feeding) {
  if (feeding == "none") return Feeding::none;
  if (feeding == "input") return Feeding::input;
  require(feeding == "context", "feeding must be none, input or context");
  return Feeding::context;
}

DecoderWeights decoder_weights(const Decoder& decoder, int64_t H) {
  const auto& [score, feeding, query, memory, v, M, output] = decoder;
  const Feeding fed = feeding_of(feeding);
  return {attention_weights(decoder, H), fed,
          linear_weights(output, M + H, "the decoder's output must be (outputs, M + H)")};
}

// The features of [token; what is fed back] that the first layer reads.
int64_t first_inputs(int64_t embedding, const std::optional<Decoder>& decoder) {
  if (!decoder) return embedding;
  const Feeding feeding = feeding_of(std::get<1>(*decoder));
  if (feeding == Feeding::context) return embedding + std::get<5>(*decoder);
  return embedding + (feeding == Feeding::input ? std::get<0>(std::get<6>(*decoder)).shape(0) : 0);
}

std::shared_ptr<RecurrentNetwork> make_network(const std::string& cell, const Floats& embedding,
                                               const std::vector<Layer>& layers,
                                               const std::vector<Linear>& output,
                                               const std::optional<Decoder>& decoder) {
  const CellKernels<float>& kernels = cell_kernels<float>(cell);
  require(embedding.ndim() == 2 && embedding.shape(0) > 0, "embedding must be (tokens, size)");
  require(!layers.empty(), "layers must not be empty");
  if (decoder) require(std::get<0>(std::get<6>(*decoder)).ndim() == 2, "the decoder's output must be 2-D");
  std::vector<StepWeights> weights;
  for (const Layer& layer : layers) {
    const int64_t inputs = weights.empty() ? first_inputs(embedding.shape(1), decoder) : weights.back().P;
    weights.push_back(layer_weights(kernels, layer, inputs));
  }
  std::optional<DecoderWeights> attending;
  int64_t features = weights.back().P;
  if (decoder) {
    attending = decoder_weights(*decoder, features);
    features = attending->output.outputs;
  }
  std::vector<LinearWeights> linear;  // a network that only reads has none
  if (!output.empty()) linear = output_layers(output, features, embedding.shape(0));
  const EmbeddingWeights table = {embedding.shape(0), embedding.shape(1), embedding.data()};
  const py::gil_scoped_release release;
  return std::make_shared<RecurrentNetwork>(kernels, table, weights, attending, linear);
}

std::shared_ptr<RecurrentStepModel> make_model(std::shared_ptr<RecurrentNetwork> network, const Floats& start,
                                               const MaybeFloats& memory,
                                               const MaybeArray<int64_t>& lengths) {
  require(network->writes(), "the network has no output: it only reads");
  const int64_t items = start.ndim() == 2 ? start.shape(0) : 0;
  require_shape(start, {items, network->state_size()}, "start must be (items, state_size)");
  require(memory.has_value() == network->attends() && lengths.has_value() == network->attends(),
          "memory and lengths are for networks that attend, which need them");
  int64_t S = 0;
  if (memory) {
    S = memory->ndim() == 3 ? memory->shape(1) : 0;
    require_shape(*memory, {items, S, network->memory_size()}, "memory must be (items, S, memory_size)");
    require_shape(*lengths, {items}, "lengths must be (items)");
    const int64_t* length = lengths->data();
    require(std::all_of(length, length + items, [S](int64_t n) { return n >= 0 && n <= S; }),
            "lengths must lie in 0 .. S");
  }
  const float *from = start.data(), *rows = data_or_null(memory);
  const int64_t* counts = data_or_null(lengths);
  const py::gil_scoped_release release;
  return std::make_shared<RecurrentStepModel>(std::move(network), items, from, S, rows, counts);
}

// The states after tokens (items, T), and the top layer's h at each where `wants_frames`.
py::tuple read_tokens(const RecurrentNetwork& network, const Array<int32_t>& tokens,
                      const Array<int64_t>& lengths, const Floats& start, bool wants_frames) {
  require(tokens.ndim() == 2, "tokens must be (items, T)");
  require(!network.attends(), "a network that attends has no tokens of its own to read");
  const int64_t items = tokens.shape(0), T = tokens.shape(1), V = network.tokens();
  require_shape(lengths, {items}, "lengths must be (items)");
  require_shape(start, {items, network.state_size()}, "start must be (items, state_size)");
  const int64_t* ends = lengths.data();
  const int32_t* from = tokens.data();
  require(std::all_of(ends, ends + items, [T](int64_t n) { return n >= 0 && n <= T; }),
          "lengths must lie in 0 .. T");
  for (int64_t i = 0; i < items; ++i)
    require(std::all_of(from + i * T, from + i * T + ends[i], [V](int32_t id) { return id >= 0 && id < V; }),
            "tokens must lie in 0 .. tokens - 1");
  Array<float> states = make_array_like(start);
  std::copy_n(start.data(), start.size(), states.mutable_data());
  MaybeFloats frames;
  if (wants_frames) frames = make_array<float>({items, T, network.frame_size()});
  float *to = states.mutable_data(), *at = frames ? frames->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    network.read(items, T, from, ends, to, at);
  }
  return py::make_tuple(states, frames);
}

}  // namespace

void register_recurrent_step_model(py::module_& m) {
  py::class_<RecurrentNetwork, std::shared_ptr<RecurrentNetwork>>(m, "RecurrentNetwork")
      .def(py::init(&make_network), "cell"_a, "embedding"_a.noconvert(), "layers"_a.noconvert(),
           "output"_a.noconvert(), "decoder"_a.noconvert().none(true) = py::none())
      .def_property_readonly("tokens", &RecurrentNetwork::tokens)
      .def_property_readonly("state_size", &RecurrentNetwork::state_size)
      .def("read", &read_tokens, "tokens"_a.noconvert(), "lengths"_a.noconvert(), "start"_a.noconvert(),
           "frames"_a = false)
      .def_property_readonly("memory_size", &RecurrentNetwork::memory_size);
  py::class_<RecurrentStepModel, StepModel, std::shared_ptr<RecurrentStepModel>>(m, "RecurrentStepModel")
      .def(py::init(&make_model), "network"_a, "start"_a.noconvert(),
           "memory"_a.noconvert().none(true) = py::none(), "lengths"_a.noconvert().none(true) = py::none());
}

}  // namespace unrolled
