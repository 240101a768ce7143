// The sizes of a pooling, checked.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>

#include "bindings/arrays.h"
#include "kernels/pool_max.h"

namespace unrolled {

using Pair = std::pair<int64_t, int64_t>;

inline constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();  // no sum of a few overflows

// PyTorch's rule: with ceil_mode windows may hang over the far border, as long as they begin before it.
inline int64_t pooled_size(int64_t input, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                           bool ceil_mode) {
  require(input >= 1, "images must have at least one pixel");
  require(kernel >= 1 && stride >= 1 && dilation >= 1, "kernel_size, stride and dilation must be at least 1");
  require(std::max({input, kernel, stride, dilation}) <= kLargest, "sizes must be below 2^31");
  require(padding >= 0 && 2 * padding <= kernel, "padding must be at most half of kernel_size");
  const int64_t room = input + 2 * padding - dilation * (kernel - 1) - 1;  // for the window to move
  require(room + (ceil_mode ? stride - 1 : 0) >= 0, "the window is larger than the padded input");
  const int64_t outputs = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  return ceil_mode && (outputs - 1) * stride >= input + padding ? outputs - 1 : outputs;
}

inline MaxPoolShape max_pool_shape(int64_t planes, Pair input, Pair kernel, Pair stride, Pair padding,
                                   Pair dilation, bool ceil_mode, bool relu) {
  const int64_t OH =
      pooled_size(input.first, kernel.first, stride.first, padding.first, dilation.first, ceil_mode);
  const int64_t OW =
      pooled_size(input.second, kernel.second, stride.second, padding.second, dilation.second, ceil_mode);
  const int64_t places = relu ? kNoWinner : kNoWinner + 1;
  require(kernel.first * kernel.second <= places,
          "kernel_size must have at most 256 elements, with a ReLU 255");
  return {planes,
          input.first,
          input.second,
          kernel.first,
          kernel.second,
          stride.first,
          stride.second,
          padding.first,
          padding.second,
          dilation.first,
          dilation.second,
          OH,
          OW,
          relu};
}

}  // namespace unrolled
