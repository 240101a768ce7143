// The ISA levels that were compiled in and that this CPU runs.
#pragma once

#include <span>
#include <string_view>

namespace unrolled {

// Names from the lowest level to the highest: "v2", "v3", "v4" (x86-64 psABI levels), or "generic".
std::span<const std::string_view> cpu_levels();

}  // namespace unrolled
