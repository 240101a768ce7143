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

const Level* require_level(std::string_view name) {
  const auto levels = cpu_levels();
  if (std::find(levels.begin(), levels.end(), name) != levels.end()) return find_level(name);
  std::string known;
  for (const std::string_view level : levels) known += (known.empty() ? "" : ", ") + std::string(level);
  throw std::invalid_argument("ISA level \"" + std::string(name) +
                              "\" is not available on this CPU; it has " + known);
}

const Level* initial_level() {
  const char* forced = std::getenv("UNROLLED_ISA");
  return require_level(forced && *forced ? std::string_view(forced) : cpu_levels().back());
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

void set_isa_level(std::string_view name) { current().store(require_level(name)); }

}  // namespace unrolled
