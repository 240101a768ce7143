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

inline constexpr int64_t kFewClasses = 128;  // beyond, only symbols that are alive are worth a probability

// The least number of the type that is not below a logarithm: they bound the same numbers of the type.
template <class Real>
Real bound_in(double logarithm);

// One frame as the search reads it.
template <class Real>
struct FrameScores {
  const Real* scores;         // (classes); those that are not allowed have -inf
  const Real* probabilities;  // of these relative to the best; null where they are left to the reader
  Real best;                  // the largest score, above -inf
  int32_t alive;              // scores that reach the bound
};

// Rows in the precision of the search: symbols that are not allowed have -inf.
template <class Real>
class ReadableRows {
 public:
  // Throws std::invalid_argument, with the place, where a score is NaN or above 0 by more than rounding, and
  // where no symbol that is allowed has a probability above 0. Frames are counted from `first_frame`. The
  // rows must outlive this. least: the bound below which scores are cut, lowest() for none.
  template <class Score>
  void read(const EmissionRows<Score>& rows, int64_t blank, int64_t first_frame, Real least);

  // Frames are asked for in order.
  FrameScores<Real> frame(int64_t t);

 private:
  static constexpr int64_t kBlock = 32;  // frames whose probabilities are made at a time

  template <class Score>
  void copy(const EmissionRows<Score>& rows, int64_t blank);

  int64_t frames_ = 0, classes_ = 0;
  bool cuts_ = false;
  const Real* rows_ = nullptr;
  std::vector<Real> copy_, best_, block_;
  std::vector<int32_t> alive_;
};

}  // namespace unrolled::search
