// The probabilities that the recursions of CTC in float32 read, and the rows that its gradient starts from.
#pragma once

#include "memory.h"
#include "ops/ctc_item.h"

namespace unrolled {

// A pair i is the blank before symbol i and symbol i; the last of L + 1 is the last blank alone.
//
// With few classes each row of exp(scores) is made once, in the gradient's memory if there is any: it is the
// table of emissions and the softmax of the gradient. With many, the target's symbols are gathered out of it.
class CtcEmissions {
 public:
  explicit CtcEmissions(const CtcItem<float>& item);

  int64_t width() const { return width_; }  // pairs, up to whole vectors
  bool few_classes() const { return few_classes_; }
  // A row's sum is NaN or not above 0; known for logits alone.
  bool has_nan() const { return has_nan_; }
  // Of logits, the logarithms of all rows' sums, which normalise a path's probability.
  double log_sums() const { return log_sums_ + log_scales_; }
  // Of all rows' factors: by so much emissions are smaller than exp(scores).
  double log_scales() const { return log_scales_; }

  // Whether no emission is lost in float32: what the linear recursions need.
  bool in_range() const { return in_range_; }
  float largest() const { return largest_; }
  double mean_blank() const { return mean_blank_; }
  double mean_symbol() const { return mean_symbol_; }

  // Emissions of the pairs [first, first + count), whole vectors, at the frames [t, t + n): where they lie
  // already, or in `scratch` (n, count).
  struct Block {
    const float* data;
    int64_t stride;
  };
  Block block(int64_t t, int64_t n, int64_t first, int64_t count, float* scratch) const;
  const float* blank(int64_t t) const { return blank_.data() + t; }

  // The scores themselves: to (n, width), -inf beyond the symbols; blank (n).
  void scores(int64_t t, int64_t n, float* to, float* blank) const;

  const int32_t* classes() const { return index_.data(); }  // (width): of each symbol
  const float* sums() const { return sums_.data(); }        // (T): of the rows, logits alone

  // Makes the rows [t, t + n) of the gradient again if an attempt has spoiled them: with few classes those of
  // the constructor, with many scale * softmax; 0 where the gradient is not by logits.
  void restore_rows(int64_t t, int64_t n);
  void spoil_rows() { spoiled_ = true; }

 private:
  float* row(int64_t t) { return rows_ + t * item_.C; }
  void fill_rows(int64_t t, int64_t n, bool first);
  void normalize_range(int64_t t, bool first);
  void fill_few(int64_t t, int64_t n);
  void fill_many(int64_t t, int64_t n);
  void summarize();

  const CtcItem<float> item_;
  const int64_t width_;
  const bool few_classes_, stored_;
  Buffer<int32_t> index_;
  Buffer<float> own_rows_, compact_, blank_, sums_, least_, total_;
  float* rows_;  // (T, C); with many classes and no gradient, one row for all
  float largest_ = 0;
  double log_sums_ = 0, log_scales_ = 0, mean_blank_ = 0, mean_symbol_ = 0;
  bool has_nan_ = false, in_range_ = false, rough_ = false, spoiled_ = false;
};

}  // namespace unrolled
