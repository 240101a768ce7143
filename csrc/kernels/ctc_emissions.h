// What the recursions of CTC read at each frame: the probabilities of the target's symbols, side by side.
#pragma once

#include <cstdint>

namespace unrolled {

// Frames are worked on in tiles; posteriors of one tile are turned over by square transposes.
inline constexpr int64_t kCtcFrames = 16;

struct CtcEmissionKernels {
  int64_t lanes;
  int64_t most_classes;  // that `pick` holds in registers

  // y = exp(x) over `count` numbers.
  void (*exp_all)(int64_t count, const float* x, float* y);

  // y = exp(x) over n rows of C, and each row's sum.
  void (*exp_rows)(int64_t n, int64_t C, const float* x, float* y, float* sums);

  // One row for which the sum above is out of range: y = exp(x - top), top the largest; returns {top, sum}.
  struct Softmax {
    float top, sum;
  };
  Softmax (*exp_below_top)(int64_t C, const float* x, float* y);

  // y *= factor, C numbers.
  void (*scale_row)(int64_t C, float factor, float* y);

  // Over n rows: least[c] = min(least[c], rows[.][c]), total[c] += the sum of the column. Returns the largest
  // number of all.
  float (*column_stats)(int64_t n, int64_t C, int64_t stride, const float* rows, float* least, float* total);

  // to[t][i] = rows[t][index[i]] for i < count, `fill` for count <= i < width. index has `width` classes,
  // width is whole vectors; C <= most_classes.
  void (*pick)(int64_t n, int64_t C, const float* rows, int64_t count, int64_t width, const int32_t* index,
               float fill, float* to, int64_t to_stride);
  // The same for any number of classes.
  void (*gather)(int64_t n, int64_t C, const float* rows, int64_t count, int64_t width, const int32_t* index,
                 float fill, float* to, int64_t to_stride);
};

}  // namespace unrolled
