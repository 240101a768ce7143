// Kinds of step models, which step_model.cpp registers one after the other.
#pragma once

#include <tuple>

#include "bindings/arrays.h"
#include "search/linear_layers.h"

namespace unrolled {

using Floats = Array<float>;
using MaybeFloats = MaybeArray<float>;
using Linear = std::tuple<Floats, MaybeFloats>;  // weight, bias

search::LinearWeights linear_weights(const Linear& linear, int64_t inputs, const char* message);

// Layers one after the other, from `inputs` features to logits of `tokens`.
std::vector<search::LinearWeights> output_layers(const std::vector<Linear>& layers, int64_t inputs,
                                                 int64_t tokens);

void register_recurrent_step_model(py::module_& m);
void register_window_step_model(py::module_& m);

}  // namespace unrolled
