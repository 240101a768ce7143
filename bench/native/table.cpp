#include "table.h"

#include <cstdio>

namespace unrolled_bench {

void print_head(int name_width) {
  std::printf("%-*s %7s %12s %16s %8s\n", name_width, "case", "threads", "ms", "rate", "of limit");
}

void print_row(int name_width, const Case& c, int threads, double seconds, const Limits& limits) {
  std::printf("%-*s %7d %12.4f ", name_width, c.name.c_str(), threads, 1e3 * seconds);
  if (c.work.flops > 0) {
    const double rate = 1e-9 * c.work.flops / seconds;
    std::printf("%8.1f GFLOP/s %7.1f%%\n", rate, 100 * rate / limits.gflops);
  } else if (c.work.bytes > 0) {
    const double rate = 1e-9 * c.work.bytes / seconds;
    std::printf("%8.1f GB/s    %7.1f%%\n", rate, 100 * rate / limits.gigabytes);
  } else {
    std::printf("%8.1f M/s     %8s\n", 1e-6 * c.work.items / seconds, "-");
  }
  std::fflush(stdout);
}

}  // namespace unrolled_bench
