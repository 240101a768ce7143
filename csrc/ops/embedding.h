// Rows of a table by their numbers, and the gradient by the table, over threads.
#pragma once

#include <cstdint>

#include "memory.h"

namespace unrolled {

// The first of n numbers that is not in 0 .. V - 1, or -1.
int64_t first_outside(int64_t n, const int64_t* ids, int64_t V);

// weight (V, D) -> y (n, D): its rows ids (n), which are all in 0 .. V - 1.
template <class Real>
void embedding(int64_t n, int64_t D, const int64_t* ids, const Real* weight, Real* y);

// Where each row of a table is looked up.
class RowPlaces {
 public:
  // ids (n) are all in 0 .. V - 1; the row `left_out` does not count.
  RowPlaces(int64_t n, const int64_t* ids, int64_t V, int64_t left_out);

  int64_t count() const { return count_; }                                    // how many rows are looked up
  int64_t row(int64_t i) const { return rows_[i]; }                           // ascending
  int64_t looked_up(int64_t i) const { return starts_[i + 1] - starts_[i]; }  // how often
  const int64_t* places(int64_t i) const { return places_.data() + starts_[i]; }  // ascending
  int64_t total() const { return starts_[count_]; }

 private:
  void by_counting(int64_t n, const int64_t* ids, int64_t V, int64_t left_out);
  void by_sorting(int64_t n, const int64_t* ids, int64_t left_out);

  Buffer<int64_t> rows_, starts_, places_;
  int64_t count_ = 0;
};

// grad_y (n, D) -> grad (V, D), all rows.
template <class Real>
void embedding_backward(const RowPlaces& places, int64_t V, int64_t D, const Real* grad_y, Real* grad);

// grad_y (n, D) -> values (places.count(), D), the rows that were looked up.
template <class Real>
void embedding_backward_rows(const RowPlaces& places, int64_t D, const Real* grad_y, Real* values);

}  // namespace unrolled
