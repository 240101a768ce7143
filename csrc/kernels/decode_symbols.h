// The symbols of a frame that a prefix beam search follows.
#pragma once

#include <cstdint>

namespace unrolled {

template <class Real>
struct DecodeSymbolKernels {
  // The largest number of each of n rows of C, and how many are >= least. False where one is above `most` or
  // NaN.
  bool (*largest_of_rows)(int64_t n, int64_t C, const Real* x, Real most, Real least, Real* largest,
                          int32_t* count);

  // The places and the values of all x[i] >= least, least above -inf. Returns how many. Both have room for a
  // whole vector more.
  int64_t (*find_at_least)(int64_t n, const Real* x, Real least, int32_t* place, Real* value);
  // A bound that at least k of n numbers reach, and not many more; -inf where it finds none. scratch has room
  // for `groups` numbers, whole vectors, k <= groups.
  Real (*bound_of_best)(int64_t n, const Real* x, int64_t k, int64_t groups, Real* scratch);

  // y = factor exp(x - top).
  void (*probabilities)(int64_t n, const Real* x, Real top, Real factor, Real* y);
  // The same for n rows of C, each relative to its own top, without a factor.
  void (*probabilities_of_rows)(int64_t n, int64_t C, const Real* x, const Real* tops, Real* y);
  // Of a row of few classes those with x[c] >= least: their places, and `factor` times their probabilities p,
  // exp(x - top) where p is null, which also go to of_class; that of the others is 0 there. of_class has room
  // for whole vectors.
  int64_t (*pick)(int64_t C, const Real* x, const Real* p, Real top, Real least, Real factor, Real* of_class,
                  int32_t* place, Real* probability);
};

}  // namespace unrolled
