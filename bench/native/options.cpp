#include "options.h"

#include <stdexcept>

#include "cpu.h"

namespace unrolled_bench {

const char* const kUsage =
    R"(usage: unrolled_bench [--isa LEVEL|all]... [--threads N]... [--filter TEXT]...
                      [--min-time SECONDS] [--repetitions N] [--quick] [--list]
  --isa         ISA level of the kernels (v2, v3, v4, generic); default: the highest, or UNROLLED_ISA
  --threads     default: 1 and 2
  --filter      cases whose name has one of these texts
  --min-time    seconds of each repetition (0.2)
  --repetitions the median of so many counts (5)
  --quick       one short repetition: does everything run?
  --list        the names of the cases
)";

namespace {

int positive(const std::string& flag, const std::string& text) {
  std::size_t end = 0;
  int value = 0;
  try {
    value = std::stoi(text, &end);
  } catch (const std::exception&) {
  }
  if (value < 1 || end != text.size()) throw std::invalid_argument(flag + " needs a number, got " + text);
  return value;
}

double seconds(const std::string& flag, const std::string& text) {
  std::size_t end = 0;
  double value = -1;
  try {
    value = std::stod(text, &end);
  } catch (const std::exception&) {
  }
  if (!(value > 0) || end != text.size()) throw std::invalid_argument(flag + " needs seconds, got " + text);
  return value;
}

void add_levels(const std::string& text, std::vector<std::string>& levels) {
  if (text != "all") return levels.push_back(text);
  for (const std::string_view level : unrolled::cpu_levels()) levels.emplace_back(level);
}

}  // namespace

bool Options::wants(const std::string& name) const {
  for (const std::string& text : filters) {
    if (name.find(text) != std::string::npos) return true;
  }
  return filters.empty();
}

Options parse_options(int argc, char** argv) {
  Options options;
  std::vector<int> threads;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&] {
      if (++i >= argc) throw std::invalid_argument(flag + " needs a value");
      return std::string(argv[i]);
    };
    if (flag == "--isa") {
      add_levels(value(), options.isa);
    } else if (flag == "--threads") {
      threads.push_back(positive(flag, value()));
    } else if (flag == "--filter") {
      options.filters.push_back(value());
    } else if (flag == "--min-time") {
      options.timer.min_seconds = seconds(flag, value());
    } else if (flag == "--repetitions") {
      options.timer.repetitions = positive(flag, value());
    } else if (flag == "--quick") {
      options.timer = {0.001, 1};
    } else if (flag == "--list") {
      options.list = true;
    } else {
      throw std::invalid_argument("unknown argument " + flag);
    }
  }
  if (!threads.empty()) options.threads = threads;
  return options;
}

}  // namespace unrolled_bench
