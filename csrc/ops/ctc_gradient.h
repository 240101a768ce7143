// Posteriors of one tile of frames, gathered by class, and the rows of the gradient that they make.
#pragma once

#include "memory.h"
#include "ops/ctc_emissions.h"

namespace unrolled {

class CtcGradientTile {
 public:
  CtcGradientTile(const CtcItem<float>& item, CtcEmissions& emissions);

  void clear();
  // Posteriors, up to a factor by frame, of the pairs [first, first + count): (kCtcFrames, stride).
  void add(int64_t first, int64_t count, const float* posterior, int64_t stride);
  float* blank_parts() { return blank_parts_.data(); }  // (kCtcFrames, lanes), to be added to
  // Writes the rows [t, t + n).
  void write(int64_t t, int64_t n);

 private:
  void write_few(int64_t t, int64_t n, const float* inverse);
  void write_many(int64_t t, int64_t n, const float* inverse);

  const CtcItem<float> item_;
  CtcEmissions& emissions_;
  const int64_t most_slots_;
  Buffer<int32_t> slot_, class_;  // of each symbol; of each slot
  int64_t slots_ = 0;
  int32_t blank_slot_ = 0;
  Buffer<float> acc_, blank_parts_;
};

}  // namespace unrolled
