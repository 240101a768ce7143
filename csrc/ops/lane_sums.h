// Sums of a weight gradient, kept lane by lane in two stages: a long chain of additions loses digits.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dispatch.h"
#include "memory.h"

namespace unrolled {

template <class Real>
class LaneSums {
 public:
  explicit LaneSums(int64_t count)
      : count_(count), size_(count * kernels<Real>().depthwise_weight.lanes), recent_(size_), total_(size_) {
    std::fill_n(recent_.data(), size_, Real(0));
    std::fill_n(total_.data(), size_, Real(0));
  }

  Real* recent() { return recent_.data(); }  // (count, lanes), to add to

  void flush() {
    Real *from = recent_.data(), *to = total_.data();
    for (int64_t i = 0; i < size_; ++i) to[i] += from[i], from[i] = 0;
  }

  void finish(Real* sums) {
    flush();
    kernels<Real>().depthwise_weight.add_lanes(count_, total_.data(), sums);
  }

 private:
  int64_t count_, size_;
  Buffer<Real> recent_, total_;
};

}  // namespace unrolled
