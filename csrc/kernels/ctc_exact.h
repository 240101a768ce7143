// The recursions of CTC in float32 without a limit to their range: each state is a mantissa times a power of
// two of its own, so that nothing underflows and no logarithm is taken. A pair i is the blank before symbol i
// and symbol i; the last pair is the last blank alone.
#pragma once

#include <cstdint>

namespace unrolled {

// Powers are whole numbers; one this low stands for the number 0, whatever the mantissa.
inline constexpr float kCtcZeroPower = -1e9f;
// Beyond it, exp is left to double (a power of two from it would lose digits).
inline constexpr float kCtcLargestScore = 20000.0f;

// Widths are whole vectors of pairs. A row of states: mantissas and powers of the symbols, then those of the
// blanks, 4 * width; a row of emissions: mantissas and powers of the symbols, 2 * width.
struct CtcExactKernels {
  // scores (n, width), -inf where there is no symbol -> emissions (n, 2 * width). Returns the largest
  // magnitude of a score other than -inf, inf where there is a NaN; emissions are right only if that is at
  // most kCtcLargestScore.
  float (*emissions)(int64_t n, int64_t width, const float* scores, float* emissions);

  // The frames first .. first + n - 1. state: that before them, replaced by that after them. skip (width): 0
  // where symbol i may follow symbol i - 1 directly, else kCtcZeroPower. blank (2, n): mantissas and powers.
  // rows (n, 4 * width) or null: the states after each frame.
  void (*forward)(int64_t first, int64_t n, int64_t width, const float* emissions, const float* blank,
                  const float* skip, float* state, float* rows);

  // From the last frame to the first. state: that after the frames, their emissions included (those the
  // forward pass begins with, mirrored, at the end). posterior (n, width): of each symbol, times 1 / Z;
  // blank_posterior (n, lanes): parts of that of the blank.
  void (*backward)(int64_t first, int64_t n, int64_t width, const float* emissions, const float* blank,
                   const float* skip, const float* rows, float inverse_mantissa, float z_power, float* state,
                   float* posterior, float* blank_posterior);
};

}  // namespace unrolled
