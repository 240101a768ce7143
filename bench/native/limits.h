// What the machine can do at most, measured on `threads` threads at once.
#pragma once

namespace unrolled_bench {

// GFLOP/s in float32: independent multiply-adds in registers and nothing else, of the machine's own ISA.
double multiply_add_peak(int threads);

// GB/s of a[i] = b[i] + s * c[i] over arrays far beyond the caches, 12 bytes a step in float32 as STREAM
// counts them: the line that is read before it is overwritten does not count.
double triad_bandwidth(int threads);

}  // namespace unrolled_bench
