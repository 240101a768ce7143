#include "dispatch.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "cpu.h"

namespace unrolled {

#define UNROLLED_DECLARE(level) \
  namespace level {             \
  template <class Real>         \
  Kernels<Real> kernels();      \
  }
#ifdef UNROLLED_HAS_generic
UNROLLED_DECLARE(generic)
#else
UNROLLED_DECLARE(v2)
UNROLLED_DECLARE(v3)
UNROLLED_DECLARE(v4)
#endif
#undef UNROLLED_DECLARE

namespace {

struct Level {
  std::string_view name;
  Kernels<float> of_float;
  Kernels<double> of_double;
};

const Level* find_level(std::string_view name) {
#ifdef UNROLLED_HAS_generic
  static const Level levels[] = {{"generic", generic::kernels<float>(), generic::kernels<double>()}};
#else
  static const Level levels[] = {{"v2", v2::kernels<float>(), v2::kernels<double>()},
                                 {"v3", v3::kernels<float>(), v3::kernels<double>()},
                                 {"v4", v4::kernels<float>(), v4::kernels<double>()}};
#endif
  for (const Level& level : levels) {
    if (level.name == name) return &level;
  }
  return nullptr;
}

bool cpu_has(std::string_view name) {
  const auto levels = cpu_levels();
  return std::find(levels.begin(), levels.end(), name) != levels.end();
}

std::string known_levels() {
  std::string known;
  for (const std::string_view level : cpu_levels()) known += (known.empty() ? "" : ", ") + std::string(level);
  return known;
}

const Level* initial_level() {
  const char* forced = std::getenv("UNROLLED_ISA");
  if (!forced || !*forced) return find_level(cpu_levels().back());
  if (cpu_has(forced)) return find_level(forced);
  throw std::invalid_argument("the environment variable UNROLLED_ISA is \"" + std::string(forced) +
                              "\", but this CPU has the ISA levels " + known_levels() +
                              ": set it to one of them, or unset it for the highest");
}

std::atomic<const Level*>& current() {
  static std::atomic<const Level*> level = initial_level();
  return level;
}

}  // namespace

template <>
const Kernels<float>& kernels() {
  return current().load(std::memory_order_relaxed)->of_float;
}

template <>
const Kernels<double>& kernels() {
  return current().load(std::memory_order_relaxed)->of_double;
}

std::string_view isa_level() { return current().load()->name; }

void set_isa_level(std::string_view name) {
  if (!cpu_has(name)) {
    throw std::invalid_argument("ISA level \"" + std::string(name) +
                                "\" is not available on this CPU; it has " + known_levels());
  }
  current().store(find_level(name));
}

}  // namespace unrolled
