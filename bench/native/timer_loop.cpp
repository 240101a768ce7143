#include <chrono>

#include "timer.h"

namespace unrolled_bench {
namespace {

double seconds_of(const Call& call, long count) {
  const auto start = std::chrono::steady_clock::now();
  for (long i = 0; i < count; ++i) call();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return seconds.count();
}

// Calls that take at least `min_seconds`, found by doubling; this also warms up.
long calls_for(const Call& call, double min_seconds) {
  long count = 1;
  while (seconds_of(call, count) < min_seconds) count *= 2;
  return count;
}

}  // namespace

const char* timer_name() { return "a plain loop"; }

double seconds_per_call(const std::string&, const Call& call, const TimerSettings& settings) {
  call();
  const long count = calls_for(call, settings.min_seconds);
  std::vector<double> seconds;
  for (int i = 0; i < settings.repetitions; ++i) {
    seconds.push_back(seconds_of(call, count) / static_cast<double>(count));
  }
  return median(std::move(seconds));
}

}  // namespace unrolled_bench
