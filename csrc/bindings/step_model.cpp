#include "bindings/register.h"

namespace unrolled {

void register_step_model(pybind11::module_&) {}

}  // namespace unrolled
