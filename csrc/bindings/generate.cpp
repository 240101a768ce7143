#include "bindings/register.h"

namespace unrolled {

void register_generate(pybind11::module_&) {}

}  // namespace unrolled
