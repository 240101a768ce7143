// A language model written in Python, asked by its protocol: start, score, finish.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "search/fusion_model.h"

namespace unrolled {

// `upper_bound`: no log probability that the model gives may be above it.
std::shared_ptr<const search::UnitModelSource> make_python_model(pybind11::object model, double upper_bound);

}  // namespace unrolled
