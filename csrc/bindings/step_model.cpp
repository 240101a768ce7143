#include "search/step_model.h"

#include <algorithm>
#include <memory>

#include "bindings/python_step_model.h"
#include "bindings/register.h"
#include "bindings/step_model.h"
#include "search/fingerprint.h"

namespace unrolled {
namespace {

using search::StepModel;

Array<float> start_states(const StepModel& model) {
  Array<float> states = make_array<float>({model.items(), model.state_size()});
  model.start(states.mutable_data());
  return states;
}

void require_all_below(const Array<int32_t>& numbers, int64_t end, const char* message) {
  const int32_t* from = numbers.data();
  require(std::all_of(from, from + numbers.size(), [end](int32_t i) { return i >= 0 && i < end; }), message);
}

py::tuple step_rows(const StepModel& model, const Array<int32_t>& tokens, const Array<int32_t>& items,
                    const Array<float>& states) {
  const int64_t rows = tokens.size();
  require_shape(tokens, {rows}, "tokens must be (rows)");
  require_shape(items, {rows}, "items must be (rows)");
  require_shape(states, {rows, model.state_size()}, "states must be (rows, state_size)");
  require_all_below(tokens, model.tokens(), "tokens must lie in 0 .. tokens - 1");
  require_all_below(items, model.items(), "items must lie in 0 .. items - 1");
  Array<float> after = make_array_like(states);
  Array<float> logits = make_array<float>({rows, model.tokens()});
  MaybeArray<float> attention;
  if (model.attended() > 0) attention = make_array<float>({rows, model.attended()});
  const int32_t *from = tokens.data(), *of = items.data();
  const float* before = states.data();
  float *to = after.mutable_data(), *scores = logits.mutable_data();
  float* weights = attention ? attention->mutable_data() : nullptr;
  {
    const py::gil_scoped_release release;
    model.step(rows, from, of, before, to, scores, weights);
  }
  return py::make_tuple(after, logits, attention);
}

uint64_t fingerprint_of(const std::vector<py::array>& arrays) {
  uint64_t hash = 0;
  for (const py::array& array : arrays) {
    require((array.flags() & py::array::c_style) != 0, "arrays must be in C order");
    hash = search::fingerprint(array.data(), static_cast<std::size_t>(array.nbytes()), hash);
  }
  return hash;
}

}  // namespace

search::LinearWeights linear_weights(const Linear& linear, int64_t inputs, const char* message) {
  const auto& [weight, bias] = linear;
  require(weight.ndim() == 2 && weight.shape(1) == inputs, message);
  if (bias) require_shape(*bias, {weight.shape(0)}, message);
  return {weight.shape(0), weight.data(), data_or_null(bias)};
}

std::vector<search::LinearWeights> output_layers(const std::vector<Linear>& layers, int64_t inputs,
                                                 int64_t tokens) {
  require(!layers.empty(), "output must have a linear layer");
  std::vector<search::LinearWeights> weights;
  for (const Linear& layer : layers) {
    weights.push_back(
        linear_weights(layer, inputs, "output must be (outputs, features of the layer before)"));
    inputs = weights.back().outputs;
  }
  require(inputs == tokens, "output must have a row for each token");
  return weights;
}

void register_step_model(py::module_& m) {
  py::class_<StepModel, std::shared_ptr<StepModel>>(m, "StepModel")
      .def_property_readonly("tokens", &StepModel::tokens)
      .def_property_readonly("items", &StepModel::items)
      .def_property_readonly("state_size", &StepModel::state_size)
      .def_property_readonly("attended", &StepModel::attended)
      .def_property_readonly("needs_python", &StepModel::needs_python)
      .def("start", &start_states)
      .def("step", &step_rows, "tokens"_a.noconvert(), "items"_a.noconvert(), "states"_a.noconvert());
  py::class_<PythonStepModel, StepModel, std::shared_ptr<PythonStepModel>>(m, "PythonStepModel")
      .def(py::init([](int64_t tokens, int64_t items, int64_t state_size, py::object start, py::object step,
                       int64_t attended) {
             return std::make_shared<PythonStepModel>(StepModelSizes{tokens, items, state_size, attended},
                                                      std::move(start), std::move(step));
           }),
           "tokens"_a, "items"_a, "state_size"_a, "start"_a, "step"_a, "attended"_a = 0);
  m.def("fingerprint", &fingerprint_of, "arrays"_a);
  register_recurrent_step_model(m);
  register_window_step_model(m);
}

}  // namespace unrolled
