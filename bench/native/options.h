// The command line.
#pragma once

#include <string>
#include <vector>

#include "timer.h"

namespace unrolled_bench {

struct Options {
  std::vector<std::string> isa;  // levels, none: the one in use
  std::vector<int> threads{1, 2};
  std::vector<std::string> filters;  // none: every case
  TimerSettings timer{0.2, 5};
  bool list = false;

  bool wants(const std::string& name) const;
};

// Throws std::invalid_argument with a message for the user.
Options parse_options(int argc, char** argv);

extern const char* const kUsage;

}  // namespace unrolled_bench
