// Emissions as a search reads them, and what makes them unreadable.
#pragma once

#include <cstdint>
#include <vector>

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

// One frame as the search reads it.
template <class Real>
struct FrameScores {
  const Real* scores;         // (classes); those that are not allowed have -inf
  const Real* probabilities;  // of these relative to the best; null where they are left to the reader
  Real best;                  // the largest score, above -inf
};

// Rows in the precision of the search: symbols that are not allowed have -inf.
template <class Real>
class ReadableRows {
 public:
  // Throws std::invalid_argument, with the place, where a score is NaN or above 0 by more than rounding, and
  // where no symbol that is allowed has a probability above 0. Frames are counted from `first_frame`. The
  // rows must outlive this.
  template <class Score>
  void read(const EmissionRows<Score>& rows, int64_t blank, int64_t first_frame);

  // Frames are asked for in order.
  FrameScores<Real> frame(int64_t t);

 private:
  static constexpr int64_t kBlock = 32;         // frames whose probabilities are made at a time
  static constexpr int64_t kMostClasses = 128;  // beyond, only symbols that are alive are worth it

  template <class Score>
  void copy(const EmissionRows<Score>& rows, int64_t blank);

  int64_t frames_ = 0, classes_ = 0;
  const Real* rows_ = nullptr;
  std::vector<Real> copy_, best_, block_;
};

}  // namespace unrolled::search
