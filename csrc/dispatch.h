// The kernels of the ISA level in use: the highest that the CPU runs, or the one that UNROLLED_ISA names.
#pragma once

#include <string_view>

#include "kernels/table.h"

namespace unrolled {

template <class Real>
const Kernels<Real>& kernels();

std::string_view isa_level();

// Throws std::invalid_argument where this CPU does not run `level`; the message lists those it does.
void set_isa_level(std::string_view level);

}  // namespace unrolled
