// Forced alignment: the best path through the trellis of each target of a batch.
#pragma once

#include <cstdint>

#include "interrupt.h"
#include "ops/trellis.h"

namespace unrolled {

enum class AlignMemory {
  kAuto,
  kFull,
  kSqrt
};  // back-pointers of all frames, or of one run of frames at a time

struct AlignOptions {
  double skip_penalty;  // cost of passing over a label from blank to blank; inf: never
  AlignMemory memory;
  int64_t band;  // most frames that a label may lie from its place at an even pace; 0: anywhere
};

// scores (N, T, C) -> states (N, T), of 2 L + 1 with blanks and of L without, -1 past an item's length and
// where it has no path; totals (N): the path's log probability summed in double, -inf where there is no path,
// NaN where a score within the item's length is NaN or +inf; path_scores (N, T) or null: what the path scores
// at each frame, 0 where it has no state.
template <class Real>
void align(const TrellisShape& shape, const AlignOptions& options, const Real* scores, int32_t* states,
           double* totals, double* path_scores, Interrupt& interrupt);

}  // namespace unrolled
