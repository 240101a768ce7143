// Emissions as a search reads them, and what makes them unreadable.
#pragma once

#include <cstdint>

namespace unrolled::search {

// Rows of natural log-probabilities, one a frame.
template <class Score>
struct EmissionRows {
  int64_t frames, classes;
  const Score* scores;     // (frames, classes)
  const bool* allowed;     // null: every symbol; the blank is always allowed
  int64_t allowed_stride;  // 0: one row of `allowed` for all frames
  int64_t item;            // of a batch, for messages; -1: alone

  const Score* row(int64_t t) const { return scores + t * classes; }
  const bool* allowed_row(int64_t t) const { return allowed ? allowed + t * allowed_stride : nullptr; }
};

// Throws std::invalid_argument, with the place, where a score is NaN or above 0 by more than rounding, and
// where no symbol that is allowed has a probability above 0. Frames are counted from `first_frame`.
template <class Score>
void check_emissions(const EmissionRows<Score>& rows, int64_t blank, int64_t first_frame);

}  // namespace unrolled::search
