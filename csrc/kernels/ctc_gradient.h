// From posteriors of the target's symbols over one tile of kCtcFrames frames to rows of the gradient.
#pragma once

#include <cstdint>

namespace unrolled {

// acc (slots, kCtcFrames): posteriors by slot, a class or a number of it, frames side by side.
struct CtcGradientKernels {
  // acc[slot[i]] += posterior[.][i] for i < count. posterior (kCtcFrames, stride): whole vectors may be read.
  // The sums take the place of a repeated symbol's in the order of i.
  void (*scatter)(int64_t count, const float* posterior, int64_t stride, const int32_t* slot, float* acc);

  // acc += the sum over the `lanes` columns of parts (kCtcFrames, lanes).
  void (*scatter_blank)(const float* parts, float* acc);

  // The reciprocal of acc's sum over the slots, by frame; 0 where the sum is 0.
  void (*normalizers)(int64_t slots, const float* acc, float* inverse);

  // rows (n, C): row * softmax[t] - acc[.][t] * posterior[t]; a softmax of null: -acc * posterior alone.
  // acc has whole vectors of slots.
  void (*write_rows)(int64_t n, int64_t C, const float* acc, const float* softmax, const float* posterior,
                     float* rows);
};

}  // namespace unrolled
