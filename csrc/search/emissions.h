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

// Rows in the precision of the search: symbols that are not allowed have -inf.
template <class Real>
class ReadableRows {
 public:
  // Throws std::invalid_argument, with the place, where a score is NaN or above 0 by more than rounding, and
  // where no symbol that is allowed has a probability above 0. Frames are counted from `first_frame`. The
  // rows must outlive this.
  template <class Score>
  void read(const EmissionRows<Score>& rows, int64_t blank, int64_t first_frame);

  const Real* row(int64_t t) const { return rows_ + t * classes_; }
  Real best(int64_t t) const { return best_[static_cast<std::size_t>(t)]; }

 private:
  template <class Score>
  void copy(const EmissionRows<Score>& rows, int64_t blank);

  int64_t classes_ = 0;
  const Real* rows_ = nullptr;
  std::vector<Real> copy_, best_;
};

}  // namespace unrolled::search
