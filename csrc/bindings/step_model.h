// Kinds of step models, which step_model.cpp registers one after the other.
#pragma once

#include "bindings/arrays.h"

namespace unrolled {

void register_recurrent_step_model(py::module_& m);

}  // namespace unrolled
