#include "search/window_step_model.h"

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>

#include "bindings/step_model.h"

namespace unrolled {
namespace {

using namespace search;

WindowWeights window_weights(const Linear& layer, int64_t inputs) {
  const auto& [weight, bias] = layer;
  require(weight.ndim() == 3 && weight.shape(1) == inputs && weight.shape(2) > 0,
          "a layer's weight must be (outputs, inputs, width)");
  if (bias) require_shape(*bias, {weight.shape(0)}, "a layer's bias must be (outputs)");
  return {weight.shape(0), weight.shape(2), weight.data(), data_or_null(bias)};
}

std::shared_ptr<WindowNetwork> make_network(const Floats& embedding, const std::vector<Linear>& layers,
                                            const std::string& activation,
                                            const std::vector<Linear>& output) {
  require(embedding.ndim() == 2 && embedding.shape(0) > 0, "embedding must be (tokens, size)");
  require(embedding.shape(0) < 1 << 24, "there may be at most 2^24 tokens");  // exact as floats
  require(!layers.empty(), "layers must not be empty");
  require(activation == "tanh" || activation == "relu", "activation must be tanh or relu");
  std::vector<WindowWeights> weights;
  for (const Linear& layer : layers)
    weights.push_back(window_weights(layer, weights.empty() ? embedding.shape(1) : weights.back().outputs));
  const std::vector<LinearWeights> linear = output_layers(output, weights.back().outputs, embedding.shape(0));
  const EmbeddingWeights table = {embedding.shape(0), embedding.shape(1), embedding.data()};
  const auto kind = activation == "tanh" ? WindowActivation::tanh : WindowActivation::relu;
  const py::gil_scoped_release release;
  return std::make_shared<WindowNetwork>(table, weights, kind, linear);
}

std::shared_ptr<WindowStepModel> make_model(std::shared_ptr<WindowNetwork> network,
                                            const Array<int32_t>& read) {
  const int64_t items = read.ndim() == 2 ? read.shape(0) : 0, tokens = network->tokens();
  require_shape(read, {items, network->reach()}, "read must be (items, reach)");
  const int32_t* from = read.data();
  require(std::all_of(from, from + read.size(), [tokens](int32_t i) { return i >= 0 && i < tokens; }),
          "read must lie in 0 .. tokens - 1");
  const py::gil_scoped_release release;
  return std::make_shared<WindowStepModel>(std::move(network), items, from);
}

}  // namespace

void register_window_step_model(py::module_& m) {
  py::class_<WindowNetwork, std::shared_ptr<WindowNetwork>>(m, "WindowNetwork")
      .def(py::init(&make_network), "embedding"_a.noconvert(), "layers"_a.noconvert(), "activation"_a,
           "output"_a.noconvert())
      .def_property_readonly("tokens", &WindowNetwork::tokens)
      .def_property_readonly("reach", &WindowNetwork::reach)
      .def_property_readonly("state_size", &WindowNetwork::state_size);
  py::class_<WindowStepModel, StepModel, std::shared_ptr<WindowStepModel>>(m, "WindowStepModel")
      .def(py::init(&make_model), "network"_a, "read"_a.noconvert());
}

}  // namespace unrolled
