#include "bindings/register.h"

namespace unrolled {

void register_embedding(pybind11::module_&) {}

}  // namespace unrolled
