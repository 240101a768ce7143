// CTC loss and its gradient over a batch, one item a task.
#pragma once

#include <cstdint>

namespace unrolled {

struct CtcShape {
  int64_t N, T, C;
  const int64_t* input_lengths;   // (N)
  const int64_t* targets;         // all targets one after the other
  const int64_t* target_offsets;  // (N + 1): item n's target is targets[offsets[n] .. offsets[n + 1])
  int64_t blank;
  bool logits;  // rows are normalised inside, and the gradient is by the logits
};

// Frames that a target needs at least: its length, and a blank between each two equal neighbours.
int64_t ctc_required_frames(const int64_t* target, int64_t length);

// scores (N, T, C) -> losses (N): minus the log probability of each target, inf where it has no path.
// grad (N, T, C) or null: scale[n] times the gradient of item n's loss, 0 on padding and where there is no
// path.
template <class Real>
void ctc_loss(const CtcShape& shape, const Real* scores, const double* scale, double* losses, Real* grad);

}  // namespace unrolled
