#include "bindings/register.h"

namespace unrolled {

void register_attention(pybind11::module_&) {}

}  // namespace unrolled
