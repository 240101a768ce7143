#include "cpu.h"

#include <array>
#include <cstddef>

namespace unrolled {
namespace {

struct Levels {
  std::array<std::string_view, 3> names;
  std::size_t count = 0;

  void add(std::string_view name) { names[count++] = name; }
};

Levels detect() {
  Levels levels;
#ifdef UNROLLED_HAS_generic
  levels.add("generic");
#else
  __builtin_cpu_init();
  levels.add("v2");
  if (__builtin_cpu_supports("x86-64-v3")) levels.add("v3");
  if (__builtin_cpu_supports("x86-64-v4")) levels.add("v4");
#endif
  return levels;
}

}  // namespace

std::span<const std::string_view> cpu_levels() {
  static const Levels levels = detect();
  return {levels.names.data(), levels.count};
}

}  // namespace unrolled
