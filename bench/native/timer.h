// Seconds of one call. timer_google.cpp where Google Benchmark is found, else timer_loop.cpp.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "case.h"

namespace unrolled_bench {

struct TimerSettings {
  double min_seconds;  // of each repetition
  int repetitions;
};

const char* timer_name();

// The median of the repetitions, in wall time.
double seconds_per_call(const std::string& name, const Call& call, const TimerSettings& settings);

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace unrolled_bench
