// The table: one row a case and number of threads.
#pragma once

#include "case.h"

namespace unrolled_bench {

struct Limits {
  double gflops, gigabytes;  // a second, measured in this run on the same number of threads
};

void print_head(int name_width);
void print_row(int name_width, const Case& c, int threads, double seconds, const Limits& limits);

}  // namespace unrolled_bench
