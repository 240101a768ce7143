// A batch of trellises: which frames, which targets, and the graph that each target spans over them.
#pragma once

#include <cstdint>

namespace unrolled {

// With a blank, a target of L symbols has the states s = 0 .. 2L: blank, symbol, blank, ..., blank. A path
// stays, advances by one, or skips a blank between symbols that differ, and starts and ends in one of the
// first and last two. Without (blank = -1), state i is symbol i: a path stays or advances, from 0 to L - 1.
struct TrellisShape {
  int64_t N, T, C;
  const int64_t* input_lengths;   // (N)
  const int64_t* targets;         // all targets one after the other
  const int64_t* target_offsets;  // (N + 1): item n's target is targets[offsets[n] .. offsets[n + 1])
  int64_t blank;                  // a class, or -1: no blanks

  const int64_t* target(int64_t n) const { return targets + target_offsets[n]; }
  int64_t target_length(int64_t n) const { return target_offsets[n + 1] - target_offsets[n]; }
};

// Frames that a target needs at least: its length, and a blank between each two equal neighbours.
inline int64_t trellis_required_frames(const int64_t* target, int64_t length, int64_t blank) {
  int64_t frames = length;
  for (int64_t i = 1; i < length; ++i) frames += blank >= 0 && target[i] == target[i - 1];
  return frames;
}

// Whether `frames` frames have a path at all. Without blanks, frames that no symbol takes have none.
inline bool trellis_has_path(const int64_t* target, int64_t length, int64_t blank, int64_t frames) {
  if (length == 0 && blank < 0) return frames == 0;
  return frames >= trellis_required_frames(target, length, blank);
}

}  // namespace unrolled
