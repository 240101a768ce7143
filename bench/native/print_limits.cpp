// print_limits THREADS: the machine's limits as JSON, for bench/machine_limits.py.
#include <cstdio>
#include <cstdlib>

#include "limits.h"

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (threads < 1) {
    std::fprintf(stderr, "usage: %s THREADS\n", argv[0]);
    return 2;
  }
  std::printf("{\"multiply_add\": %.2f, \"triad\": %.2f}\n", unrolled_bench::multiply_add_peak(threads),
              unrolled_bench::triad_bandwidth(threads));
}
