// The recursions of CTC in float32 on plain probabilities, in tiles of kCtcFrames frames by a block of
// symbols. A block's numbers have one power of two in common, chosen anew each kCtcGroup frames.
//
// Three things make that sound. A path's every step into a symbol counts `lambda` times (a power of two), so
// that the states near the path's end do not outrun the window of a float; each path has the same number of
// such steps. Forwards, every state inside the cone of what may be reached is raised by `floor`, more than
// what underflow can have taken, so that Z comes out too large by what was lost; backwards, what underflows
// is lost, and Z comes out too small. Where the two agree, nothing was lost that counts.
#pragma once

#include <cstdint>

namespace unrolled {

inline constexpr int64_t kCtcGroup = 4;        // frames between two choices of the power
inline constexpr int64_t kCtcMostVectors = 4;  // of symbols, in a block
// No number of a tile reaches 2^this, if `top` leaves room for its growth in a group. Products of alpha and
// beta that a power of -252, the least that two floats can take off, would make nothing of are then below
// 2^-24.
inline constexpr int32_t kCtcLargestPower = 114;
inline constexpr int32_t kCtcNothing = -(1 << 30);  // the power of a group whose states are all 0

// A pair i is the blank before symbol i and symbol i. Arrays of a block: those of its symbols, then those of
// its blanks, `vectors` vectors each.
struct CtcLinearTile {
  int64_t frames, vectors;
  const float* emission;  // (frames, emission_stride): of the symbols
  int64_t emission_stride;
  const float* blank;  // (frames)
  const float* skip;   // (vectors): lambda where symbol i may follow symbol i - 1 directly, else 0
  float lambda, floor;
  int32_t top;  // the power that the largest number is brought to
  // Pairs of the block that count: at the state before frame f those from need + f to reach + f.
  int64_t reach, need;

  // The block's numbers times 2^-power; that before the tile's first frame, then that after its last one (for
  // backwards, the other way round).
  float* state;
  int32_t* power;

  // What the neighbour hands over at each frame, with the power of each group; null: nothing.
  const float* inflow;
  const int32_t* inflow_power;
  float* outflow;  // (kCtcFrames)

  float* alpha;  // (frames, alpha_stride): forwards written unless null
  int64_t alpha_stride;
  int32_t* alpha_power;  // of each group; kCtcNothing where all states are 0

  // Backwards alone.
  int32_t* beta_power;  // of each group, for the neighbour
  int32_t z_power;
  float *posterior, *blank_posterior;  // (frames, vectors) and (frames, lanes), the latter added to; or null
};

struct CtcLinearKernels {
  int64_t lanes;
  void (*forward)(const CtcLinearTile& tile);
  // Returns false where a product of the two directions may have left the range.
  bool (*backward)(const CtcLinearTile& tile);
};

}  // namespace unrolled
